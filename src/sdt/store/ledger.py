"""The books: balances by account, holds, and postings that balance by construction.

final = credits - debits of a user's account, as the chain has it; available = final - held. No user's account can be
overdrawn: the table itself refuses it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sdt.domain.ledger import Posting, token_of
from sdt.domain.transaction import HOLDING
from sdt.store.bulk import insert_new, insert_rows, update_rows
from sdt.store.database import Store
from sdt.store.standing import NOT_ENDED
from sdt.store.tables.core import LedgerAccount
from sdt.store.tables.core import Posting as PostingTable

__all__ = [
    "AccountBalance",
    "Balance",
    "account_balance",
    "balances",
    "discrepancies",
    "hold",
    "is_uneven",
    "open_accounts",
    "owed",
    "post",
    "release_holds",
    "supply",
    "token_balances",
]

_OF_TRANSACTIONS: Final = ("Pending", "Payout", "Delivery", "Suspense", "Unclaimed", "Blocked", "Receivable")
"""The kinds of ledger accounts that each are one deposit's or redemption's."""


class Balance(NamedTuple):
    """What a user has of one token. Units: the token's smallest unit; available = posted - held."""

    token: str
    posted: int
    held: int
    available: int


class AccountBalance(NamedTuple):
    """Both sides of one ledger account. Units: the token's smallest unit."""

    debits: int
    credits: int
    held: int


def hold(store: Store, wants: Sequence[tuple[str, str, int]], asking: Collection[str] = ()) -> list[bool]:
    """Hold funds for transactions, in order, as far as each account reaches; return who got its hold.

    Those in `asking` are told whether they would get it, and hold nothing.
    Shape: (transaction_id, ledger account, units). The caller notes what is granted in the transaction, by
    `Change.held_units`, in the same commit.
    """
    if not wants:
        return []
    assert all(units > 0 for _, _, units in wants), "a hold is more than nothing"
    with store.transaction():
        left = _available(store, {name for _, name, _ in wants})
        held: defaultdict[str, int] = defaultdict(int)
        granted = []
        for transaction_id, name, units in wants:
            enough = left.get(name, 0) - held[name] >= units
            granted.append(enough)
            if enough and transaction_id not in asking:
                held[name] += units
        _change(store, {name: (0, 0, units) for name, units in held.items() if units})
    return granted


def release_holds(store: Store, holds: Iterable[tuple[str, int]]) -> None:
    """Give held funds back. Shape: (ledger account, units)."""
    changes = _released(holds)
    if changes:
        with store.transaction():
            _available(store, changes)
            _change(store, changes)


def post(
    store: Store,
    postings: Sequence[tuple[str, Posting]],
    *,
    release: Iterable[tuple[str, int]],
    at_ms: int,
) -> None:
    """Write postings and release the holds they were made from, each account changed once.

    Shape: (transaction_id, posting), (ledger account, units). Opens the accounts that are new.
    """
    changes, tokens = _released(release), {}
    for _, posting in postings:
        for name, debit, credit in ((posting.debit, posting.units, 0), (posting.credit, 0, posting.units)):
            debits, credits, held = changes.get(name, (0, 0, 0))
            changes[name] = (debits + debit, credits + credit, held)
            tokens[name] = posting.token
    if not changes:
        return
    with store.transaction():
        known = _available(store, changes)
        _open(store, {name: token for name, token in tokens.items() if name not in known})
        insert_rows(
            store,
            PostingTable,
            ("transaction_id", "debit", "credit", "token", "units", "at_ms"),
            [(id, p.debit, p.credit, p.token, p.units, at_ms) for id, p in postings],
        )
        _change(store, changes)


def _released(holds: Iterable[tuple[str, int]]) -> dict[str, tuple[int, int, int]]:
    back: dict[str, tuple[int, int, int]] = {}
    for name, units in holds:
        assert units >= 0, "a release gives back"
        back[name] = (0, 0, back.get(name, (0, 0, 0))[2] - units)
    return back


def _available(store: Store, names: Iterable[str]) -> dict[str, int]:
    """Return what is available of the accounts that exist, which nobody else changes until this ends.

    They are locked in the order of their names, so that two who lock the same ones never wait for each other.
    """
    tail = " ORDER BY name FOR UPDATE" if store.postgres else ""
    found = store.rows(
        f"SELECT name, credits - debits - held FROM ledger_accounts WHERE {store.among('name')}{tail}",  # noqa: S608
        (store.listed(names),),
    )
    return dict(found)


