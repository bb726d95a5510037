"""Who is screened for an account: everybody behind it or said to be, and everybody else whom its dollars name.

A payout's file names the holder of the bank account, and currency comes by somebody's hand: neither needs to be who
stands behind the account.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, structs

from sdt.domain.personal import Business, Party, PersonAddress
from sdt.domain.sanctions.subjects import Subject, asked_of, conductor, holder, is_named_in, subjects_of
from sdt.domain.sealing import SealBroken
from sdt.store import Store, banking, currency
from sdt.store.currency import CONDUCTOR_NOTE, HandRow
from sdt.workflows.people import People, Unlocked

__all__ = ["HANDS_MAX", "Asked", "Screened", "screened_in"]

HANDS_MAX: Final = 50
"""So many of those who handed in currency for one account are screened with it, whoever came last first."""
log = logging.getLogger(__name__)


class _Hand(Struct, frozen=True):
    """Of whoever handed in currency, what lists are asked about."""

    given_name: str
    family_name: str
    born_on: str
    address: Any

    @property
    def home(self) -> PersonAddress | None:
        """Where they live, if that is an address of the United States as the platform takes them."""
        try:
            return msgspec.convert(self.address, PersonAddress)
        except msgspec.ValidationError:
            return None


class Asked(NamedTuple):
    """Somebody to be screened. A vendor is told `address`: the account's own, where theirs is not known."""

    subject: Subject
    address: PersonAddress
    born_on: str | None


class Screened(NamedTuple):
    """Everybody who is screened for an account, those behind it first.

    Either digest is keyed with the person's own key: `party_digest` of those behind the account, `digest` of all.
    """

    asked: tuple[Asked, ...]
    party_digest: str
    digest: str

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Whom lists are asked about."""
        return tuple(one.subject for one in self.asked)


def screened_in(store: Store, people: People, account: str) -> Screened | None:
    """Return who is screened for an account, within a database transaction; None where nobody is known behind it.

    Errors: SealBroken; those of the wrapping.
    """
    known = people.unlocked(store, account)
    if known is None:
        return None
    own = tuple(_behind(known.party))
    behind = [one.subject for one in own]
    others = [*_unproven(known, behind), *_holders(store, known, behind), *_hands(store, known, behind)]
    asked = (*own, *sorted(others, key=lambda one: one.subject.canonical))
    everybody = [one.subject for one in asked]
    return Screened(asked, known.fingerprint(asked_of(behind)), known.fingerprint(asked_of(everybody)))


def _behind(party: Party) -> Iterator[Asked]:
    people = party.people if isinstance(party, Business) else (party,)
    born: list[str | None] = [one.born_on for one in people]
    addresses = [one.address for one in people]
    if isinstance(party, Business):
        born, addresses = [None, *born], [party.address, *addresses]
    for subject, address, born_on in zip(subjects_of(party), addresses, born, strict=True):
        yield Asked(subject, address, born_on)


def _unproven(known: Unlocked, behind: Sequence[Subject]) -> list[Asked]:
    """Return who is said to be behind the account by data that nobody has established: in a renewal, or after one."""
    said = () if known.says is None else _behind(known.says)
    return [one._replace(subject=_marked(one.subject, known)) for one in said if one.subject not in behind]


def _holders(store: Store, known: Unlocked, behind: Sequence[Subject]) -> list[Asked]:
    """Return who holds the linked bank accounts, as far as that is nobody behind the account; a name once."""
    found: list[Asked] = []
    for linked in banking.accounts_of(store, known.user_id):
        subject = holder(known.details(linked.details_sealed).holder)
        if not is_named_in(subject, (*behind, *(one.subject for one in found))):
            found.append(Asked(_marked(subject, known), known.party.address, None))
    return found


def _hands(store: Store, known: Unlocked, behind: Sequence[Subject]) -> list[Asked]:
    """Return who handed in currency. Whom the bank took for the owner, by the owner's name, is the owner."""
    found: dict[str, Asked] = {}
    for row in currency.hands(store, known.account, HANDS_MAX):
        who = _opened(known, row)
        if who is None:
            continue
        subject = conductor(f"{who.given_name} {who.family_name}", who.home)
        if not (row.by_holder and is_named_in(subject, behind)):
            marked = _marked(subject, known)
            found.setdefault(marked.mark, Asked(marked, who.home or known.party.address, who.born_on))
    return list(found.values())


def _opened(known: Unlocked, row: HandRow) -> _Hand | None:
    """Return who it was; None for currency that two officers gave to another account than its slip named.

    It was sealed for the account on the slip, and screened with that one.
    """
    try:
        return msgspec.json.decode(known.note(CONDUCTOR_NOTE, row.conductor_sealed), type=_Hand)
    except SealBroken:
        log.warning("who handed in %s is not %s's to read", row.deposit_id, known.account)
        return None


def _marked(subject: Subject, known: Unlocked) -> Subject:
    return structs.replace(subject, mark=known.fingerprint(subject.canonical))
