"""Everything personal is sealed and opened here, with a key for each person that the vault's key or KMS wraps.

Records from before people had keys of their own are sealed with the vault's key; they are read as they are, and
sealed anew with a key of the person's own by `adopt`, or by whatever is written of that person first.
What opens something runs in the thread that reads the database: unwrapping may ask a key service.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import Final

from sdt.domain import sealing
from sdt.domain.errors import NotFound
from sdt.domain.personal import BankDetails, Party, Person, open_record, read_record, seal_record
from sdt.domain.sealing import SealBroken
from sdt.ports.wrapping import Wrapping
from sdt.store import Store, accounts, banking, former_parties, person_keys
from sdt.store.person_keys import PersonKeyRow

__all__ = ["People", "Unlocked"]

_ADOPTED_AT_ONCE: Final = 200
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Unlocked:
    """Who stands behind one account, with their key unwrapped: for what opens much of theirs at once.

    `party` is with whom the identity check passed last; `says` whom a check that has not passed is about, if another.
    Errors of whatever opens something: SealBroken.
    """

    account: str
    user_id: str
    party: Party
    says: Party | None
    key: bytes

    def details(self, sealed: bytes) -> BankDetails:
        """Return a bank account of theirs."""
        details: BankDetails = open_record(sealed, self.account, self.key, BankDetails)
        return details

    def note(self, label: str, sealed: bytes) -> bytes:
        """Return a note that was sealed for them under this label."""
        return sealing.unseal(sealed, f"{self.account} {label}", self.key)

    def fingerprint(self, data: bytes) -> str:
        """Return a digest of something personal under their key."""
        return _fingerprint(self.key, data)


class People:
    """Who stands behind accounts. Errors of whatever opens something: SealBroken; those of the wrapping."""

    def __init__(self, store: Store, keys: Wrapping) -> None:
        self._store = store
        self._keys = keys

    def __repr__(self) -> str:
        return "People(…)"

    async def party(self, account: str) -> Party | None:
        """Return who stands behind an account; None for nobody, or for somebody who was erased."""
        return await self._store.read(self.party_in, account)

    async def identified(self, account: str) -> Party | None:
        """Return with whom an account's identity check passed last; who stands behind it where it never did.

        Who renews may say to be somebody else: until that is established, all that was done is of whom was identified.
        """
        return await self._store.read(self.identified_in, account)

    def identified_in(self, store: Store, account: str) -> Party | None:
        """Return them within a database transaction."""
        row = person_keys.of_account(store, account)
        if row is None:
            return None
        passed = former_parties.last_passed(store, account)
        return self._opened(account, row._replace(person_sealed=passed or row.person_sealed))

    async def parties(self, after: str | None, limit: int) -> tuple[list[tuple[str, Party]], str | None]:
        """Return everybody, by account, a page at a time, and the account after which the next page begins.

        A record that does not open is logged and left out: it must not keep the others from being read.
        """
        return await self._store.read(self._page, after or "", limit)

    def _page(self, store: Store, after: str, limit: int) -> tuple[list[tuple[str, Party]], str | None]:
        found: list[tuple[str, Party]] = []
        page = person_keys.page(store, after, limit)
        for account, row in page:
            try:
                party = self._opened(account, row)
            except SealBroken as error:
                log.error("what is known of %s cannot be read: %s", account, error.detail)
                continue
            if party is not None:
                found.append((account, party))
        return found, page[-1][0] if page else None

    async def bank_details(self, account: str, sealed: bytes) -> BankDetails | None:
        """Return the bank account that was sealed for this account; None when the person was erased."""
        return await self._store.read(self.details_unless_erased, account, sealed)

    def details_unless_erased(self, store: Store, account: str, sealed: bytes) -> BankDetails | None:
        """Return that bank account within a database transaction."""
        row = person_keys.of_account(store, account)
        if row is None or row.erased_at_ms is not None:
            return None
        return self._details(account, row, sealed)

    async def fingerprint(self, account: str, data: bytes) -> str | None:
        """Return a digest of something personal under the person's own key: without the key nobody can try guesses.

        None for nobody, or for somebody who was erased.
        """
        return await self._store.read(self.fingerprint_in, account, data)

    def fingerprint_in(self, store: Store, account: str, data: bytes) -> str | None:
        """Return that digest within a database transaction."""
        return self._fingerprint(person_keys.of_account(store, account), data)

    def _fingerprint(self, row: PersonKeyRow | None, data: bytes) -> str | None:
        if row is None or row.erased_at_ms is not None or row.wrapped is None:
            return None
        return _fingerprint(self._key(row), data)

    async def adopt(self, at_ms: int) -> int:
        """Give a key to everybody who has none and seal what is theirs with it; return how many got one.

        Whose record does not open is logged and left as it is: it keeps nobody else from it, nor the worker from work.
        """
        adopted, after = 0, ""
        while found := await self._store.read(person_keys.without_key, after, _ADOPTED_AT_ONCE):
            for account in found:
                try:
                    adopted += await self._store.run(self._adopt, account, at_ms)
                except SealBroken as error:
                    log.error("what is known of %s cannot be sealed anew: %s", account, error.detail)
            after = found[-1]
        return adopted

    def seal(self, store: Store, account: str, record: Party | BankDetails, at_ms: int) -> bytes:
        """Return a record sealed with the key of the account's user. Runs within a database transaction.

        Errors: NotFound (erased) for a person who was erased.
        """
        return seal_record(record, account, self.key(store, account, at_ms), _nonce())

    def seal_note(self, store: Store, account: str, label: str, note: bytes, at_ms: int) -> bytes:
        """Return a note of another kind sealed with the key of the account's user: erased with the person.

        Runs within a database transaction. Errors: NotFound (erased) for a person who was erased.
        """
        return sealing.seal(note, f"{account} {label}", self.key(store, account, at_ms), _nonce())

    async def open_note(self, account: str, label: str, sealed: bytes) -> bytes | None:
        """Return a note that was sealed for this account under this label; None when the person was erased."""
        return await self._store.read(self._note, account, label, sealed)

    def _note(self, store: Store, account: str, label: str, sealed: bytes) -> bytes | None:
        row = person_keys.of_account(store, account)
        if row is None or row.wrapped is None:
            return None
        return sealing.unseal(sealed, f"{account} {label}", self._key(row))

    def key(self, store: Store, account: str, at_ms: int) -> bytes:
        """Return the key of the account's user, made now if there is none. Runs within a database transaction.

        Errors: NotFound (erased) for a person who was erased.
        """
        row = person_keys.of_account(store, account)
        assert row is not None, "a record is sealed for nobody"
        if row.erased_at_ms is not None:
            raise NotFound("What was known of this person has been erased.", code="erased")
        if row.wrapped is None:
            self._adopt(store, account, at_ms)
            row = person_keys.of_account(store, account)
            assert row is not None
        return self._key(row)

    def party_in(self, store: Store, account: str) -> Party | None:
        """Return who stands behind an account, within a database transaction."""
        row = person_keys.of_account(store, account)
        return self._opened(account, row) if row else None

    def unlocked(self, store: Store, account: str) -> Unlocked | None:
        """Return who stands behind an account and what opens the rest, within a database transaction.

        None for nobody, for somebody who was erased, and for one who has no key yet.
        """
        row = person_keys.of_account(store, account)
        if row is None or row.person_sealed is None or row.erased_at_ms is not None or row.wrapped is None:
            return None
        key = self._key(row)
        says: Party = open_record(row.person_sealed, account, key, Party)
        passed = former_parties.last_passed(store, account)
        party: Party = says if passed is None else open_record(passed, account, key, Party)
        return Unlocked(account, row.user_id, party, None if says == party else says, key)

    def details(self, store: Store, account: str, sealed: bytes) -> BankDetails:
        """Return the bank account sealed for this account, within a database transaction."""
        row = person_keys.of_account(store, account)
        assert row is not None
        return self._details(account, row, sealed)

    def _adopt(self, store: Store, account: str, at_ms: int) -> int:
        row = person_keys.of_account(store, account)
        if row is None or row.created_at_ms is not None:
            return 0
        key = secrets.token_bytes(sealing.KEY_BYTES)
        if not person_keys.add(store, row.user_id, self._keys.wrap(key, row.user_id), at_ms):
            return 0  # another process did it at this moment
        if row.person_sealed is not None:
            person = read_record(self._keys.unseal(row.person_sealed, account), Person)
            accounts.set_person(store, account, seal_record(person, account, key, _nonce()))
        for linked in banking.accounts_of(store, row.user_id):
            details = read_record(self._keys.unseal(linked.details_sealed, account), BankDetails)
            banking.set_details(store, linked.ref, seal_record(details, account, key, _nonce()))
        return 1

    def _opened(self, account: str, row: PersonKeyRow) -> Party | None:
        if row.person_sealed is None or row.erased_at_ms is not None:
            return None
        if row.wrapped is None:
            return read_record(self._keys.unseal(row.person_sealed, account), Person)
        party: Party = open_record(row.person_sealed, account, self._key(row), Party)
        return party

    def _details(self, account: str, row: PersonKeyRow, sealed: bytes) -> BankDetails:
        if row.wrapped is None:
            return read_record(self._keys.unseal(sealed, account), BankDetails)
        details: BankDetails = open_record(sealed, account, self._key(row), BankDetails)
        return details

    def _key(self, row: PersonKeyRow) -> bytes:
        assert row.wrapped is not None
        return self._keys.unwrap(row.wrapped, row.user_id)


def _fingerprint(key: bytes, data: bytes) -> str:
    return hmac.digest(key, b"fingerprint\n" + data, hashlib.sha256).hex()


def _nonce() -> bytes:
    return secrets.token_bytes(sealing.NONCE_BYTES)
