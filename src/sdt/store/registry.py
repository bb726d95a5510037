"""What the chain's registry says, as far as it is final: keys, identities, freezes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sdt.domain.authority import KeyFacts
from sdt.domain.registry import Role
from sdt.domain.rules import AccountFacts
from sdt.store.database import Store

__all__ = [
    "FreezeRow",
    "IdentityRow",
    "KeyRow",
    "OrderCounts",
    "clear_freeze",
    "facts",
    "freezes_of",
    "identities_of",
    "key",
    "key_facts",
    "keys_of",
    "keys_since",
    "lock_account",
    "order_counts",
    "revoke_key",
    "set_freeze",
    "set_identity",
    "share_accounts",
    "upsert_key",
]


class KeyRow(NamedTuple):
    """A key: whose it is (nobody's for an official's), what it may do and until when."""

    kid: str
    public_key: bytes
    account: str | None
    roles: int
    scope: int
    status: str
    expires_at_s: int
    registered_by: str | None


class IdentityRow(NamedTuple):
    """What is established of the person behind an account, for one domain."""

    account: str
    domain: str
    tier: int
    resident: bool
    expires_at_s: int


class FreezeRow(NamedTuple):
    """An order that stops an account in one token. An order for every token is one row for each."""

    account: str
    token: str
    order_digest: bytes
    expires_at_s: int


_KEY: Final = ", ".join(KeyRow._fields)
_KEY_SETS: Final = ", ".join(f"{name} = excluded.{name}" for name in (*KeyRow._fields[1:], "change"))
_LOCK: Final = 0x5D7_0003
"""PostgreSQL advisory lock: changes of keys become visible in the order of their numbers, so a cache misses none."""


def upsert_key(store: Store, row: KeyRow) -> None:
    """Write what the chain says of a key."""
    with store.transaction():
        change = _next_change(store)
        store.execute(
            f"INSERT INTO keys ({_KEY}, change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
            f"ON CONFLICT (kid) DO UPDATE SET {_KEY_SETS}",
            (*row, change),
        )


def revoke_key(store: Store, kid: str) -> None:
    """Note that a key counts no more."""
    with store.transaction():
        changed = store.execute(
            "UPDATE keys SET status = 'revoked', change = ? WHERE kid = ?", (_next_change(store), kid)
        ).rowcount
        assert changed == 1, f"there is no key {kid}"


def _next_change(store: Store) -> int:
    if store.postgres:
        store.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
    (last,) = store.row("SELECT coalesce(max(change), 0) FROM keys")
    return int(last) + 1


def _keys(store: Store, condition: str, parameters: Sequence[object]) -> list[KeyRow]:
    return [KeyRow(*row) for row in store.rows(f"SELECT {_KEY} FROM keys WHERE {condition}", parameters)]  # noqa: S608


def key(store: Store, kid: str) -> KeyRow | None:
    """Return a key by its thumbprint."""
    return next(iter(_keys(store, "kid = ?", (kid,))), None)


def key_facts(row: KeyRow) -> KeyFacts:
    """Return a key as the domain knows it."""
    return KeyFacts(
        kid=row.kid,
        public_key=bytes(row.public_key),
        account=row.account or "",
        roles=Role(row.roles),
        scope=row.scope,
        active=row.status == "active",
        expires_at_s=row.expires_at_s,
    )


def keys_of(store: Store, account: str) -> list[KeyRow]:
    """Return the keys of an account, revoked ones too."""
    return _keys(store, "account = ? ORDER BY change", (account,))


def keys_since(store: Store, last: int) -> tuple[list[KeyRow], int]:
    """Return the keys that changed after `last`, and the number to ask with next time; begin with 0."""
    found = store.rows(f"SELECT {_KEY}, change FROM keys WHERE change > ? ORDER BY change", (last,))  # noqa: S608
    return [KeyRow(*row[:-1]) for row in found], found[-1][-1] if found else last


def set_identity(store: Store, row: IdentityRow) -> None:
    """Write what was attested; tier 0 takes it back."""
    with store.transaction():
        store.execute(
            "INSERT INTO identities (account, domain, tier, resident, expires_at_s) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (account, domain) DO UPDATE SET tier = excluded.tier, resident = excluded.resident, "
            "expires_at_s = excluded.expires_at_s",
            row,
        )


def identities_of(store: Store, account: str) -> list[IdentityRow]:
    """Return what is established of an account, by domain."""
    found = store.rows(
        "SELECT account, domain, tier, resident, expires_at_s FROM identities WHERE account = ? ORDER BY domain",
        (account,),
    )
    return [IdentityRow(a, domain, tier, bool(resident), expires) for a, domain, tier, resident, expires in found]


def lock_account(store: Store, account: str) -> None:
    """Let nobody else freeze, block, judge or gather what is an account's until the commit: it is locked first of all.

    Source of the order: whoever screens it locks it before its case and its transactions.
    """
    if store.postgres:
        store.execute("SELECT 1 FROM users WHERE account = ? FOR UPDATE", (account,))


def share_accounts(store: Store, accounts: Iterable[str]) -> None:
    """Let nobody freeze or block any of these accounts until the commit; others may read them so as well."""
    if store.postgres:
        listed = store.listed(sorted(set(accounts)))
        store.execute(
            f"SELECT 1 FROM users WHERE {store.among('account')} ORDER BY account FOR SHARE",  # noqa: S608
            (listed,),
        )


def set_freeze(store: Store, row: FreezeRow) -> None:
    """Write an order for one token."""
    assert row.token, "an order for every token is written for each of them"
    with store.transaction():
        lock_account(store, row.account)
        store.execute(
            "INSERT INTO freezes (account, token, order_digest, expires_at_s) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (account, token) DO UPDATE SET order_digest = excluded.order_digest, "
            "expires_at_s = excluded.expires_at_s",
            row,
        )


def clear_freeze(store: Store, account: str, token: str) -> None:
    """Lift an order for one token."""
    with store.transaction():
        store.execute("DELETE FROM freezes WHERE account = ? AND token = ?", (account, token))


def freezes_of(store: Store, account: str) -> list[FreezeRow]:
    """Return the orders against an account, by token."""
    found = store.rows(
        "SELECT account, token, order_digest, expires_at_s FROM freezes WHERE account = ? ORDER BY token",
        (account,),
    )
    return [FreezeRow(*row) for row in found]


class OrderCounts(NamedTuple):
    """How many orders stand against accounts in one token, and how many have ended by themselves."""

    token: str
    in_force: int
    accounts: int
    ended: int


def order_counts(store: Store, now_s: int) -> list[OrderCounts]:
    """Count the orders by token: numbers, for everybody to see."""
    found = store.rows(
        "SELECT token, count(DISTINCT CASE WHEN expires_at_s > ? THEN order_digest END), "
        "sum(CASE WHEN expires_at_s > ? THEN 1 ELSE 0 END), sum(CASE WHEN expires_at_s > ? THEN 0 ELSE 1 END) "
        "FROM freezes GROUP BY token ORDER BY token",
        (now_s, now_s, now_s),
    )
    return [OrderCounts(token, int(orders), int(accounts), int(ended)) for token, orders, accounts, ended in found]


def facts(store: Store, addresses: Sequence[str]) -> dict[str, AccountFacts]:
    """Return what the rules ask about, for each address that is registered; the others are left out."""
    if not addresses:
        return {}
    chosen = (store.listed(addresses),)
    tiers: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    resident: defaultdict[str, dict[str, bool]] = defaultdict(dict)
    frozen: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for account, domain, tier, lives_there, expires in store.rows(
        f"SELECT account, domain, tier, resident, expires_at_s FROM identities WHERE {store.among('account')}",  # noqa: S608
        chosen,
    ):
        tiers[account][domain] = (tier, expires)
        resident[account][domain] = bool(lives_there)
    for account, token, expires in store.rows(
        f"SELECT account, token, expires_at_s FROM freezes WHERE {store.among('account')}",  # noqa: S608
        chosen,
    ):
        frozen[account][token] = expires
    registered = store.rows(
        f"SELECT account, standing FROM users WHERE registered AND {store.among('account')}",  # noqa: S608
        chosen,
    )
    return {
        account: AccountFacts(True, tiers[account], resident[account], frozen[account], standing)
        for account, standing in registered
    }
