"""Two regions on one chain, with pools and gates between them, for the exchange tests."""

from __future__ import annotations

from dataclasses import dataclass

from region_on_chain import (
    ALICE,
    BOB,
    DOLLAR,
    GOLD,
    MINTER,
    NEIGHBOR,
    Ground,
    Outcome,
    RegionOnChain,
)

from sdt.domain.batch import AdminItem, ExchangeItem, GateSide, SkipReason, ValueItem, ValueKind
from sdt.domain.registry import NEVER_S, Domain, KeyWord, Role

POOL = "0x" + "99" * 20
STRANGER = "0x" + "5a" * 20
BOUGHT, SOLD = 3, 2
"""The rate of the gates: three of what is bought for two of what is sold."""
CAP = 10_000
START = 50_000


@dataclass
class TwoRegions:
    """Texas, where Alice has dollars to sell, and Oklahoma, whose pool pays Bob in gold; gates are set by `open`."""

    texas: RegionOnChain
    oklahoma: RegionOnChain

    @classmethod
    def deployed(cls) -> TwoRegions:
        ground = Ground.fresh()
        both = cls(
            RegionOnChain.deployed(ground),
            RegionOnChain.deployed(ground, NEIGHBOR, "oklahoma's chain key"),
        )
        for region in (both.texas, both.oklahoma):
            outcome = region.administer(
                *(
                    AdminItem.register(a, bytes([n] * 32), KeyWord(a, Role.CLIENT), f"user{n}")
                    for n, a in enumerate((ALICE, BOB, POOL), 1)
                ),
                *(AdminItem.identity(a, d, 1, True, NEVER_S, bytes(32)) for a in (ALICE, BOB, POOL) for d in Domain),
                *(AdminItem.attest(t, 2**60, region.now_s, NEVER_S, 0) for t in (DOLLAR, GOLD)),
            )
            assert not outcome.skipped
            people = (ALICE, BOB, POOL)
            mints = [ValueItem(ValueKind.MINT, MINTER, a, START, 0, t) for a in people for t in (DOLLAR, GOLD)]
            assert not region.settle(*mints).skipped
        return both

    def copy(self) -> TwoRegions:
        ground = self.texas.ground.copy()
        return TwoRegions(self.texas.copy(ground), self.oklahoma.copy(ground))

    def takes(self, **changes: object) -> AdminItem:
        """Texas's gate: its pool takes dollars of those who buy Oklahoma's gold."""
        return gate(self.oklahoma, GateSide.TAKES, DOLLAR, GOLD, **changes)

    def pays(self, **changes: object) -> AdminItem:
        """Oklahoma's gate: its pool pays gold for Texas's dollars."""
        return gate(self.texas, GateSide.PAYS, GOLD, DOLLAR, **changes)

    def open(self) -> TwoRegions:
        assert not self.texas.administer(self.takes()).skipped
        assert not self.oklahoma.administer(self.pays()).skipped
        return self

    def item(self, sold: int = 200, bought: int = 300, payer: str = ALICE, payee: str = BOB) -> ExchangeItem:
        return ExchangeItem(payer, sold, payee, bought, self.oklahoma.settlement, DOLLAR, GOLD)

    def books(self) -> dict[tuple[str, int, str], int]:
        """Every balance of both regions."""
        return {
            (name, token, account): region.balance(token, account)
            for name, region in (("texas", self.texas), ("oklahoma", self.oklahoma))
            for token in (DOLLAR, GOLD)
            for account in (ALICE, BOB, POOL, STRANGER)
        }

    def left(self, side: GateSide) -> int:
        """What may still pass a gate today."""
        if side is GateSide.TAKES:
            peer, region, token, theirs = self.oklahoma, self.texas, DOLLAR, GOLD
        else:
            peer, region, token, theirs = self.texas, self.oklahoma, GOLD, DOLLAR
        found = region.read("Settlement", region.settlement, "gate", peer.settlement, token, theirs, int(side))
        return int(found[2])

    def reason(self, item: ExchangeItem) -> SkipReason | None:
        """Carry one exchange out; a refused one moves nothing in either region and counts at no gate."""
        before, left = self.books(), [self.left(side) for side in GateSide]
        outcome = self.texas.exchange(item)
        reason = outcome.skipped.get(0)
        if reason is not None:
            assert self.books() == before
            assert [self.left(side) for side in GateSide] == left
            assert not self.transfers(outcome)
        return reason

    def transfers(self, outcome: Outcome) -> list[tuple[object, ...]]:
        tokens = [*self.texas.tokens, *self.oklahoma.tokens]
        return [event for token in tokens for event in outcome.events("Token", token, "Transfer")]


def gate(peer: RegionOnChain, side: GateSide, token: int, theirs: int, **changes: object) -> AdminItem:
    values: dict[str, object] = {"pool": POOL, "daily_cap": CAP, "bought": BOUGHT, "sold": SOLD, "expires_s": NEVER_S}
    return AdminItem.gate(peer.settlement, side, token, theirs, **{**values, **changes})  # type: ignore[arg-type]
