"""One HTTP request to a vendor: bounded in time and size, to no other place, and typed in how it fails.

Redirects are refused, compression is not accepted, cookies are not kept.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from yarl import URL

from sdt.adapters.vendor.auth import Outgoing
from sdt.ports.evidence import VendorFault

__all__ = ["BadAddress", "NotDone", "PerhapsDone", "Transport", "checked_url", "filled_path", "query_text"]

_CHUNK: Final = 65_536


class NotDone(Exception):
    """This try did nothing: it never arrived, or the vendor said so."""


class PerhapsDone(Exception):
    """This try may have done something."""


class BadAddress(Exception):
    """An address is none that a vendor may have; the text says why."""


class Transport:
    """Connections to one vendor; use one object per event loop."""

    def __init__(self, url: str, *, timeout_s: float, answer_bytes_max: int) -> None:
        """Errors: BadAddress."""
        self._url = checked_url(url)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._bytes_max = answer_bytes_max
        self._session: aiohttp.ClientSession | None = None

    async def send(self, outgoing: Outgoing, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body.

        Errors: NotDone when nobody was reached; PerhapsDone when no whole answer came; VendorFault for one too large
        or compressed.
        """
        try:
            async with self._open().request(
                outgoing.method,
                URL(self._url + outgoing.path, encoded=True),
                headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
                data=outgoing.body or None,
                allow_redirects=False,
            ) as response:
                body = await self._read(response)
                return response.status, body
        except aiohttp.ClientConnectorError as error:
            raise NotDone from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PerhapsDone from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise VendorFault("The vendor compressed its answer although we take none.")
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > self._bytes_max:
                raise VendorFault(f"The vendor answered more than {self._bytes_max} bytes.")
        return bytes(body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


def checked_url(url: str) -> str:
    """Return a vendor's base address: https, or http on this machine and the networks that do not leave the house.

    Errors: BadAddress.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadAddress("is no address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise BadAddress("must begin with https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise BadAddress("must not carry a name or password: the secret stands in the vault")
    if parts.query or parts.fragment or any(one in url for one in "{}\\ \r\n"):
        raise BadAddress("ends with its path: no query, fragment, brace or space")
    if parts.scheme == "http" and not _in_the_house(host):
        raise BadAddress("must begin with https://: http is for this machine and private networks")
    return url.rstrip("/")


def _in_the_house(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host
    return address.is_loopback or (address.is_private and not address.is_link_local)


def filled_path(template: str, values: Mapping[str, Any]) -> str:
    """Fill a path template; each value is one segment, whatever it holds.

    Errors: BadAddress for a value that is no segment: empty, or one that would climb.
    """
    pieces, rest = [], template
    while rest:
        text, brace, rest = rest.partition("{")
        pieces.append(text)
        if brace:
            name, _, rest = rest.partition("}")
            pieces.append(_segment(name, values))
    return "".join(pieces)


def _segment(name: str, values: Mapping[str, Any]) -> str:
    value: Any = values
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or value in ("", ".", "..") or len(value) > 400:
        raise BadAddress(f"{name} cannot stand in a path")
    return quote(value, safe="")


def query_text(values: Mapping[str, Any]) -> str:
    """Return a query, its question mark included; what is null is left out.

    Errors: BadAddress for a value that is neither text nor whole number.
    """
    pairs = []
    for name, value in values.items():
        if value is None:
            continue
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise BadAddress(f"{name} cannot stand in a query")
        pairs.append((name, str(value)))
    return f"?{urlencode(pairs, quote_via=quote, safe='')}" if pairs else ""
