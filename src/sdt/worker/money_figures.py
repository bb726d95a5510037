"""How each dollar token's money stands, in sums alone: what may come back, what covers it, what is owed or kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sdt.domain.claims import day_of
from sdt.domain.region import Region
from sdt.observing.figures import Sample, gauge
from sdt.store import Store, ledger
from sdt.workflows.cover import cover_of

__all__ = ["money_figures", "money_samples"]

_SUMS: Final = {"receivable": "Receivable", "suspense": "Suspense", "unclaimed": "Unclaimed", "blocked": "Blocked"}


def money_figures(store: Store, region: Region, now_ms: int) -> dict[str, dict[str, int]]:
    """Return the sums of each dollar token; nobody's name and no transaction. Units: cents; now_ms in unix ms."""
    return {
        token.symbol: _of_token(store, region, token.symbol, now_ms)
        for token in region.tokens
        if token.domain == "dollar"
    }


def _of_token(store: Store, region: Region, symbol: str, now_ms: int) -> dict[str, int]:
    cover = cover_of(store, region, symbol, day_of(now_ms))
    sums = {
        name: abs(sum(net for _, net in ledger.open_accounts(store, f"{kind}:{symbol}:")))
        for name, kind in _SUMS.items()
    }
    return {
        "exposure": cover.exposure,
        "cover_required": cover.required,
        "prefund": cover.prefund,
        "loss_fund": cover.loss_fund,
        "cover_short": cover.short,
        **sums,
    }


def money_samples(figures: Mapping[str, Mapping[str, int]]) -> list[Sample]:
    """Return the metrics of the money: one sum a series, in cents."""
    about = "Sums of the money books: what may come back, what covers it, what is owed or kept."
    values = [({"token": token, "sum": name}, cents) for token, sums in figures.items() for name, cents in sums.items()]
    return [gauge("sdt_money_cents", about, values)]
