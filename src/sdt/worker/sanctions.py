"""Sanctions screening of the people behind accounts: binds both domains, and no region's rule switches it off."""

from __future__ import annotations

from collections.abc import Callable

from sdt.domain.personal import Person, open_sealed
from sdt.ports import Aml, PostalAddress, Purpose, ScreeningOutcome, ScreeningRequest
from sdt.store import Store, accounts

__all__ = ["Sanctions"]

_PURPOSES = {
    "register": Purpose.ONBOARDING,
    "deposit": Purpose.INTAKE,
    "issue": Purpose.MINT,
    "redeem": Purpose.PAYOUT,
}


class Sanctions:
    """Asks the screening vendor about a person; their name is opened for the question alone."""

    def __init__(self, store: Store, aml: Aml, person_key: Callable[[], bytes]) -> None:
        self._store = store
        self._aml = aml
        self._person_key = person_key

    async def is_clear(self, transaction_id: str, account: str, kind: str) -> bool:
        """Return whether the person behind an account is on no list.

        Errors: Unavailable when the vendor does not answer: the transaction waits, it never passes unscreened.
        """
        person = await self.person(account)
        if person is None:
            return False
        screening = await self._aml.screen(
            ScreeningRequest(
                f"{person.given_name} {person.family_name}", postal(person), _PURPOSES[kind], transaction_id
            ),
            key=f"screen:{transaction_id}",
        )
        return screening.outcome is ScreeningOutcome.CLEAR

    async def person(self, account: str) -> Person | None:
        """Return who stands behind an account, as they gave it."""
        user = await self._store.read(accounts.user_by_account, account)
        if user is None or not user.person_sealed:
            return None
        return open_sealed(user.person_sealed, account, self._person_key(), Person)


def postal(person: Person) -> PostalAddress:
    """Return a person's address as vendors take it."""
    a = person.address
    return PostalAddress(a.street, a.city, a.state, a.postal_code)