def _open(store: Store, tokens: Mapping[str, str]) -> None:
    insert_new(
        store,
        LedgerAccount,
        ("name", "token", "address", "debits", "credits", "held"),
        [(name, tokens[name], _address(name), 0, 0, 0) for name in sorted(tokens)],
        key="name",
    )


def _address(name: str) -> str | None:
    return token_of(name)[1] if name.startswith("Token:") else None


def _change(store: Store, changes: Mapping[str, tuple[int, int, int]]) -> None:
    update_rows(
        store,
        LedgerAccount,
        [(*changes[name], name) for name in sorted(changes)],
        key="name",
        add=("debits", "credits", "held"),
    )


def balances(store: Store, account: str) -> list[Balance]:
    """Return what an address has of each token it ever had."""
    found = store.rows(
        "SELECT token, credits - debits, held FROM ledger_accounts WHERE address = ? ORDER BY token", (account,)
    )
    return [Balance(token, posted, held, posted - held) for token, posted, held in found]


def account_balance(store: Store, name: str) -> AccountBalance:
    """Return both sides of a ledger account; zeros for one that was never used."""
    found = store.row("SELECT debits, credits, held FROM ledger_accounts WHERE name = ?", (name,))
    return AccountBalance(*found) if found else AccountBalance(0, 0, 0)


def owed(store: Store, names: Sequence[str]) -> dict[str, int]:
    """Return credits less debits of those of the accounts that were used, by name."""
    found = store.rows(
        f"SELECT name, credits - debits FROM ledger_accounts WHERE {store.among('name')}",  # noqa: S608
        (store.listed(names),),
    )
    return {name: int(net) for name, net in found}


def is_uneven(store: Store, account: str) -> bool:
    """Return whether anything of an account's deposits and redemptions is still owed, kept apart or blocked."""
    kinds = ", ".join(f"('{kind}')" for kind in _OF_TRANSACTIONS)
    found = store.row(
        f"WITH kinds (kind) AS (VALUES {kinds}) SELECT 1 FROM transactions t CROSS JOIN kinds k "  # noqa: S608
        "JOIN ledger_accounts a ON a.name = k.kind || ':' || t.token || ':' || t.id "
        "WHERE t.account = ? AND t.type IN ('deposit', 'redeem') AND a.debits <> a.credits LIMIT 1",
        (account,),
    )
    return found is not None


def open_accounts(store: Store, prefix: str) -> list[tuple[str, int]]:
    """Return the accounts whose names begin so and that are not even, with debits less credits, by name."""
    found = store.rows(
        "SELECT name, debits - credits FROM ledger_accounts WHERE name LIKE ? AND debits <> credits ORDER BY name",
        (f"{prefix}%",),
    )
    return [(name, int(net)) for name, net in found]


def token_balances(store: Store, token: str) -> dict[str, Balance]:
    """Return what every address has of a token, as the audit compares it with the chain."""
    found = store.rows(
        "SELECT address, credits - debits, held FROM ledger_accounts WHERE token = ? AND address IS NOT NULL", (token,)
    )
    return {address: Balance(token, posted, held, posted - held) for address, posted, held in found}


def supply(store: Store, token: str) -> int:
    """Return how much of a token all users have together."""
    (total,) = store.row(
        "SELECT coalesce(sum(credits - debits), 0) FROM ledger_accounts WHERE token = ? AND address IS NOT NULL",
        (token,),
    )
    return int(total)


_HELD: Final = ", ".join(f"'{status}'" for status in sorted(HOLDING))


def discrepancies(store: Store) -> list[str]:
    """Add up every account anew and return a sentence for each that differs: none in a sound database.

    Debits and credits from the postings, holds from the transactions that hold.
    """
    sound: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for side, name, units in store.rows(
        "SELECT 0, debit, sum(units) FROM postings GROUP BY debit "
        "UNION ALL SELECT 1, credit, sum(units) FROM postings GROUP BY credit"
    ):
        sound[name][side] = int(units)
    for token, address, units in store.rows(
        f"SELECT token, account, sum(held_units) FROM transactions WHERE status IN ({_HELD}) AND {NOT_ENDED} "  # noqa: S608
        "AND held_units > 0 GROUP BY token, account"
    ):
        sound[f"Token:{token}:{address}"][2] = int(units)
    written = {
        name: [debits, credits, held]
        for name, debits, credits, held in store.rows("SELECT name, debits, credits, held FROM ledger_accounts")
    }
    return [
        f"{name}: debits, credits, held are {written.get(name)} and should be {sound.get(name, [0, 0, 0])}"
        for name in sorted(written.keys() | sound.keys())
        if written.get(name, [0, 0, 0]) != sound.get(name, [0, 0, 0])
    ]
