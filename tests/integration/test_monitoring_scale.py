"""A hundred thousand movements in bounded time and memory, and queries that are served by their indexes."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from monitoring_rig import NOON_S, PRICES, REGION, Payment, judge_all, pay
from sdt.store import Store, movements
from sdt.workflows.monitoring import look_at_page, write_page
from store_rig import address

PAYMENTS = 50_000
"""Each is two movements: the payer's and the payee's."""
PAGE = 500


def _read_page(store: Store, now_s: int) -> bool:
    look = look_at_page(store, REGION, PRICES, movements.horizon(store), PAGE, now_s)
    if look is None:
        return False
    assert write_page(store, REGION, look, REGION.business_day.of(now_s), now_s * 1000)
    return True


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_thousand_movements(store: Store) -> None:
    """One busy merchant, many payers, two weeks: a page at the end costs what one at the beginning did."""
    for start in range(0, PAYMENTS, 5_000):
        pay(
            store,
            [Payment(n + 1, 10 + n % 3_000, 1, 2_000 + n % 50, NOON_S + n * 24) for n in range(start, start + 5_000)],
        )
    if store.postgres:
        store.execute("ANALYZE postings")
        store.execute("ANALYZE transactions")
    now_s = NOON_S + PAYMENTS * 24
    pages: list[float] = []
    while True:
        began = time.process_time()
        if not _read_page(store, now_s):
            break
        pages.append(time.process_time() - began)
    # The memory of a page that is read again, at the end of everything: what is measured slows all that it measures.
    store.execute("UPDATE monitor_cursors SET position = position - ?", (PAGE,))
    tracemalloc.start()
    assert look_at_page(store, REGION, PRICES, movements.horizon(store), PAGE, now_s) is not None
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Two postings a payment: the payment and its fee.
    assert len(pages) == PAYMENTS * 2 // PAGE
    assert peak_bytes < 32_000_000, f"{peak_bytes / 1e6:.0f} MB"
    early, late = sorted(pages[:40])[20], sorted(pages[-40:])[20]
    assert late < 4 * early + 0.02, f"a page took {early * 1000:.0f} ms at first and {late * 1000:.0f} ms at last"
    assert store.row("SELECT sum(count) FROM movement_days") == (PAYMENTS * 2,)
    judge_all(store, now_s + 10 * 86_400, limit=300)
    assert store.row("SELECT count(*) FROM movement_days WHERE NOT judged") == (0,)
    print(f"{sum(pages):.1f} s for {PAYMENTS * 2:,} movements, {peak_bytes / 1e6:.1f} MB at most")


def _plan(store: Store, sql: str, parameters: tuple[object, ...]) -> str:
    if store.postgres:
        store.execute("SET enable_seqscan = off")
        return "\n".join(str(row[0]) for row in store.rows("EXPLAIN " + sql, parameters))
    return "\n".join(str(row[3]) for row in store.rows("EXPLAIN QUERY PLAN " + sql, parameters))


def test_every_query_of_a_page_is_served_by_an_index(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever monitoring and the officers' lists ask, no table is read as a whole."""
    pay(store, [Payment(n, 1, 2, 3_000_00, NOON_S + n) for n in range(1, 4)])
    asked: list[tuple[str, tuple[object, ...]]] = []
    plain = store.rows

    def rows(sql: str, parameters: tuple[object, ...] = ()) -> list[object]:
        asked.append((sql, tuple(parameters)))
        return plain(sql, parameters)

    def row(sql: str, parameters: tuple[object, ...] = ()) -> object:
        found = rows(sql, parameters)
        return found[0] if found else None

    monkeypatch.setattr(store, "rows", rows)
    monkeypatch.setattr(store, "row", row)
    _read_page(store, NOON_S)
    judge_all(store, NOON_S + 30 * 86_400)
    monkeypatch.undo()
    assert len({sql for sql, _ in asked}) > 8
    # Small by nature: a cursor for each part, and what is watched.
    small = ("monitor_cursors", "watched", "freezes")
    for sql, parameters in asked:
        if not sql.startswith("SELECT"):
            continue
        plan = _plan(store, sql, parameters)
        scans = [
            line
            for line in plan.splitlines()
            if ("Seq Scan on" in line or (line.startswith("SCAN ") and "INDEX" not in line and "json_each" not in line))
            and not any(name in line for name in small)
            and "VIRTUAL TABLE" not in line
            and "SUBQUERY" not in line.upper()
            and "SCAN last" not in line
        ]
        assert not scans, f"{sql}\n{plan}"
    assert address(1)
