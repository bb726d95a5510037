"""A depository over HTTP."""

from __future__ import annotations

from typing import Final, Literal

from sdt.adapters.depository import wire
from sdt.adapters.vendor.client import VendorClient
from sdt.adapters.vendor.wire import amount, check_lines, same, segment
from sdt.domain.money import XAG, XAU, Amount, Asset
from sdt.ports import (
    Bar,
    BarIntake,
    Evidence,
    HoldingStatement,
    Inventory,
    RedemptionOrder,
    Statement,
    VaultRedemption,
)

_METALS: Final[dict[str, Asset]] = {"XAU": XAU, "XAG": XAG}


class HttpDepository:
    """The `Depository` port."""

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 10) -> None:
        self._client = VendorClient("depository", url, api_key, timeout_s=timeout_s)

    async def take_in(self, intake: BarIntake, key: str) -> Bar:
        """Take in one bar."""
        bar = self._bar(await self._client.post("/v1/intakes", wire.intake_body(intake), f"intake.{key}"))
        same(
            bar=((intake.refiner, intake.serial), (bar.refiner, bar.serial)),
            vault=(intake.vault, bar.vault),
            weight=((intake.gross_ng, intake.fineness), (bar.gross_ng, bar.fineness)),
            account=((intake.drop_off, intake.account), (bar.drop_off, bar.account)),
        )
        return bar

    async def bar(self, bar_id: str) -> Bar:
        """Return a bar as it stands now."""
        bar = self._bar(await self._client.get(f"/v1/bars/{segment(bar_id)}"))
        same(bar=(bar_id, bar.bar_id))
        return bar

    async def inventory(self, vault: str, after: int = 0, limit: int = 500) -> Inventory:
        """Return a page of the bars in a vault; each bar's evidence is the page that names it."""
        path = f"/v1/vaults/{segment(vault)}/bars"
        answer = await self._client.get(path, {"after": str(after), "limit": str(limit)})
        inventory = self._client.parse(
            answer,
            wire.InventoryWire,
            lambda page: Inventory(
                tuple(wire.bar(each, _asset(each.metal), Evidence(answer)) for each in page.bars), page.next_after
            ),
        )
        for bar in inventory.bars:
            same(vault=(vault, bar.vault))
        return inventory

    async def holding_statement(self, vault: str) -> HoldingStatement:
        """Return what the vault holds now, its total checked against its bars."""
        answer = await self._client.get(f"/v1/vaults/{segment(vault)}/holding-statement")

        def build(held: wire.HoldingWire) -> HoldingStatement:
            asset = _asset(held.metal)
            bars = sum((amount(bar.fine_ng, asset) for bar in held.bars), Amount(0, asset))
            same(vault=(vault, held.vault), total=(amount(held.fine_ng, asset), bars))
            same(number_of_bars=(held.bar_count, len(held.bars)))
            return HoldingStatement(
                vault, asset, bars, len(held.bars), held.as_of, held.last_sequence, Evidence(answer)
            )

        return self._client.parse(answer, wire.HoldingWire, build)

    async def statement(self, vault: str, after: int = 0, limit: int = 500) -> Statement:
        """Return the fine weight held and the movements numbered above `after`."""
        path = f"/v1/vaults/{segment(vault)}/statement"
        answer = await self._client.get(path, {"after": str(after), "limit": str(limit)})

        def build(found: wire.StatementWire) -> Statement:
            asset = _asset(found.metal)
            same(vault=(vault, found.vault))
            lines = tuple(wire.line(each, asset) for each in found.lines)
            check_lines(lines, after, found.last_sequence, found.more)
            return Statement(
                account=vault,
                balance=amount(found.balance_ng, asset),
                overdraft=Amount(0, asset),
                as_of=found.as_of,
                last_sequence=found.last_sequence,
                lines=lines,
                more=found.more,
                evidence=Evidence(answer),
            )

        return self._client.parse(answer, wire.StatementWire, build)

    async def lock(self, order: RedemptionOrder, key: str) -> VaultRedemption:
        """Set bars aside for an order."""
        body = {
            "vault": order.vault,
            "bar_ids": order.bar_ids,
            "account": order.account,
            "reference": order.reference,
        }
        redemption = self._redemption(await self._client.post("/v1/redemptions", body, f"lock.{key}"))
        same(
            vault=(order.vault, redemption.vault),
            bars=(set(order.bar_ids), set(redemption.bar_ids)),
            account=((order.account, order.reference), (redemption.account, redemption.reference)),
        )
        return redemption

    async def pick(self, order_id: str, key: str) -> VaultRedemption:
        """Bring an order's bars to the counter."""
        return await self._step(order_id, "pick", key)

    async def hand_over(self, order_id: str, key: str) -> VaultRedemption:
        """Record that an order's bars left the vault."""
        return await self._step(order_id, "hand-over", key)

    async def cancel(self, order_id: str, key: str) -> VaultRedemption:
        """Free an order's bars."""
        return await self._step(order_id, "cancel", key)

    async def redemption(self, order_id: str) -> VaultRedemption:
        """Return an order as it stands now."""
        redemption = self._redemption(await self._client.get(f"/v1/redemptions/{segment(order_id)}"))
        same(order=(order_id, redemption.order_id))
        return redemption

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _step(self, order_id: str, step: Literal["pick", "hand-over", "cancel"], key: str) -> VaultRedemption:
        answer = await self._client.post(f"/v1/redemptions/{segment(order_id)}/{step}", {}, f"{step}.{key}")
        redemption = self._redemption(answer)
        same(order=(order_id, redemption.order_id))
        return redemption

    def _bar(self, answer: bytes) -> Bar:
        return self._client.parse(answer, wire.BarWire, lambda bar: wire.bar(bar, _asset(bar.metal), Evidence(answer)))

    def _redemption(self, answer: bytes) -> VaultRedemption:
        return self._client.parse(
            answer,
            wire.RedemptionWire,
            lambda found: VaultRedemption(
                order_id=found.order_id,
                vault=found.vault,
                bar_ids=found.bar_ids,
                fine=amount(found.fine_ng, _asset(found.metal)),
                account=found.account,
                reference=found.reference,
                status=found.status,
                evidence=Evidence(answer),
            ),
        )


def _asset(metal: str) -> Asset:
    same(metal=(True, metal in _METALS))
    return _METALS[metal]
