"""Sanctions screening of the people behind accounts: binds both domains, and no region's rule switches it off."""

from __future__ import annotations

from sdt.domain.personal import Business, Party
from sdt.ports import Aml, PostalAddress, Purpose, ScreeningOutcome, ScreeningRequest
from sdt.workflows.people import People

__all__ = ["Sanctions"]

_PURPOSES = {
    "register": Purpose.ONBOARDING,
    "deposit": Purpose.INTAKE,
    "issue": Purpose.MINT,
    "redeem": Purpose.PAYOUT,
}


class Sanctions:
    """Asks the screening vendor about a person; their name is opened for the question alone."""

    def __init__(self, people: People, aml: Aml) -> None:
        self._people = people
        self._aml = aml

    async def is_clear(self, transaction_id: str, account: str, kind: str) -> bool:
        """Return whether nobody behind an account is on a list: a business, its owners and who controls it.

        Errors: Unavailable when the vendor does not answer: the transaction waits, it never passes unscreened.
        """
        party = await self._people.party(account)
        if party is None:
            return False
        names = (party, *(party.people if isinstance(party, Business) else ()))
        for n, named in enumerate(names):
            screening = await self._aml.screen(
                ScreeningRequest(named.name, postal(named), _PURPOSES[kind], transaction_id),
                key=f"screen:{transaction_id}" + f":{n}" * bool(n),
            )
            if screening.outcome is not ScreeningOutcome.CLEAR:
                return False
        return True


def postal(party: Party) -> PostalAddress:
    """Return an address as vendors take it."""
    a = party.address
    return PostalAddress(a.street, a.city, a.state, a.postal_code)
