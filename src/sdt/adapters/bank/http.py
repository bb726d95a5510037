"""A bank over HTTP."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated

from msgspec import Meta, Struct, field

from sdt.adapters.vendor.client import VendorClient
from sdt.adapters.vendor.wire import AddressWire, Moment, Sequence, amount, check_lines, same, segment
from sdt.domain.money import USD
from sdt.ports import (
    AchDirection,
    AchEntry,
    AchOrder,
    AchStatus,
    BankCalendar,
    BookTransfer,
    BookTransferOrder,
    BookTransferStatus,
    Conductor,
    CurrencyDeposit,
    Evidence,
    Flow,
    PostalAddress,
    SecCode,
    Statement,
    StatementLine,
)


class _Entry(Struct, frozen=True):
    entry_id: str
    direction: AchDirection
    account: str
    amount_cents: str
    sec_code: SecCode
    reference: str
    trace_number: str
    status: AchStatus
    return_code: str | None
    created_day: int
    filed_day: int | None
    settled_day: int | None
    window_passed_day: int | None
    returned_day: int | None


class _Transfer(Struct, frozen=True):
    transfer_id: str
    source: str
    destination: str
    amount_cents: str
    reference: str
    status: BookTransferStatus
    confirmed_at: Moment | None


class _Line(Struct, frozen=True):
    sequence: Sequence
    kind: str
    flow: Flow
    amount_cents: str
    subject: str
    reference: str
    at: Moment


class _Statement(Struct, frozen=True):
    account: str
    balance_cents: str
    overdraft_cents: str
    as_of: Moment
    last_sequence: Sequence
    lines: tuple[_Line, ...]
    more: bool


class _Conductor(Struct, frozen=True):
    given_name: str
    family_name: str
    born_on: date
    address: AddressWire
    document: str
    document_number: str
    document_issuer: str


class _Currency(Struct, frozen=True):
    deposit_id: str
    account: str
    amount_cents: str
    reference: str
    by_holder: bool
    conductor: _Conductor
    counted_at: Moment


class _Calendar(Struct, frozen=True):
    banking_day: int
    on: date = field(name="date")
    at: Annotated[str, Meta(pattern=r"^[0-2][0-9]:[0-5][0-9]\Z")] = field(name="time")
    frozen: bool
    compressed: bool
    seconds_per_banking_day: float


class HttpBank:
    """The `Bank` port; an account is named by the bank's own id for it."""

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 10) -> None:
        self._client = VendorClient("bank", url, api_key, timeout_s=timeout_s)

    async def originate(self, order: AchOrder, key: str) -> AchEntry:
        """Hand an ACH entry to the bank."""
        body = {
            "direction": order.direction.value,
            "account": order.account,
            "amount_cents": str(order.amount.units),
            "counterparty": {
                "routing_number": order.counterparty.routing,
                "account_number": order.counterparty.number,
                "account_type": order.counterparty.kind,
                "holder": order.counterparty.holder,
            },
            "sec_code": order.sec_code.value,
            "reference": order.reference,
        }
        entry = self._entry(await self._client.post("/v1/ach/entries", body, f"ach.{key}"))
        same(
            direction=(order.direction, entry.direction),
            account=(order.account, entry.account),
            amount=(order.amount, entry.amount),
            reference=(order.reference, entry.reference),
        )
        return entry

    async def ach_entry(self, entry_id: str) -> AchEntry:
        """Return an entry as it stands now."""
        entry = self._entry(await self._client.get(f"/v1/ach/entries/{segment(entry_id)}"))
        same(entry=(entry_id, entry.entry_id))
        return entry

    async def book_transfer(self, order: BookTransferOrder, key: str) -> BookTransfer:
        """Move money between our own accounts."""
        body = {
            "source": order.source,
            "destination": order.destination,
            "amount_cents": str(order.amount.units),
            "reference": order.reference,
        }
        transfer = self._transfer(await self._client.post("/v1/book-transfers", body, f"book.{key}"))
        same(
            source=(order.source, transfer.source),
            destination=(order.destination, transfer.destination),
            amount=(order.amount, transfer.amount),
            reference=(order.reference, transfer.reference),
        )
        return transfer

    async def transfer(self, transfer_id: str) -> BookTransfer:
        """Return a book transfer as it stands now."""
        transfer = self._transfer(await self._client.get(f"/v1/book-transfers/{segment(transfer_id)}"))
        same(transfer=(transfer_id, transfer.transfer_id))
        return transfer

    async def currency_deposit(self, deposit_id: str) -> CurrencyDeposit:
        """Return what was counted at the counter, and who handed it in."""
        answer = await self._client.get(f"/v1/currency-deposits/{segment(deposit_id)}")
        deposit = self._client.parse(
            answer,
            _Currency,
            lambda wire: CurrencyDeposit(
                deposit_id=wire.deposit_id,
                account=wire.account,
                amount=amount(wire.amount_cents, USD),
                reference=wire.reference,
                by_holder=wire.by_holder,
                conductor=_conductor(wire.conductor),
                counted_at=wire.counted_at,
                evidence=Evidence(answer),
            ),
        )
        same(deposit=(deposit_id, deposit.deposit_id))
        return deposit

    async def statement(self, account: str, after: int = 0, limit: int = 500) -> Statement:
        """Return the confirmed balance and the lines numbered above `after`."""
        path = f"/v1/accounts/{segment(account)}/statement"
        answer = await self._client.get(path, {"after": str(after), "limit": str(limit)})

        def build(wire: _Statement) -> Statement:
            same(account=(account, wire.account))
            lines = tuple(_line(line) for line in wire.lines)
            check_lines(lines, after, wire.last_sequence, wire.more)
            return Statement(
                account=account,
                balance=amount(wire.balance_cents, USD),
                overdraft=amount(wire.overdraft_cents, USD),
                as_of=wire.as_of,
                last_sequence=wire.last_sequence,
                lines=lines,
                more=wire.more,
                evidence=Evidence(answer),
            )

        return self._client.parse(answer, _Statement, build)

    async def calendar(self) -> BankCalendar:
        """Return the present date and time at the bank."""
        answer = await self._client.get("/v1/calendar")
        return self._client.parse(
            answer,
            _Calendar,
            lambda wire: BankCalendar(
                wire.banking_day,
                wire.on,
                time.fromisoformat(wire.at),
                wire.frozen,
                wire.compressed,
                wire.seconds_per_banking_day,
            ),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _entry(self, answer: bytes) -> AchEntry:
        return self._client.parse(
            answer,
            _Entry,
            lambda wire: AchEntry(
                entry_id=wire.entry_id,
                direction=wire.direction,
                account=wire.account,
                amount=amount(wire.amount_cents, USD),
                sec_code=wire.sec_code,
                reference=wire.reference,
                trace_number=wire.trace_number,
                status=wire.status,
                return_code=wire.return_code,
                created_day=wire.created_day,
                filed_day=wire.filed_day,
                settled_day=wire.settled_day,
                window_passed_day=wire.window_passed_day,
                returned_day=wire.returned_day,
                evidence=Evidence(answer),
            ),
        )

    def _transfer(self, answer: bytes) -> BookTransfer:
        return self._client.parse(
            answer,
            _Transfer,
            lambda wire: BookTransfer(
                transfer_id=wire.transfer_id,
                source=wire.source,
                destination=wire.destination,
                amount=amount(wire.amount_cents, USD),
                reference=wire.reference,
                status=wire.status,
                confirmed_at=wire.confirmed_at,
                evidence=Evidence(answer),
            ),
        )


def _conductor(wire: _Conductor) -> Conductor:
    a = wire.address
    return Conductor(
        given_name=wire.given_name,
        family_name=wire.family_name,
        born_on=wire.born_on,
        address=PostalAddress(a.street, a.city, a.state, a.postal_code),
        document=wire.document,
        document_number=wire.document_number,
        document_issuer=wire.document_issuer,
    )


def _line(wire: _Line) -> StatementLine:
    return StatementLine(
        sequence=wire.sequence,
        kind=wire.kind,
        flow=wire.flow,
        amount=amount(wire.amount_cents, USD),
        subject=wire.subject,
        reference=wire.reference,
        at=wire.at,
    )
