"""The per-transaction rules of a region: what worker and every signer evaluate alike.

A refusal names its rule, the statute and the date it took effect. Rules over history, and sanctions screening,
are the worker's alone: they need what a signer does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sdt.domain.errors import Unprocessable
from sdt.domain.message import Deposit, Issue, Message, Redeem, Seize, Transfer
from sdt.domain.region import Region, Rule, Token

__all__ = ["AccountFacts", "Refusal", "Refused", "check_rules", "check_seizure"]


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What the chain says of an account. Units: the expiries are unix seconds; tier 0 is nobody known."""

    exists: bool = False
    tiers: Mapping[str, tuple[int, int]] | None = None
    """Domain -> (tier, expires)."""
    resident: Mapping[str, bool] | None = None
    """Domain -> whether residency was proven."""
    frozen: Mapping[str, int] | None = None
    """Token symbol -> when the freeze ends."""
    standing: str | None = None
    """Whether something about the people behind it is looked at: known to the worker alone, no rule asks for it."""

    def tier(self, domain: str, now_s: int) -> int:
        """Return the tier in force in a domain."""
        tier, expires = (self.tiers or {}).get(domain, (0, 0))
        return tier if now_s < expires else 0

    def is_frozen(self, token: str, now_s: int) -> bool:
        """Return whether a freeze of this token is in force."""
        return now_s < (self.frozen or {}).get(token, 0)


UNKNOWN: Final = AccountFacts()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a transaction may not be, in words that can be shown to whoever sent it."""

    rule: str
    statute: str
    effective: str
    text: str
    code: str


class Refused(Unprocessable):
    """A rule refuses; carries the rule, its statute and its effective date."""

    code = "refused"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(
            refusal.text,
            code=refusal.code,
            rule=refusal.rule,
            statute=refusal.statute,
            effective=refusal.effective,
        )
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class _Case:
    """One transaction as the rules see it: who gives, who gets, how much of which token."""

    token: Token
    units: int
    parties: tuple[tuple[str, AccountFacts], ...]
    now_s: int


def _case(message: Message, region: Region, facts: Callable[[str], AccountFacts], now_s: int) -> _Case | None:
    if isinstance(message, Transfer):
        parties: tuple[tuple[str, str], ...] = (("payer", message.payer), ("payee", message.payee))
    elif isinstance(message, Deposit | Redeem | Issue):
        parties = (("account", message.account),)
    else:
        return None
    token = region.token(message.token)
    return _Case(token, int(message.amount), tuple((who, facts(a)) for who, a in parties), now_s)


def _domain_wall(rule: Rule, case: _Case) -> str | None:
    """Value stays in its domain: both sides are admitted to the token's own one."""
    for who, facts in case.parties:
        if not facts.exists:
            return f"The {who} has no account in this region"
        if facts.tiers and case.token.domain not in facts.tiers:
            return f"The {who} is not admitted to the {case.token.domain} domain of {case.token.symbol}"
    return None


def _identity(rule: Rule, case: _Case) -> str | None:
    for who, facts in case.parties:
        if facts.tier(case.token.domain, case.now_s) == 0:
            return f"The identity of the {who} is not established for the {case.token.domain} domain"
    return None


def _residency(rule: Rule, case: _Case) -> str | None:
    for who, facts in case.parties:
        if not (facts.resident or {}).get(case.token.domain, False):
            return f"The {who} is not a proven resident of the region"
    return None


def _transaction_cap(rule: Rule, case: _Case) -> str | None:
    assert rule.units is not None
    if case.units > rule.units:
        return f"The amount is above the limit of {case.token.amount(rule.units)} for one transaction"
    return None


def _frozen(rule: Rule, case: _Case) -> str | None:
    for who, facts in case.parties:
        if facts.is_frozen(case.token.symbol, case.now_s):
            return f"The account of the {who} is frozen by an order"
    return None


_CHECKS: Final[Mapping[str, Callable[[Rule, _Case], str | None]]] = {
    "domain_wall": _domain_wall,
    "identity": _identity,
    "residency": _residency,
    "transaction_cap": _transaction_cap,
    "frozen": _frozen,
}


def check_rules(
    kind: str, message: Message, region: Region, facts: Callable[[str], AccountFacts], now_s: int
) -> Refusal | None:
    """Return the first rule that refuses this message, or None.

    `facts` gives what the chain says of an address. Units: now_s in unix seconds.
    """
    case = _case(message, region, facts, now_s)
    if case is None:
        return None
    for rule in region.rules_in_force(kind, case.token, now_s // 86_400):
        because = _CHECKS[rule.kind](rule, case)
        if because:
            return Refusal(rule.id, rule.statute, rule.effective, f"{because}. {rule.text}", rule.kind)
    return None


def check_seizure(message: Seize, region: Region, facts: Callable[[str], AccountFacts], now_s: int) -> None:
    """Refuse a seizure that no freeze came before, or that leads to who may not hold the token.

    The contract says the same, under the same codes. Units: now_s in unix seconds. Errors: Unprocessable.
    """
    token = region.token(message.token)
    if not facts(message.account).is_frozen(token.symbol, now_s):
        raise Unprocessable("The account is not frozen in this token: freeze it first.", code="not_frozen")
    custody = facts(message.to)
    if custody.is_frozen(token.symbol, now_s):
        raise Unprocessable("The account that would hold it is frozen itself.", code="payee_frozen")
    if not custody.exists or custody.tier(token.domain, now_s) == 0:
        raise Unprocessable(
            f"The account that would hold it has no valid identity in the {token.domain} domain.",
            code="payee_not_eligible",
        )
