"""What an exchange between two regions should do, said again in plain Python, to compare the contracts with."""

from __future__ import annotations

from dataclasses import dataclass, field

from books_model import Skip, TokenModel
from region_on_chain import DAY_S

from sdt.domain.batch import SkipReason, ValueItem, ValueKind
from sdt.domain.registry import NOBODY


@dataclass
class GateModel:
    """One side of a gate: until when, at what rate, how much a day, and what passed on which day."""

    pool: str = NOBODY
    daily_cap: int = 0
    bought: int = 0
    sold: int = 0
    expires_s: int = 0
    passed: dict[int, int] = field(default_factory=dict)

    def fault(self, counted: int, now_s: int) -> Skip:
        return SkipReason.GATE_CAP_SPENT if self.today(now_s) + counted > self.daily_cap else None

    def fair(self, sold: int) -> int:
        return sold * self.bought // self.sold

    def today(self, now_s: int) -> int:
        return self.passed.get(now_s // DAY_S, 0)

    def count(self, amount: int, now_s: int) -> None:
        self.passed[now_s // DAY_S] = self.today(now_s) + amount


def exchange(
    takes: GateModel,
    pays: GateModel,
    sold_token: TokenModel,
    bought_token: TokenModel,
    payer: str,
    sold: int,
    payee: str,
    bought: int,
    now_s: int,
) -> Skip:
    """Move both legs or neither; return why not."""
    if sold == 0 or bought == 0:
        return SkipReason.BAD_ITEM
    if takes.expires_s <= now_s:
        return SkipReason.GATE_CLOSED
    if bought < takes.fair(sold):
        return SkipReason.GATE_RATE
    if reason := takes.fault(sold, now_s):
        return reason
    first = ValueItem(ValueKind.TRANSFER, payer, takes.pool, sold, 0, 0)
    if reason := sold_token.fault(first, now_s):
        at_pool = (SkipReason.PAYEE_FROZEN, SkipReason.PAYEE_NOT_ELIGIBLE)
        return SkipReason.POOL_UNAVAILABLE if reason in at_pool else reason
    if pays.expires_s <= now_s:
        return SkipReason.GATE_CLOSED
    if bought > pays.fair(sold):
        return SkipReason.GATE_RATE
    if reason := pays.fault(bought, now_s):
        return reason
    second = ValueItem(ValueKind.TRANSFER, pays.pool, payee, bought, 0, 0)
    if reason := bought_token.fault(second, now_s):
        at_pool = (SkipReason.INSUFFICIENT_FUNDS, SkipReason.PAYER_FROZEN, SkipReason.PAYER_NOT_ELIGIBLE)
        return SkipReason.POOL_UNAVAILABLE if reason in at_pool else reason
    sold_token.settle(first, now_s)
    bought_token.settle(second, now_s)
    takes.count(sold, now_s)
    pays.count(bought, now_s)
    return None
