"""Transaction ids under the keys that the vault has now: a rotation counts in a running process."""

from __future__ import annotations

from collections.abc import Callable

from sdt.domain.errors import NotFound
from sdt.domain.transaction_id import IdIssuer

__all__ = ["Ids"]


class Ids:
    """Makes and recognises one region's ids.

    `keys` gives them, the newest first. `look_again` is called for an id that none of them made: another process may
    give ids already under a key that this one has not seen.
    """

    def __init__(
        self, region: str, keys: Callable[[], tuple[bytes, ...]], look_again: Callable[[], None] = lambda: None
    ) -> None:
        self._region, self._keys, self._look_again = region, keys, look_again

    def __repr__(self) -> str:
        return f"Ids({self._region!r})"

    def issuer(self) -> IdIssuer:
        """Return what makes and recognises ids now."""
        return IdIssuer(self._region, self._keys())

    def check(self, transaction_id: str) -> int:
        """Return when this id was given. Units: milliseconds since 1970.

        Errors: Invalid for another form; NotFound for an id that was never given in this region.
        """
        issuer = self.issuer()
        try:
            return issuer.check(transaction_id)
        except NotFound:
            self._look_again()
            if (now := self.issuer()) == issuer:
                raise
            return now.check(transaction_id)
