"""A depository of metal, spoken to as its folder says."""

from __future__ import annotations

from typing import Final, Literal

from sdt.adapters.vendor.agreement import check_lines, same
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.domain.money import XAG, XAU, Asset
from sdt.ports.depository import Bar, BarIntake, HoldingStatement, Inventory, RedemptionOrder, VaultRedemption
from sdt.ports.evidence import VendorFault
from sdt.ports.statement import Statement

_METALS: Final[dict[str, Asset]] = {"XAU": XAU, "XAG": XAG}


class HttpDepository:
    """The `Depository` port."""

    def __init__(self, vendor: MappedVendor) -> None:
        self._vendor = vendor

    async def take_in(self, intake: BarIntake, key: str) -> Bar:
        """Take in one bar."""
        bar = await self._vendor.call("take_in", Bar, {"intake": intake}, key)
        _check_bar(bar)
        same(
            bar=((intake.refiner, intake.serial), (bar.refiner, bar.serial)),
            vault=(intake.vault, bar.vault),
            weight=((intake.gross_ng, intake.fineness), (bar.gross_ng, bar.fineness)),
            account=((intake.drop_off, intake.account), (bar.drop_off, bar.account)),
        )
        return bar

    async def bar(self, bar_id: str) -> Bar:
        """Return a bar as it stands now."""
        bar = await self._vendor.call("bar", Bar, {"bar_id": bar_id})
        _check_bar(bar)
        same(bar=(bar_id, bar.bar_id))
        return bar

    async def inventory(self, vault: str, after: int = 0, limit: int = 500) -> Inventory:
        """Return a page of the bars in a vault; each bar's evidence is the page that names it."""
        asked = {"vault": vault, "after": after, "limit": limit}
        inventory = await self._vendor.call("inventory", Inventory, asked)
        for bar in inventory.bars:
            _check_bar(bar)
            same(vault=(vault, bar.vault))
        return inventory

    async def holding_statement(self, vault: str) -> HoldingStatement:
        """Return what the vault holds now, its total checked against its bars."""
        statement = await self._vendor.call("holding_statement", HoldingStatement, {"vault": vault})
        asset = statement.asset
        same(vault=(vault, statement.vault), metal=(True, asset in _ASSETS))
        same(asset=({asset}, {asset, statement.total.asset, *(bar.fine.asset for bar in statement.held)}))
        same(
            total=(statement.total.units, sum(bar.fine.units for bar in statement.held)),
            number_of_bars=(statement.bars, len({bar.bar_id for bar in statement.held})),
        )
        return statement

    async def statement(self, vault: str, after: int = 0, limit: int = 500) -> Statement:
        """Return the fine weight held and the movements numbered above `after`."""
        asked = {"vault": vault, "after": after, "limit": limit}
        statement = await self._vendor.call("statement", Statement, asked)
        same(vault=(vault, statement.account), metal=(True, statement.balance.asset in _ASSETS))
        check_lines(statement, after, statement.balance.asset)
        return statement

    async def lock(self, order: RedemptionOrder, key: str) -> VaultRedemption:
        """Set bars aside for an order."""
        redemption = await self._vendor.call("lock", VaultRedemption, {"order": order}, key)
        same(
            vault=(order.vault, redemption.vault),
            bars=(set(order.bar_ids), set(redemption.bar_ids)),
            account=((order.account, order.reference), (redemption.account, redemption.reference)),
        )
        return redemption

    async def pick(self, order_id: str, key: str) -> VaultRedemption:
        """Bring an order's bars to the counter."""
        return await self._step("pick", order_id, key)

    async def hand_over(self, order_id: str, key: str) -> VaultRedemption:
        """Record that an order's bars left the vault."""
        return await self._step("hand_over", order_id, key)

    async def cancel(self, order_id: str, key: str) -> VaultRedemption:
        """Free an order's bars."""
        return await self._step("cancel", order_id, key)

    async def redemption(self, order_id: str) -> VaultRedemption:
        """Return an order as it stands now."""
        redemption = await self._vendor.call("redemption", VaultRedemption, {"order_id": order_id})
        same(order=(order_id, redemption.order_id))
        return redemption

    async def close(self) -> None:
        """Close the connections."""
        await self._vendor.close()

    async def _step(self, step: Literal["pick", "hand_over", "cancel"], order_id: str, key: str) -> VaultRedemption:
        redemption = await self._vendor.call(step, VaultRedemption, {"order_id": order_id}, key)
        same(order=(order_id, redemption.order_id))
        return redemption


_ASSETS: Final = frozenset(_METALS.values())


def _check_bar(bar: Bar) -> None:
    """Refuse a bar counted in another metal than its own, or worth more than its weight allows.

    Errors: VendorFault.
    """
    same(metal=(_METALS.get(bar.metal), bar.fine.asset))
    if bar.fine.units > bar.gross_ng * bar.fineness // 10_000:
        raise VendorFault("The depository counts more fine metal than a bar can hold.")
