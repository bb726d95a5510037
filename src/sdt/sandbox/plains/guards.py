"""The second door's proofs of who asks: basic, an API key, an HMAC, or an OAuth2 token. Ids are `full` and `read`.

Source: RFC 7617, RFC 6749 (section 4.4), RFC 2104.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from urllib.parse import parse_qs, unquote_plus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sdt.domain.errors import Forbidden, SdtError, Unauthenticated
from sdt.sandbox.service import ApiKeys

__all__ = ["TOKEN_S", "ApiKeyGuard", "BasicGuard", "HmacGuard", "TokenGuard", "token_route"]

TOKEN_S = 60
SKEW_S = 300


def _may(who: str, request: Request) -> None:
    if who == "read" and request.method != "GET":
        raise Forbidden("This key may only read.", code="read_only_key")


def _key_of(keys: ApiKeys, who: str) -> str:
    found = {"full": keys.full, "read": keys.read}.get(who)
    if found is None:
        raise Unauthenticated("Nobody has this id.", code="api_key")
    return found


def _same(one: str, other: str) -> None:
    if not hmac.compare_digest(one.encode(), other.encode()):
        raise Unauthenticated("The proof is none.", code="api_key")


class BasicGuard:
    """Authorization: Basic."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    def check(self, request: Request, body: bytes) -> None:
        who, key = basic_pair(request)
        _same(key, _key_of(self._keys, who))
        _may(who, request)


class ApiKeyGuard:
    """X-Plains-Key."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    def check(self, request: Request, body: bytes) -> None:
        given = request.headers.get("x-plains-key", "")
        for who, key in (("full", self._keys.full), ("read", self._keys.read)):
            if hmac.compare_digest(given.encode(), key.encode()):
                _may(who, request)
                return
        raise Unauthenticated("The key is none.", code="api_key")


class HmacGuard:
    """X-Plains-Client, X-Plains-Time and X-Plains-Signature over what is sent."""

    def __init__(
        self,
        keys: ApiKeys,
        digest: Callable[[str, str, str, str, bytes], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys, self._digest, self._clock = keys, digest, clock

    def check(self, request: Request, body: bytes) -> None:
        who, moment = request.headers.get("x-plains-client", ""), request.headers.get("x-plains-time", "")
        if not moment.isdecimal() or abs(self._clock() - int(moment)) > SKEW_S:
            raise Unauthenticated("The time is too far from ours.", code="api_key")
        raw = request.scope["raw_path"].decode()
        path = f"{raw}?{request.url.query}" if request.url.query else raw
        wanted = self._digest(_key_of(self._keys, who), moment, request.method, path, body)
        _same(request.headers.get("x-plains-signature", ""), wanted)
        _may(who, request)


class TokenGuard:
    """Authorization: Bearer with a token of `token_route`."""

    def __init__(self, keys: ApiKeys, clock: Callable[[], float] = time.time) -> None:
        self._keys, self._clock = keys, clock

    def give(self, who: str) -> str:
        """Return a token that lasts `TOKEN_S`."""
        text = f"{who}.{int(self._clock()) + TOKEN_S}"
        return f"{text}.{self._seal(text)}"

    def check(self, request: Request, body: bytes) -> None:
        _, _, token = request.headers.get("authorization", "").partition(" ")
        text, _, seal = token.rpartition(".")
        _same(seal, self._seal(text))
        who, _, until = text.partition(".")
        if self._clock() >= int(until):
            raise Unauthenticated("The token has ended.", code="token_expired")
        _may(who, request)

    def _seal(self, text: str) -> str:
        return hmac.new(self._keys.full.encode(), text.encode(), "sha256").hexdigest()


def token_route(path: str, keys: ApiKeys, guard: TokenGuard) -> Route:
    """Return the route that gives tokens for client credentials."""

    async def endpoint(request: Request) -> Response:
        try:
            form = parse_qs((await request.body()).decode("ascii", "replace"))
            if form.get("grant_type") != ["client_credentials"]:
                raise Unauthenticated("Only client credentials are taken.", code="grant_type")
            who, key = (unquote_plus(part) for part in basic_pair(request))
            _same(key, _key_of(keys, who))
        except SdtError as error:
            return Response(msgspec.json.encode({"error": error.code}), 401, media_type="application/json")
        answer = {"access_token": guard.give(who), "token_type": "Bearer", "expires_in": TOKEN_S}
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return Route(path, endpoint, methods=["POST"])


def basic_pair(request: Request) -> tuple[str, str]:
    """Return id and key of an Authorization: Basic. Errors: Unauthenticated."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        who, _, key = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        raise Unauthenticated("The Authorization header cannot be read.", code="api_key") from None
    if scheme.lower() != "basic":
        raise Unauthenticated("Basic authorization is wanted.", code="api_key")
    return who, key


def hex_over_lines(key: str, moment: str, method: str, path: str, body: bytes) -> str:
    """HMAC-SHA-256 in hex over time, method, path and body, a line each."""
    text = f"{moment}\n{method}\n{path}\n".encode() + body
    return hmac.new(key.encode(), text, "sha256").hexdigest()


def base64_over_digest(key: str, moment: str, method: str, path: str, body: bytes) -> str:
    """HMAC-SHA-512 in base64 over method, path, time and the body's SHA-256, joined by |."""
    text = f"{method}|{path}|{moment}|{hashlib.sha256(body).hexdigest()}"
    return base64.b64encode(hmac.new(key.encode(), text.encode(), "sha512").digest()).decode()
