"""A region's file: its tokens, fees and dated rules, and the digest that stands on chain.

A signer evaluates the file it holds only if its digest is the one in force on chain.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from sdt.domain.errors import Invalid
from sdt.domain.money import Amount, Asset, Rounding
from sdt.domain.monitoring.movements import BusinessDay
from sdt.domain.monitoring.of_region import LegalStatus, MonitorRule
from sdt.domain.monitoring.rules import Rule as Monitor
from sdt.domain.registry import Domain

__all__ = ["MESSAGE_LIFE_S_MAX", "AchTerms", "CoverTerms", "Region", "Rule", "Token", "load_region"]

TOKENS_MAX: Final = 16
"""As many as Settlement holds."""

Address = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
Whole = Annotated[int, Meta(ge=0, le=2**63 - 1)]

_WINDOW_S_MAX: Final = 86_400
_LIFE_S_MAX: Final = 30 * 86_400
MESSAGE_LIFE_S_MAX: Final = _WINDOW_S_MAX + _LIFE_S_MAX
"""The longest that any region's file lets a message live, from its id to its end."""


class Token(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One token of the region: what it stands for, its domain, its fee and how much may be minted a day.

    Units: fee_units and mint_per_day_units in the asset's smallest unit; fee_ppm in millionths of the amount.
    """

    symbol: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,11}\Z")]
    name: Annotated[str, Meta(min_length=1, max_length=40)]
    asset_code: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,11}\Z")]
    asset_scale: Annotated[int, Meta(ge=0, le=18)]
    domain: Literal["dollar", "cash"]
    fee_account: Address
    loss_account: Address | None = None
    """The region's own tokens that stand in for losses: all that a write-down may burn."""
    fee_units: Whole = 0
    fee_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    mint_per_day_units: Whole
    currency: bool = False
    """Whether the treasury's counter takes coin and paper for it; dollars alone."""

    @property
    def asset(self) -> Asset:
        """The asset one smallest unit counts in."""
        return Asset(self.asset_code, self.asset_scale)

    def amount(self, units: int) -> Amount:
        """Return `units` as an amount of this token's asset."""
        return Amount(units, self.asset)

    @property
    def domain_number(self) -> Domain:
        """The domain as the contracts number it."""
        return Domain.DOLLAR if self.domain == "dollar" else Domain.CASH

    def fee(self, units: int) -> int:
        """Return the fee on a transfer: flat part plus share, the share rounded down. Units: as `units`."""
        if not self.fee_ppm:
            return self.fee_units
        return self.fee_units + Amount(units, self.asset).scaled(self.fee_ppm, 1_000_000, Rounding.DOWN).units


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule with the law it follows.

    `kind` says what is checked; `token` or `domain` narrow it; `units` is its number where it has one.
    """

    id: Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9.-]{2,31}\Z")]
    kind: Literal["domain_wall", "residency", "identity", "transaction_cap", "frozen"]
    text: Annotated[str, Meta(min_length=10, max_length=400)]
    statute: Annotated[str, Meta(min_length=3, max_length=200)]
    effective: Day
    sunset: Day | None = None
    domain: Literal["dollar", "cash"] | None = None
    token: str | None = None
    units: Whole | None = None
    types: tuple[str, ...] = ("transfer", "redeem", "deposit", "issue")


class CoverTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must stand behind debits that may still come back; see `sdt.domain.ach.exposure`.

    Units: share_ppm in millionths of all that may come back; largest_users counts those covered whole.
    """

    share_ppm: Annotated[int, Meta(ge=0, le=1_000_000)] = 50_000
    largest_users: Annotated[int, Meta(ge=0, le=1_000)] = 3


class AchTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The region's terms for money that comes in by ACH."""

    cover: CoverTerms = CoverTerms()
    debits_need_verified_account: bool = False


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Annotated[str, Meta(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\Z")]
    name: Annotated[str, Meta(min_length=2, max_length=60)]
    acceptance_window_s: Annotated[int, Meta(ge=60, le=_WINDOW_S_MAX)] = 900
    transfer_life_s_max: Annotated[int, Meta(ge=60, le=_LIFE_S_MAX)] = 7 * 86_400
    time_zone: Annotated[str, Meta(pattern=r"^[A-Za-z]+(/[A-Za-z_-]+){0,2}\Z", max_length=40)] = "UTC"
    closes_hour: Annotated[int, Meta(ge=1, le=24)] = 24
    legal_status: LegalStatus = "agency"
    appeal: Annotated[str, Meta(max_length=600)] = ""
    screening_score_min: Annotated[int, Meta(ge=50, le=85)] = 80
    clear_alone_score_max: Annotated[int, Meta(ge=0, le=99)] = 89
    token: Annotated[tuple[Token, ...], Meta(min_length=1, max_length=TOKENS_MAX)]
    rule: tuple[Rule, ...]
    monitor: Annotated[tuple[MonitorRule, ...], Meta(max_length=200)] = ()
    ach: AchTerms = AchTerms()


@dataclass(frozen=True, eq=False)
class Region:
    """A region as its file gives it. `digest` is SHA-256 of the file's exact bytes.

    `monitors` are the rules over history that its legal status puts in force; each has its dates.
    """

    id: str
    name: str
    tokens: tuple[Token, ...]
    rules: tuple[Rule, ...]
    acceptance_window_s: int
    transfer_life_s_max: int
    digest: bytes
    time_zone: str = "UTC"
    closes_hour: int = 24
    legal_status: LegalStatus = "agency"
    monitors: tuple[Monitor, ...] = ()
    ach: AchTerms = field(default_factory=AchTerms)
    screening_score_min: int = 80
    """The least likeness to somebody listed that is looked at: a region chooses it, and cannot switch looking off."""
    clear_alone_score_max: int = 89
    """The greatest likeness that one officer clears alone."""
    appeal: str = ""
    """What somebody can do against an order, in words for them."""

    @cached_property
    def token_index(self) -> dict[str, int]:
        """Position of each token in the Settlement contract's list."""
        return {token.symbol: i for i, token in enumerate(self.tokens)}

    @cached_property
    def business_day(self) -> BusinessDay:
        """How the region counts its days. Errors: Invalid when this machine's calendar lacks the time zone.

        Looked up when a worker asks: a signer needs no table of time zones.
        """
        try:
            return BusinessDay(ZoneInfo(self.time_zone), self.closes_hour)
        except (KeyError, ValueError, OSError):
            raise Invalid(f"There is no time zone {self.time_zone} here.", code="region_file") from None

    @cached_property
    def _by_symbol(self) -> dict[str, Token]:
        return {token.symbol: token for token in self.tokens}

    def token(self, symbol: str) -> Token:
        """Return a token of this region. Errors: Invalid."""
        token = self._by_symbol.get(symbol)
        if token is None:
            raise Invalid(
                f"{self.name} has no token {symbol}; it has {', '.join(self._by_symbol)}.",
                code="unknown_token",
            )
        return token

    @cached_property
    def _in_force(self) -> dict[tuple[str, str, int], tuple[Rule, ...]]:
        return {}

    def rules_in_force(self, kind: str, token: Token, day_number: int) -> tuple[Rule, ...]:
        """Return the rules on this type of message and token on a day; looked up once a day, not per transfer.

        Units: day_number counts days since 1970-01-01.
        """
        key = (kind, token.symbol, day_number)
        found = self._in_force.get(key)
        if found is None:
            day = (date(1970, 1, 1) + timedelta(days=day_number)).isoformat()
            found = tuple(
                rule
                for rule in self.rules
                if kind in rule.types
                and rule.effective <= day
                and (rule.sunset is None or day < rule.sunset)
                and rule.domain in (None, token.domain)
                and rule.token in (None, token.symbol)
            )
            self._in_force[key] = found
        return found


def load_region(data: bytes) -> Region:
    """Return the region described by the bytes of its TOML file.

    Errors: Invalid, naming what is wrong with the file.
    """
    try:
        file = msgspec.convert(tomllib.loads(data.decode()), _File)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"The region file is not well formed: {error}.", code="region_file") from None
    symbols = [token.symbol for token in file.token]
    if len(set(symbols)) != len(symbols):
        raise Invalid("The region file names a token twice.", code="region_file")
    if len({rule.id for rule in file.rule}) != len(file.rule):
        raise Invalid("The region file names a rule twice.", code="region_file")
    for rule in file.rule:
        if rule.token is not None and rule.token not in symbols:
            raise Invalid(f"Rule {rule.id} is about {rule.token}, which is no token here.", code="region_file")
        if rule.kind == "transaction_cap" and (rule.units is None or rule.token is None):
            raise Invalid(f"Rule {rule.id} caps a transaction and needs `token` and `units`.", code="region_file")
    return Region(
        file.id,
        file.name,
        file.token,
        file.rule,
        file.acceptance_window_s,
        file.transfer_life_s_max,
        hashlib.sha256(data).digest(),
        file.time_zone,
        file.closes_hour,
        file.legal_status,
        _monitors(file),
        file.ach,
        file.screening_score_min,
        file.clear_alone_score_max,
        file.appeal,
    )


def _monitors(file: _File) -> tuple[Monitor, ...]:
    """Every rule is checked; those of the region's own legal status are returned."""
    rules = [(entry, entry.rule()) for entry in file.monitor]
    if len({rule.id for _, rule in rules} | {rule.id for rule in file.rule}) != len(rules) + len(file.rule):
        raise Invalid("The region file names a rule twice.", code="region_file")
    for token in file.token:
        if token.currency and (token.domain != "dollar" or token.asset_code != "USD"):
            raise Invalid(f"{token.symbol} is no dollar: no counter takes currency for it.", code="region_file")
    return tuple(rule for entry, rule in rules if file.legal_status in entry.statuses)
