"""The queries that run for every payment, every block and every round, on PostgreSQL with a history: each by an index.

The server itself says how it ran each statement (`auto_explain`), bulk statements with their parameters among them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Final

import psycopg
import pytest

from sdt.domain.ledger import token_account, transfer_postings
from sdt.domain.transaction import Event, Status
from sdt.store import (
    Store,
    accounts,
    ach,
    ach_files,
    bank_facts,
    banking,
    batches,
    currency,
    debit_stops,
    deliveries,
    events,
    intake,
    lane,
    lease,
    ledger,
    movements,
    outbox,
    proofs,
    registry,
    reserve_moves,
    sanctions,
    sanctions_matches,
    standstill,
    transactions,
    undone,
)
from sdt.store.bank_facts import LineRow
from sdt.store.banking import BankAccountRow
from sdt.store.lease import Fence
from sdt.store.outbox import OutboxRow
from sdt.store.tables import TABLES
from sdt.store.tables.columns import Table
from sdt.store.transactions import Change
from store_rig import FEE_ACCOUNT, NOW_MS, TOKEN, accepted, address, formed, transaction_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

HISTORY: Final = 30_000
OTHERS: Final = 5_000
IN_A_BATCH: Final = 100
LIVE: Final = 400
NEVER_S: Final = 2**40

SMALL: Final = {
    "lane", "leases", "vault_cursors", "monitor_cursors", "watched", "ach_counters", "reserves", "sanctions_lists",
    "freezes", "legal_holds", "handle_grants", "key_holders", "reserve_flows", "attestation_requests", "event_seals",
    "batches",
}  # fmt: skip
"""Tables with a row for each token, part, office or order, which stay small; batches and seals are filled apart."""

WIDE: Final = {"users", "identities", "bank_entries"}
"""What is asked of for a hundred accounts or transactions at once, and has a row for each."""

GIVEN: Final = {"undone": {"kind": "'debt'"}, "reserve_moves": {"done_at_ms": "n"}}
FIXED: Final = {
    "direction": "'in'",
    "flow": "'in'",
    "side": "'deposit'",
    "stage": "'in_file'",
    "status": "'settled'",
    "token": f"'{TOKEN}'",
    "held": "0",
    "debits": "0",
    "units": "1",
    "kind": "'value'",
    "topic": "'instruct'",
    "bars": "'[]'",
    "kyc_reasons": "'[]'",
}
"""What a column holds in rows that are filled by their types alone."""


def value(field: Any) -> str:
    """Return what the n-th row has in a column, as SQL over n."""
    if field.column_name in FIXED:
        return FIXED[field.column_name]
    if field.null:
        return "NULL"
    if field.field_type == "VARCHAR":
        return f"right('{'0' * field.max_length}' || n, {field.max_length})"
    kinds = {"TEXT": "'t'", "BOOL": "true", "BLOB": "decode(lpad(to_hex(n), 64, '0'), 'hex')"}
    return kinds.get(field.field_type, "n")


def fill_by_types(store: Store, table: type[Table], rows: int, **given: str) -> None:
    """Fill a table; what is `given` is SQL over n."""
    fields = [field for field in table._meta.sorted_fields if field.field_type not in ("AUTO", "BIGAUTO")]
    columns = ", ".join(field.column_name for field in fields)
    values = ", ".join(given.get(field.column_name, value(field)) for field in fields)
    name = table._meta.table_name
    store.execute(f"INSERT INTO {name} ({columns}) SELECT {values} FROM generate_series(1, ?) AS n", (rows,))


def fill(store: Store) -> None:
    """A region with a history: most transactions settled long ago, a few hundred alive."""
    by_name = {table._meta.table_name: table for table in TABLES}
    with store.transaction():
        for name, table in by_name.items():
            if name in SMALL or name in ("transactions", "ledger_accounts", "postings", "events", "outbox"):
                continue
            fill_by_types(store, table, HISTORY if name in WIDE else OTHERS, **GIVEN.get(name, {}))
        fill_by_types(
            store, by_name["transactions"], HISTORY,
            type="'transfer'", status="'batched'",
            account=f"'a' || mod(n, {OTHERS})", counterparty=f"'b' || mod(n, {OTHERS})",
            administrative="false", fee_units="0", held_units="1", batch_number=f"1 + n / {IN_A_BATCH}",
            position=f"mod(n, {IN_A_BATCH})", linked_id="CASE WHEN mod(n, 5) = 0 THEN 'l' || n END",
        )  # fmt: skip
        fill_by_types(
            store, by_name["batches"], HISTORY // IN_A_BATCH + 1, number="n", status="'final'", count=str(IN_A_BATCH),
            nonce="n", head="decode('00', 'hex')", skipped_count="0", final_at_ms="n", signed_at_ms="n",
        )  # fmt: skip
        fill_by_types(
            store, by_name["ledger_accounts"], HISTORY, name="'Token:TXD:c' || n", address="'c' || n", credits="9"
        )
        fill_by_types(store, by_name["postings"], HISTORY * 2, debit="'x'", credit="'y'")
        fill_by_types(store, by_name["events"], HISTORY * 2, status="'screened'", event="'screen'")
        fill_by_types(store, by_name["outbox"], HISTORY, key="'k' || n", done_at_ms="n")
        rows = [accepted(n, payer=n % 50, payee=50 + n % 50) for n in range(LIVE)]
        intake.insert_accepted(store, rows)
        intake.mark_queued(store, [row.id for row in rows[:-20]], NOW_MS)
        changes = [Change(row.id, Event.SCREEN) for row in rows[: LIVE // 2]]
        transactions.move(store, changes, actor="screening", at_ms=NOW_MS)
        for n in range(100):
            outbox.put(store, "instruct", f"due/{n}", {"n": n}, NOW_MS)
    for name in by_name:
        store.execute(f"ANALYZE {name}")


class Plans:
    """Every plan that the server used, as it says them."""

    def __init__(self, store: Store) -> None:
        self.scans: list[tuple[str, str]] = []
        self.seen = 0
        for setting in (
            "LOAD 'auto_explain'",
            "SET auto_explain.log_min_duration = 0",
            "SET auto_explain.log_format = 'json'",
            "SET client_min_messages = 'log'",
            # A page by an index costs little more than one in a row on the disks of today, those of RDS too.
            "SET random_page_cost = 1.1",
        ):
            store.execute(setting)
        store.database.connection().add_notice_handler(self._notice)

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        said = diagnostic.message_primary or ""
        _, plan, text = said.partition("plan:\n")
        if not plan:
            return
        told = json.loads(text)
        self.seen += 1
        for node in _nodes(told["Plan"]):
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] not in SMALL:
                self.scans.append((node["Relation Name"], " ".join(told["Query Text"].split())[:300]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


LIVE_IDS: Final = [transaction_id(n) for n in range(LIVE)]
SCREENED, NEW = LIVE_IDS[: LIVE // 2], LIVE_IDS[LIVE // 2 :]
TODAY: Final = date(2027, 1, 15)


def _a_batch(store: Store) -> None:
    """From screened to final, as lane and follower write it."""
    number = HISTORY // IN_A_BATCH + 2
    rows = transactions.claim_screened(store, 50)
    batches.form(store, formed(number, parent=b"\0", count=len(rows)))
    transactions.place_in_batch(store, [row.id for row in rows], number, actor="lane", at_ms=NOW_MS)
    transactions.in_batch(store, number)
    transactions.attached_to(store, number)
    batches.mark_signed(
        store, number, root=b"r", head=b"h", gas=1, chain_tx_hash=b"t", raw_tx=b"raw", signed_at_ms=NOW_MS
    )
    transactions.advance_whole_batch(
        store, number, Event.SUBMIT, from_status=Status.BATCHED, actor="lane", at_ms=NOW_MS
    )
    postings = [
        (row.id, posting)
        for row in rows
        for posting in transfer_postings(TOKEN, "c" + str(1 + row.seq % 50), "c60", 1, 0, FEE_ACCOUNT)
    ]
    ledger.post(store, postings, release=[], at_ms=NOW_MS)
    transactions.left_to_batch(store, number)
    transactions.advance_batch(
        store, [rows[0].id], Event.SETTLE, from_status=Status.SUBMITTED, actor="lane", at_ms=NOW_MS
    )
    batches.mark_final(store, number, block_number=1, block_hash=b"b", skipped_count=0, final_at_ms=NOW_MS)
    lane.set_followed(store, 1, b"b")


def _due(store: Store) -> list[OutboxRow]:
    found = outbox.due(store, ["instruct"], NOW_MS, 50)
    outbox.done(store, [row.id for row in found[:10]], NOW_MS)
    outbox.retry(store, found[11].id, "code", NOW_MS, at_ms=NOW_MS)
    return found


HOT: Final[dict[str, Callable[[Store], object]]] = {
    "intake": lambda s: intake.insert_accepted(s, [accepted(n) for n in range(LIVE, LIVE + 100)]),
    "intake of a key change": lambda s: intake.insert_accepted(
        s, [accepted(LIVE + 200, type=intake.ONE_AT_A_TIME, administrative=True)]
    ),
    "intake again": lambda s: intake.known_of(s, NEW),
    "dispatch": lambda s: intake.mark_queued(s, NEW[:50], NOW_MS),
    "sweep": lambda s: intake.unqueued(s, NEVER_S * 1000, 100),
    "read proof": lambda s: proofs.use(s, "one", NEVER_S, 1),
    "status": lambda s: transactions.get(s, transaction_id(7)),
    "events": lambda s: events.of(s, transaction_id(7)),
    "history": lambda s: transactions.history(s, address(7), limit=50),
    "history of a token": lambda s: transactions.history(s, address(7), token=TOKEN, status=Status.SCREENED),
    "balances": lambda s: ledger.balances(s, "c7"),
    "backlog": transactions.counts_by_status,
    "backlog of accounts": lambda s: intake.waiting_of_accounts(s, 2),
    "oldest": lambda s: transactions.oldest_live_age_ms(s, NOW_MS),
    "standstill": lambda s: standstill.longest_wait_ms(s, NOW_MS),
    "screening reads": lambda s: transactions.get_many(s, NEW, lock=True),
    "screening looks": lambda s: registry.facts(s, [address(n) for n in range(100)]),
    "screening shares": lambda s: registry.share_accounts(s, [address(n) for n in range(100)]),
    "screening holds": lambda s: ledger.hold(s, [(NEW[n], token_account(TOKEN, f"c{n + 1}"), 1) for n in range(50)]),
    "screening moves": lambda s: transactions.move(
        s, [Change(one, Event.SCREEN) for one in NEW[:50]], actor="screening", at_ms=NOW_MS
    ),
    "screening links": lambda s: transactions.linked_to(s, transaction_id(7)),
    "screening by digest": lambda s: transactions.by_digest(s, b"\0" * 32),
    "release": lambda s: ledger.release_holds(s, [(token_account(TOKEN, "c1"), 1)]),
    "fence": lambda s: lease.look(s, "none") or Fence("none", "nobody", 1),
    "lane looks": lambda s: transactions.screened(s, 500),
    "lane's place": lambda s: (
        batches.last_standing(s),
        batches.next_nonce(s),
        batches.unfinished(s),
        batches.formed_after(s, 7),
    ),
    "lane's batch": _a_batch,
    "a batch": lambda s: (batches.get(s, 7), batches.last_final(s)),
    "seal": lambda s: events.seal(s, NOW_MS),
    "expiry": lambda s: [transactions.past_their_time(s, one, 1, 100) for one in (Status.HELD, Status.SCREENED)],
    "waiting": lambda s: [transactions.in_status(s, one, 100) for one in (Status.HELD, Status.AWAITING_FUNDS)],
    "held as": lambda s: transactions.held_as(s, "reserve", 100),
    "mintable": lambda s: transactions.mintable(s, 100),
    "holding": lambda s: transactions.holding(s, address(7), TOKEN),
    "outbox": _due,
    "outbox put": lambda s: outbox.put(s, "instruct", "new", {}, NOW_MS),
    "outbox told": lambda s: (
        outbox.dead_count(s),
        outbox.waiting(s, NOW_MS),
        outbox.is_waiting(s, "instruct", "d"),
    ),
    "users": lambda s: (accounts.user_by_id(s, "u"), accounts.user_by_account(s, "a"), accounts.user_by_handle(s, "h")),
    "applications": lambda s: accounts.open_applications(s, "pending"),
    "keys": lambda s: (registry.key(s, "k"), registry.keys_of(s, address(1)), registry.keys_since(s, OTHERS - 5)),
    "identities": lambda s: (registry.identities_of(s, address(1)), registry.freezes_of(s, address(1))),
    "bank entries": lambda s: (
        banking.entries(s, ["submitted"]),
        banking.entries_of(s, NEW),
        banking.entry(s, "e"),
    ),
    "bank accounts": lambda s: (
        banking.accounts_of(s, "u"),
        banking.bank_account(s, "r"),
        debit_stops.stopped_of_holder(s, BankAccountRow("r", "u", address(1), b"", "", "linked", 1), ["R10"]),
    ),
    "statement": lambda s: (bank_facts.last_line(s, "clearing"), bank_facts.lines_of(s, ["r1", "r2"])),
    "returns stated": lambda s: (
        bank_facts.returns_stated(s, TODAY),
        bank_facts.last_returned(s, address(7), ["R10"]),
        bank_facts.entry_of_return(s, TOKEN, LineRow("c", 1, "ach_return", "out", 1, "s", "r", 1)),
    ),
    "minted since": lambda s: bank_facts.minted_since(s, TOKEN, TODAY),
    "ach gathering": lambda s: (ach.wanted_tokens(s), ach.wanted(s, TOKEN, 500, 1), ach.waiting(s, 500)),
    "ach settling": lambda s: (
        ach.due_to_settle(s, "2027-01-01 08:30", 99),
        ach.due_to_pass(s, "2027-01-01 08:30", 99),
    ),
    "ach debits": lambda s: debit_stops.doubtful(s, NEW, ["R07", "R10"]),
    "ach returns": lambda s: (ach.by_trace(s, "t"), ach.entry(s, "e"), ach.in_file(s, "f", "", 100)),
    "ach stops": lambda s: debit_stops.lock_holders(s, [address(n) for n in range(9)]),
    "ach files": lambda s: (ach_files.under_way(s), ach_files.files(s, "sending", "built"), ach_files.unread(s)),
    "ach limits": lambda s: (ach_files.modifiers(s, "2027-01-15"), ach_files.moved_units(s, "2027-01-15", TOKEN)),
    "deliveries": lambda s: (deliveries.opened(s, 100), deliveries.delivery(s, "t")),
    "reserve moves": lambda s: (reserve_moves.open_moves(s, 100), reserve_moves.of_transaction(s, "t")),
    "undone": lambda s: (undone.of_account(s, address(1), TOKEN), undone.on_hold(s, [address(1), address(2)])),
    "named for screening": lambda s: (
        currency.hands(s, address(7), 50),
        sanctions.payout_waits(s, transaction_id(3)),
        sanctions.unpayable(s, address(7)),
        sanctions.outdate(s, address(7)),
    ),
    "review queue": lambda s: sanctions_matches.queue(s, False, (0, ""), 50),
    "monitoring": lambda s: movements.page(s, HISTORY, HISTORY + 500, 500),
    "monitoring's days": lambda s: movements.unjudged(s, TODAY, 100),
}
"""By what they do. Left out, since they may read a table: sums over all accounts, verification, reports and exports."""


@pytest.fixture(scope="module")
def filled(migrated_postgres: str) -> Iterator[Store]:
    from sdt.store import open_store
    from store_rig import empty

    store = open_store(migrated_postgres)
    empty(store)
    fill(store)
    yield store
    empty(store)
    for table in TABLES:
        store.execute(f"ANALYZE {table._meta.table_name}")
    store.close()


@pytest.fixture(scope="module")
def plans(filled: Store) -> Plans:
    return Plans(filled)


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_reads_no_large_table_whole(filled: Store, plans: Plans, name: str) -> None:
    plans.scans.clear()
    before = plans.seen
    with filled.transaction():
        HOT[name](filled)
    assert plans.seen > before, "the server said no plan"
    assert plans.scans == []


def test_the_server_says_when_a_table_is_read_whole(filled: Store, plans: Plans) -> None:
    plans.scans.clear()
    filled.rows("SELECT count(*) FROM transactions WHERE detail = ?", ("x",))
    assert [table for table, _ in plans.scans] == ["transactions"]
