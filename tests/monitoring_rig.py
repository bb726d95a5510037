"""Payments in the books of a test's store, and monitoring run over them a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sdt.domain.ledger import Posting, transfer_postings
from sdt.domain.monitoring.movements import Channel, Direction, Movement
from sdt.domain.monitoring.value import Prices, read_prices
from sdt.domain.region import Region, load_region
from sdt.store import Store, currency, movements, transactions
from sdt.store.currency import CurrencyRow
from sdt.workflows.monitoring import look_at_days, look_at_page, write_days, write_page
from store_rig import TOKEN, accepted, address, transaction_id

REGION: Region = load_region((Path(__file__).parents[1] / "regions" / "texas.toml").read_bytes())
PRICES: Prices = read_prices(b'[[price]]\nasset = "XAU"\nfrom = 2026-01-01\ncents = 400_000\n')
NOON_S = 1_795_543_200  # 2026-11-24 12:00 in Texas
DAY_S = 86_400
FAR_S = NOON_S + 3_000 * DAY_S


@dataclass(frozen=True)
class Payment:
    """One payment between two of the test's people. Units: cents; at_s unix seconds."""

    n: int
    payer: int
    payee: int
    cents: int
    at_s: int


def pay(store: Store, payments: Iterable[Payment]) -> None:
    """Write settled payments, each as the lane would, in the order given."""
    chosen = list(payments)
    with store.transaction():
        transactions.insert_accepted(store, [accepted(p.n, p.payer, p.payee, p.cents) for p in chosen])
        for p in chosen:
            posted = transfer_postings(
                TOKEN, address(p.payer), address(p.payee), p.cents, 5, REGION.token(TOKEN).fee_account
            )
            post(store, transaction_id(p.n), posted, p.at_s)


def count_currency(
    store: Store, n: int, holder: int, cents: int, at_s: int, *, conductor: str = "", booked_s: int | None = None
) -> str:
    """Write currency that was counted for a deposit of a holder, by the holder's or another's hand."""
    deposit = transaction_id(n)
    with store.transaction():
        transactions.insert_accepted(store, [accepted(n, holder, holder, cents, type="deposit")])
        currency.put(
            store,
            CurrencyRow(deposit, f"cur_{n}", address(holder), TOKEN, cents, not conductor, conductor, b"sealed", at_s),
        )
        booked = [Posting(f"Clearing:{TOKEN}", f"Pending:{TOKEN}:{deposit}", TOKEN, cents)]
        post(store, deposit, booked, booked_s or at_s)
    return deposit


def post(store: Store, id_: str, postings: Sequence[Posting], at_s: int) -> None:
    # What accounts hold is not looked at here: the table's own check would ask for their funding first.
    store.many(
        "INSERT INTO postings (transaction_id, debit, credit, token, units, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        [(id_, p.debit, p.credit, p.token, p.units, at_s * 1000) for p in postings],
    )


def read_all(store: Store, limits: Iterable[int], now_s: int, region: Region = REGION) -> int:
    """Read every posting, in pages of these sizes, the last size for ever; return how many pages."""
    sizes = list(limits)
    pages = 0
    while True:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        look = look_at_page(store, region, PRICES, movements.horizon(store), size, now_s)
        if look is None:
            return pages
        assert write_page(store, region, look, region.business_day.of(now_s), now_s * 1000)
        pages += 1


def judge_all(store: Store, now_s: int, limit: int = 2, region: Region = REGION) -> None:
    """Look at every day that is over."""
    while (look := look_at_days(store, region, limit, now_s)) is not None:
        write_days(store, region, look, region.business_day.of(now_s), now_s * 1000)


def noticed(store: Store) -> list[Any]:
    """Return what was noticed, without the cases."""
    return [tuple(row) for row in store.rows("SELECT key, cents, count FROM findings ORDER BY key")]


def seen_by(payments: Iterable[Payment]) -> dict[str, list[Movement]]:
    """Return the movements of each person, as the books show them."""
    by_person: dict[str, list[Movement]] = {}
    for p in payments:
        for who, other, way in ((p.payer, p.payee, Direction.OUT), (p.payee, p.payer, Direction.IN)):
            one = Movement(transaction_id(p.n), address(who), Channel.TOKEN, way, p.cents, p.at_s, address(other))
            by_person.setdefault(address(who), []).append(one)
    return by_person


def day(text: str) -> date:
    """Return a day."""
    return date.fromisoformat(text)
