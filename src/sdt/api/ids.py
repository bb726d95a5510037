"""Transaction ids under the keys that the vault has now: a rotation counts in a running process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sdt.domain.errors import NotFound
from sdt.domain.transaction_id import IdIssuer

__all__ = ["Ids"]

FOLLOWS_S: Final = 0.25
"""So long the keys are not asked for again: each message would pay for it, and the key before counts anyway."""


class Ids:
    """Makes and recognises one region's ids.

    `keys` gives them, the newest first. `look_again` is called for an id that none of them made: another process may
    give ids already under a key that this one has not seen.
    """

    def __init__(
        self, region: str, keys: Callable[[], tuple[bytes, ...]], look_again: Callable[[], None] = lambda: None
    ) -> None:
        self._region, self._keys, self._look_again = region, keys, look_again
        self._issuer, self._asked_s = IdIssuer(region, keys()), time.monotonic()

    def __repr__(self) -> str:
        return f"Ids({self._region!r})"

    def issuer(self) -> IdIssuer:
        """Return what makes and recognises ids now."""
        if time.monotonic() - self._asked_s > FOLLOWS_S:
            return self._followed()
        return self._issuer

    def _followed(self) -> IdIssuer:
        self._issuer, self._asked_s = IdIssuer(self._region, self._keys()), time.monotonic()
        return self._issuer

    def check(self, transaction_id: str) -> int:
        """Return when this id was given. Units: milliseconds since 1970.

        Errors: Invalid for another form; NotFound for an id that was never given in this region.
        """
        issuer = self.issuer()
        try:
            return issuer.check(transaction_id)
        except NotFound:
            self._look_again()
            if (now := self._followed()) == issuer:
                raise
            return now.check(transaction_id)
