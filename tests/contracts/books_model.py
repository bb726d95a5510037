"""What the contracts should do with value, said again in plain Python, to compare them with."""

from __future__ import annotations

from dataclasses import dataclass, field

from region_on_chain import DAILY_ALLOWANCE, DAY_S, FEES

from sdt.domain.batch import SkipReason, ValueItem, ValueKind
from sdt.domain.registry import NEVER_S, NOBODY

Skip = SkipReason | None


@dataclass
class MinterModel:
    """What one minter may mint in a period, and what it minted in which."""

    limit: int
    period_s: int
    minted: int
    period: int

    def minted_by(self, now_s: int) -> int:
        return self.minted if self.period == now_s // self.period_s else 0


@dataclass
class TokenModel:
    """One token: balances, who may hold and who is stopped until when, and the reserve movement by movement."""

    domain: int
    balances: dict[str, int] = field(default_factory=dict)
    eligible_until: dict[str, int] = field(default_factory=lambda: {FEES: NEVER_S})
    frozen_until: dict[str, int] = field(default_factory=dict)
    paused: bool = False
    movements: list[int] = field(default_factory=list)
    attested: int = 0
    valid_until_s: int = 0
    included: int = 0
    minted: dict[int, int] = field(default_factory=dict)
    minters: dict[str, MinterModel] = field(default_factory=dict)

    @property
    def supply(self) -> int:
        return sum(self.balances.values())

    @property
    def reserve(self) -> int:
        return max(0, self.attested + sum(self.movements[self.included :]))

    def settle(self, item: ValueItem, now_s: int) -> Skip:
        reason = self.fault(item, now_s)
        if reason is not None:
            return reason
        if item.kind is ValueKind.MINT:
            self.minted[now_s // DAY_S] = self.minted.get(now_s // DAY_S, 0) + item.amount
            if item.payer in self.minters:
                minter = self.minters[item.payer]
                minter.minted = minter.minted_by(now_s) + item.amount
                minter.period = now_s // minter.period_s
        else:
            self._add(item.payer, -item.amount - item.fee)
        if item.kind is not ValueKind.BURN:
            self._add(item.payee, item.amount)
        self._add(FEES, item.fee)
        return None

    def move_reserve(self, amount: int, sequence: int) -> Skip:
        if amount == 0:
            return SkipReason.BAD_ITEM
        if sequence != len(self.movements) + 1:
            return SkipReason.BAD_SEQUENCE
        self.movements.append(amount)
        return None

    def attest(self, amount: int, valid_until_s: int, sequence: int) -> Skip:
        if not self.included <= sequence <= len(self.movements):
            return SkipReason.BAD_SEQUENCE
        self.attested, self.valid_until_s, self.included = amount, valid_until_s, sequence
        return None

    def seize(self, account: str, to: str, amount: int, now_s: int) -> Skip:
        if self.paused:
            return SkipReason.PAUSED
        if account == to or amount == 0:
            return SkipReason.BAD_ITEM
        if self.frozen_until.get(account, 0) <= now_s:
            return SkipReason.NOT_FROZEN
        if self.frozen_until.get(to, 0) > now_s:
            return SkipReason.PAYEE_FROZEN
        if self.eligible_until.get(to, 0) <= now_s:
            return SkipReason.PAYEE_NOT_ELIGIBLE
        if self.balances.get(account, 0) < amount:
            return SkipReason.INSUFFICIENT_FUNDS
        self._add(account, -amount)
        self._add(to, amount)
        return None

    def set_mint_allowance(self, minter: str, limit: int, period_s: int, now_s: int) -> None:
        before = self.minters[minter].minted_by(now_s) if minter in self.minters else 0
        self.minters[minter] = MinterModel(limit, period_s, before, now_s // period_s)

    def minter_left(self, minter: str, now_s: int) -> int:
        """What this minter may still mint now, the token's own day included."""
        left = DAILY_ALLOWANCE - self.minted.get(now_s // DAY_S, 0)
        if minter in self.minters:
            left = min(left, self.minters[minter].limit - self.minters[minter].minted_by(now_s))
        return max(0, left)

    def fault(self, item: ValueItem, now_s: int) -> Skip:
        if self.paused:
            return SkipReason.PAUSED
        if not _well_formed(item):
            return SkipReason.BAD_ITEM
        pays, is_paid = item.kind is not ValueKind.MINT, item.kind is not ValueKind.BURN
        if pays and self.frozen_until.get(item.payer, 0) > now_s:
            return SkipReason.PAYER_FROZEN
        if pays and self.eligible_until.get(item.payer, 0) <= now_s:
            return SkipReason.PAYER_NOT_ELIGIBLE
        if is_paid and self.frozen_until.get(item.payee, 0) > now_s:
            return SkipReason.PAYEE_FROZEN
        if is_paid and self.eligible_until.get(item.payee, 0) <= now_s:
            return SkipReason.PAYEE_NOT_ELIGIBLE
        if pays and self.balances.get(item.payer, 0) < item.amount + item.fee:
            return SkipReason.INSUFFICIENT_FUNDS
        if item.fee and self.frozen_until.get(FEES, 0) > now_s:
            return SkipReason.PAYEE_FROZEN
        return self._mint_fault(item.payer, item.amount, now_s) if item.kind is ValueKind.MINT else None

    def _mint_fault(self, minter: str, amount: int, now_s: int) -> Skip:
        if self.valid_until_s <= now_s:
            return SkipReason.ATTESTATION_STALE
        if self.supply + amount > self.reserve:
            return SkipReason.OVER_RESERVE
        if amount > self.minter_left(minter, now_s):
            return SkipReason.MINT_ALLOWANCE_SPENT
        return None

    def _add(self, account: str, amount: int) -> None:
        self.balances[account] = self.balances.get(account, 0) + amount


def _well_formed(item: ValueItem) -> bool:
    if item.amount == 0:
        return False
    if item.kind is ValueKind.TRANSFER:
        return NOBODY not in (item.payer, item.payee) and item.payer != item.payee
    if item.kind is ValueKind.MINT:
        return NOBODY not in (item.payer, item.payee) and item.fee == 0
    return item.payer != NOBODY and item.payee == NOBODY
