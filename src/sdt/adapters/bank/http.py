"""A bank: ACH entries by one vendor, the treasury's own accounts by another, which may be the same house."""

from __future__ import annotations

from sdt.adapters.vendor.agreement import check_lines, same
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.domain.money import USD
from sdt.ports.bank import AchEntry, AchOrder, BankCalendar, BookTransfer, BookTransferOrder, CurrencyDeposit
from sdt.ports.statement import Statement


class HttpBank:
    """The `Bank` port; an account is named by the bank's own id for it."""

    def __init__(self, ach: MappedVendor, treasury: MappedVendor) -> None:
        self._ach = ach
        self._treasury = treasury

    async def originate(self, order: AchOrder, key: str) -> AchEntry:
        """Hand an ACH entry to the bank."""
        entry = await self._ach.call("originate", AchEntry, {"order": order}, key)
        _same_entry(order, entry)
        return entry

    async def originated(self, order: AchOrder, key: str) -> AchEntry | None:
        """Return what became of an order that may have reached the bank; None when the bank has none."""
        entry = await self._ach.became("originate", AchEntry, {"order": order}, key)
        if entry is not None:
            _same_entry(order, entry)
        return entry

    async def ach_entry(self, entry_id: str) -> AchEntry:
        """Return an entry as it stands now."""
        entry = await self._ach.call("ach_entry", AchEntry, {"entry_id": entry_id})
        same(entry=(entry_id, entry.entry_id), asset=(USD, entry.amount.asset))
        return entry

    async def book_transfer(self, order: BookTransferOrder, key: str) -> BookTransfer:
        """Move money between our own accounts."""
        transfer = await self._treasury.call("book_transfer", BookTransfer, {"order": order}, key)
        same(
            source=(order.source, transfer.source),
            destination=(order.destination, transfer.destination),
            amount=(order.amount, transfer.amount),
            reference=(order.reference, transfer.reference),
        )
        return transfer

    async def transfer(self, transfer_id: str) -> BookTransfer:
        """Return a book transfer as it stands now."""
        transfer = await self._treasury.call("transfer", BookTransfer, {"transfer_id": transfer_id})
        same(transfer=(transfer_id, transfer.transfer_id), asset=(USD, transfer.amount.asset))
        return transfer

    async def currency_deposit(self, deposit_id: str) -> CurrencyDeposit:
        """Return what was counted at the counter, and who handed it in."""
        deposit = await self._treasury.call("currency_deposit", CurrencyDeposit, {"deposit_id": deposit_id})
        same(deposit=(deposit_id, deposit.deposit_id), asset=(USD, deposit.amount.asset))
        return deposit

    async def statement(self, account: str, after: int = 0, limit: int = 500) -> Statement:
        """Return the confirmed balance and the lines numbered above `after`."""
        asked = {"account": account, "after": after, "limit": limit}
        statement = await self._treasury.call("statement", Statement, asked)
        same(account=(account, statement.account))
        check_lines(statement, after, USD)
        return statement

    async def calendar(self) -> BankCalendar:
        """Return the present date and time at the bank."""
        return await self._treasury.call("calendar", BankCalendar, {})

    async def close(self) -> None:
        """Close the connections."""
        await self._ach.close()
        await self._treasury.close()


def _same_entry(order: AchOrder, entry: AchEntry) -> None:
    same(
        direction=(order.direction, entry.direction),
        account=(order.account, entry.account),
        amount=(order.amount, entry.amount),
        reference=(order.reference, entry.reference),
    )
