"""How we prove to a vendor who we are: an API key, bearer, basic, OAuth2 client credentials, or an HMAC of the request.

Source: RFC 6749 (section 4.4), RFC 6750, RFC 7617, RFC 2104.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import quote_plus

import msgspec

from sdt.adapters.vendor.spec import ApiKey, Auth, Basic, Bearer, Hmac, NoAuth, OAuth2
from sdt.ports.evidence import VendorFault

__all__ = ["Authenticator", "Outgoing", "PostForm", "authenticator", "needs_id"]

TOKEN_MARGIN_S: Final = 30.0
"""A token is renewed this long before it ends, or at half of a shorter life."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request about to be sent. `path` is escaped and has the query."""

    method: str
    path: str
    body: bytes


PostForm = Callable[[str, Mapping[str, str], bytes], Awaitable[bytes]]
"""Send a form to a path with headers and return the answer."""


class Authenticator(Protocol):
    """Makes the headers of each request."""

    async def headers(self, outgoing: Outgoing) -> dict[str, str]:
        """Return what to add. Errors: VendorFault, Unavailable when a token cannot be had."""
        ...

    def refused(self) -> bool:
        """The vendor answered 401; return whether another try with fresh proof makes sense."""
        ...


def needs_id(auth: Auth) -> bool:
    """Say whether the secret of this style is written ID:SECRET."""
    return isinstance(auth, Basic | OAuth2 | Hmac)


def authenticator(
    auth: Auth,
    secret: Callable[[], str],
    post_form: PostForm,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> Authenticator:
    """Return what proves us to a vendor. The secret is read anew for each use, so a rotated one counts at once."""
    match auth:
        case NoAuth():
            return _Static(dict)
        case ApiKey(header=header):
            return _Static(lambda: {header: _clean(secret())})
        case Bearer():
            return _Static(lambda: {"Authorization": f"Bearer {_clean(secret())}"})
        case Basic():
            return _Static(lambda: {"Authorization": f"Basic {_basic(secret())}"})
        case Hmac():
            return _Signed(auth, secret, now)
        case OAuth2():
            return _Token(auth, secret, post_form, clock)


class _Static:
    def __init__(self, headers: Callable[[], dict[str, str]]) -> None:
        self._headers = headers

    async def headers(self, outgoing: Outgoing) -> dict[str, str]:
        return self._headers()

    def refused(self) -> bool:
        return False


class _Signed:
    def __init__(self, spec: Hmac, secret: Callable[[], str], now: Callable[[], float]) -> None:
        self._spec, self._secret, self._now = spec, secret, now

    async def headers(self, outgoing: Outgoing) -> dict[str, str]:
        spec = self._spec
        id, key = _pair(self._secret())
        moment = self._now()
        written = {
            "unix_s": str(int(moment)),
            "unix_ms": str(int(moment * 1000)),
            "rfc3339": f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%dT%H:%M:%SZ}",
        }[spec.time]
        parts = {
            "method": outgoing.method.encode(),
            "path": outgoing.path.encode(),
            "timestamp": written.encode(),
            "body": outgoing.body,
            "body_sha256": hashlib.sha256(outgoing.body).hexdigest().encode(),
        }
        digest = hmac.new(key.encode(), _filled(spec.message, parts), spec.hash).digest()
        signature = digest.hex() if spec.encoding == "hex" else b64encode(digest).decode()
        return {spec.key_header: id, spec.time_header: written, spec.signature_header: signature}

    def refused(self) -> bool:
        return False


class _TokenAnswer(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires_in: float = 300.0


class _Token:
    def __init__(
        self, spec: OAuth2, secret: Callable[[], str], post_form: PostForm, clock: Callable[[], float]
    ) -> None:
        self._spec, self._secret, self._post, self._clock = spec, secret, post_form, clock
        self._token = ""
        self._until_s = 0.0
        self._renewing = asyncio.Lock()

    async def headers(self, outgoing: Outgoing) -> dict[str, str]:
        # Many calls wait for one token, rather than each asking for its own.
        async with self._renewing:
            if not self._token or self._clock() >= self._until_s:
                await self._renew()
        return {"Authorization": f"Bearer {self._token}"}

    def refused(self) -> bool:
        had = bool(self._token)
        self._token = ""
        return had

    async def _renew(self) -> None:
        id, key = _pair(self._secret())
        form = "grant_type=client_credentials"
        headers: dict[str, str] = {}
        if self._spec.scope:
            form += f"&scope={quote_plus(self._spec.scope)}"
        if self._spec.client == "body":
            form += f"&client_id={quote_plus(id)}&client_secret={quote_plus(key)}"
        else:
            # RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
            headers["Authorization"] = f"Basic {_basic(f'{quote_plus(id)}:{quote_plus(key)}')}"
        asked_s = self._clock()
        try:
            answer = msgspec.json.decode(
                await self._post(self._spec.token_path, headers, form.encode()), type=_TokenAnswer
            )
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise VendorFault("The vendor's token answer is in a wrong form.") from None
        if answer.token_type.lower() != "bearer" or not 0 < answer.expires_in < 10**9:
            raise VendorFault("The vendor's token is of a kind we do not use.")
        self._token = _clean(answer.access_token)
        self._until_s = asked_s + max(answer.expires_in / 2, answer.expires_in - TOKEN_MARGIN_S)


def _filled(template: str, parts: Mapping[str, bytes]) -> bytes:
    """Fill the names in; what is filled in is never searched for names again."""
    pieces, rest = [], template
    while rest:
        text, brace, rest = rest.partition("{")
        pieces.append(text.encode())
        if brace:
            name, _, rest = rest.partition("}")
            pieces.append(parts[name])
    return b"".join(pieces)


def _basic(pair: str) -> str:
    _pair(pair)
    return b64encode(pair.encode()).decode()


def _pair(secret: str) -> tuple[str, str]:
    id, colon, key = _clean(secret).partition(":")
    if not (colon and id and key):
        raise VendorFault("The vendor's secret in the vault must be written ID:SECRET.")
    return id, key


def _clean(secret: str) -> str:
    """Refuse what could end a header and begin another."""
    if not secret or not secret.isascii() or not secret.isprintable():
        raise VendorFault("The vendor's secret or token is empty, or holds what no header may hold.")
    return secret
