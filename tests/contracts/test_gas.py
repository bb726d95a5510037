"""What things cost in gas: a snapshot to review, and the limits that batches ask for.

Run with SDT_UPDATE_GAS=1 to write tests/contracts/gas.json anew after a change of the contracts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from region_on_chain import (
    ALICE,
    BOB,
    CAROL,
    DAILY_ALLOWANCE,
    DOLLAR,
    GOLD,
    MINTER,
    SILVER,
    TOKENS,
    Outcome,
    RegionOnChain,
)
from two_regions import TwoRegions

from sdt.domain.batch import (
    EVERY_TOKEN,
    ITEMS_MAX,
    AdminItem,
    ValueItem,
    ValueKind,
    admin_gas_limit,
    exchange_gas_limit,
    value_gas_limit,
)
from sdt.domain.registry import NEVER_S, NOBODY, Domain, KeyWord, Role

pytestmark = pytest.mark.slow

SNAPSHOT = Path(__file__).parent / "gas.json"
TRANSFER_GAS_MAX = 15_000
EXCHANGE_GAS = 250_000
BATCH = 200
ACCOUNTS = ["0x" + sha256(b"%d" % n).hexdigest()[:40] for n in range(2 * BATCH)]
FULL = b"\xff" * 32
FULL_ACCOUNT = "0x" + "ff" * 20


def transfers(fee: int = 0, tokens: tuple[int, ...] = (DOLLAR,)) -> list[ValueItem]:
    """Each between two accounts of its own, so that every slot is touched for the first time."""
    return [
        ValueItem(ValueKind.TRANSFER, ACCOUNTS[2 * n], ACCOUNTS[2 * n + 1], 100 + n, fee, tokens[n % len(tokens)])
        for n in range(BATCH)
    ]


@pytest.fixture(scope="module")
def held(opened: RegionOnChain) -> RegionOnChain:
    """A region where 400 accounts hold some of every token."""
    region = opened.copy()
    region.administer(
        *(AdminItem.register(a, sha256(a.encode()).digest(), KeyWord(a, Role.CLIENT), a) for a in ACCOUNTS)
    )
    for domain in Domain:
        region.administer(*(AdminItem.identity(a, domain, 1, True, NEVER_S, FULL) for a in ACCOUNTS))
    region.administer(*(AdminItem.attest(t, 2**60, region.now_s, NEVER_S, 0) for t in range(len(TOKENS))))
    for token in range(len(TOKENS)):
        outcome = region.settle(*(ValueItem(ValueKind.MINT, MINTER, a, 1_000, 0, token) for a in ACCOUNTS))
        assert not outcome.skipped
    region.settle(ValueItem(ValueKind.TRANSFER, ACCOUNTS[0], ACCOUNTS[1], 1, 1, DOLLAR))
    return region


def measured(held: RegionOnChain) -> dict[str, int]:
    def value(*items: ValueItem) -> int:
        outcome = held.copy().settle(*items)
        assert not outcome.skipped
        return outcome.gas // len(items)

    def admin(*items: AdminItem) -> int:
        outcome = held.copy().administer(*items)
        assert not outcome.skipped
        return outcome.gas // len(items)

    people = [f"0x{n:040x}" for n in range(1, BATCH + 1)]
    client = [KeyWord(account, Role.CLIENT) for account in people]
    return {
        "transfer, 200 in a batch": value(*transfers()),
        "transfer with a fee, 200 in a batch": value(*transfers(fee=1)),
        "transfer, 200 in a batch, three tokens by turns": value(*transfers(tokens=(DOLLAR, GOLD, SILVER))),
        "transfer, alone in a batch": value(*transfers()[:1]),
        "mint, 200 in a batch": value(*(ValueItem(ValueKind.MINT, MINTER, a, 10, 0, DOLLAR) for a in ACCOUNTS[:BATCH])),
        "mint within a minter's limit, 200 in a batch": limited(held),
        "burn, 200 in a batch": value(*(ValueItem(ValueKind.BURN, a, NOBODY, 10, 0, DOLLAR) for a in ACCOUNTS[:BATCH])),
        "register, 200 in a batch": admin(
            *(AdminItem.register(k.account, sha256(b"%d" % n).digest(), k, f"u{n}") for n, k in enumerate(client))
        ),
        "identity over two tokens, 200 in a batch": admin(
            *(AdminItem.identity(a, Domain.CASH, 2, True, NEVER_S - 1, FULL) for a in ACCOUNTS[:BATCH])
        ),
        "freeze of one token, alone": admin(AdminItem.freeze(ALICE, DOLLAR, FULL, NEVER_S)),
        "attestation, alone": admin(AdminItem.attest(DOLLAR, 2**60, held.now_s, NEVER_S, 0)),
        "fund, alone": admin(AdminItem.fund(DOLLAR, 1, 1, FULL)),
        "seizure, alone": seized(held),
        "mint allowance, alone": admin(AdminItem.mint_allowance(FULL_ACCOUNT, DOLLAR, 2**95, 2**31)),
    } | exchanged()


def limited(held: RegionOnChain) -> int:
    region = held.copy()
    region.administer(AdminItem.mint_allowance(MINTER, DOLLAR, 2**95, 3_600))
    outcome = region.settle(*(ValueItem(ValueKind.MINT, MINTER, a, 10, 0, DOLLAR) for a in ACCOUNTS[:BATCH]))
    assert not outcome.skipped
    return outcome.gas // BATCH


def seized(held: RegionOnChain) -> int:
    region = held.copy()
    region.administer(AdminItem.freeze(ALICE, DOLLAR, FULL, NEVER_S))
    outcome = region.administer(AdminItem.seize(ALICE, DOLLAR, FULL, BOB, 50_000))
    assert not outcome.skipped
    return outcome.gas


def exchanged() -> dict[str, int]:
    """Gates set for the first time; exchanges between existing holders, the first one's gates never counted before."""
    both = TwoRegions.deployed()
    found = {"gate, alone": both.texas.administer(both.takes()).gas}
    both.open()
    for name, count in (("exchange, alone in a batch", 1), ("exchange, 200 of one holder in a batch", BATCH)):
        items = [both.item(2, 3)] * count
        outcome = both.texas.exchange(*items, gas=exchange_gas_limit(items))
        assert not outcome.skipped
        found[name] = outcome.gas // count
    return found


def test_gas_is_what_was_reviewed(held: RegionOnChain) -> None:
    now = measured(held)
    if os.environ.get("SDT_UPDATE_GAS"):
        SNAPSHOT.write_text(json.dumps(now, indent=1) + "\n")

    assert now == json.loads(SNAPSHOT.read_text())
    assert now["transfer, 200 in a batch"] <= TRANSFER_GAS_MAX


def skipped(reason_item: ValueItem) -> Callable[[RegionOnChain], list[ValueItem]]:
    return lambda region: [reason_item] * ITEMS_MAX


@pytest.mark.parametrize(
    "make",
    [
        lambda region: transfers(),
        lambda region: transfers(fee=2),
        lambda region: transfers(tokens=(DOLLAR, GOLD, SILVER)),
        lambda region: transfers()[:1],
        lambda region: transfers(fee=2)[:1],
        lambda region: [ValueItem(ValueKind.MINT, MINTER, a, 10, 0, DOLLAR) for a in ACCOUNTS],
        lambda region: [ValueItem(ValueKind.BURN, a, NOBODY, 10, 2, GOLD) for a in ACCOUNTS],
        skipped(ValueItem(ValueKind.TRANSFER, ALICE, BOB, 2**95, 2**63, DOLLAR)),
        skipped(ValueItem(ValueKind.TRANSFER, ALICE, BOB, 1, 0, 99)),
        skipped(ValueItem(ValueKind.MINT, MINTER, ALICE, 5 * DAILY_ALLOWANCE, 0, DOLLAR)),
    ],
    ids=[
        "plain",
        "fees",
        "three-tokens",
        "one",
        "one-fee",
        "mints",
        "burns",
        "no-funds",
        "no-token",
        "over-allowance",
    ],
)
def test_a_value_batch_asks_for_enough(held: RegionOnChain, make: Callable[[RegionOnChain], list[ValueItem]]) -> None:
    items = make(held)

    outcome = held.copy().settle(*items)

    assert outcome.gas <= value_gas_limit(items)


def test_the_first_value_of_a_region_asks_for_enough(fresh: RegionOnChain) -> None:
    """Every counter and every balance is written for the first time."""
    fresh.administer(
        AdminItem.register(ALICE, FULL, KeyWord(ALICE, Role.CLIENT), "alice"),
        *(AdminItem.identity(ALICE, domain, 1, True, NEVER_S, FULL) for domain in Domain),
        *(AdminItem.fund(t, 9, 1, FULL) for t in range(len(TOKENS))),
        *(AdminItem.attest(t, 2**60, fresh.now_s, NEVER_S, 0) for t in range(len(TOKENS))),
    )
    for items in (
        [ValueItem(ValueKind.MINT, MINTER, ALICE, 100, 0, DOLLAR)],
        [ValueItem(ValueKind.MINT, MINTER, ALICE, 100, 0, t) for t in (GOLD, SILVER)],
        [ValueItem(ValueKind.BURN, ALICE, NOBODY, 1, 1, t) for t in (DOLLAR, GOLD, SILVER)],
    ):
        outcome = fresh.settle(*items)
        assert not outcome.skipped
        assert outcome.gas <= value_gas_limit(items)


def test_a_full_batch_does_not_ask_for_much_more(held: RegionOnChain) -> None:
    for items in (transfers(), transfers(fee=1)):
        assert value_gas_limit(items) <= 1.2 * held.copy().settle(*items).gas


def enough(region: RegionOnChain, items: list[AdminItem]) -> Outcome:
    outcome = region.administer(*items)
    assert outcome.gas <= admin_gas_limit(items, len(TOKENS)), items[0].kind
    return outcome


def test_an_admin_batch_asks_for_enough(fresh: RegionOnChain) -> None:
    """Each kind on a region just deployed, where every slot is written for the first time."""
    now = fresh.now_s
    officers = [KeyWord(NOBODY, Role.ISSUER, 255, expires_s=NEVER_S)] * BATCH
    batches = [
        [AdminItem.pause(DOLLAR, True)],
        [AdminItem.pause(EVERY_TOKEN, True)],
        [AdminItem.register(ALICE, FULL, KeyWord(ALICE, Role.CLIENT), "alice")],
        [AdminItem.register(a, sha256(a.encode()).digest(), KeyWord(a, Role.CLIENT), a) for a in ACCOUNTS],
        [AdminItem.set_key(sha256(b"%d" % n).digest(), k) for n, k in enumerate(officers)],
        [AdminItem.identity(ALICE, Domain.CASH, 9, True, NEVER_S, FULL)],
        [AdminItem.identity(a, Domain.CASH, 9, True, NEVER_S, FULL) for a in ACCOUNTS],
        [AdminItem.freeze(CAROL, EVERY_TOKEN, FULL, NEVER_S)],
        [AdminItem.freeze(a, EVERY_TOKEN, FULL, NEVER_S) for a in ACCOUNTS[:BATCH]],
        [AdminItem.freeze(a, SILVER, FULL, NEVER_S) for a in ACCOUNTS[BATCH:]],
        [AdminItem.unfreeze(a, EVERY_TOKEN, b"\xfe" * 32) for a in ACCOUNTS[:BATCH]],
        [AdminItem.identity(a, Domain.DOLLAR, 9, True, NEVER_S, FULL) for a in (ALICE, *ACCOUNTS)],
        [AdminItem.mint_allowance(a, DOLLAR, 2**95, 2**31) for a in ACCOUNTS],
        [AdminItem.set_rules(FULL, now)],
        [AdminItem.set_rules(b"\xfe" * 32, now)],
        [AdminItem.fund(DOLLAR, 2**95, n, FULL) for n in range(1, BATCH + 1)],
        [AdminItem.release(GOLD, 2**95, n, FULL) for n in range(1, BATCH + 1)],
        [AdminItem.attest(DOLLAR, 2**95, now, NEVER_S, BATCH)],
        [AdminItem.attest(t, 2**95, now, NEVER_S, 0) for t in (GOLD, SILVER)],
    ]
    for items in batches:
        assert not enough(fresh, items).skipped


def test_a_seizure_asks_for_enough(held: RegionOnChain) -> None:
    region = held.copy()
    for items in (
        [AdminItem.freeze(a, DOLLAR, FULL, NEVER_S) for a in ACCOUNTS[:BATCH]],
        [AdminItem.seize(a, DOLLAR, FULL, b, 900) for a, b in zip(ACCOUNTS, ACCOUNTS[BATCH:], strict=False)],
        [AdminItem.seize(ACCOUNTS[0], DOLLAR, FULL, CAROL, 1)],
        [AdminItem.seize(ACCOUNTS[0], DOLLAR, FULL, BOB, 1)],
    ):
        enough(region, items)


def test_gates_and_exchanges_ask_for_enough() -> None:
    both = TwoRegions.deployed()
    assert not enough(both.texas, [both.takes()]).skipped
    assert not enough(both.oklahoma, [both.pays(daily_cap=2**95)]).skipped
    for item in (both.item(2, 3), both.item(2, 3, payee=FULL_ACCOUNT), both.item(2, 4), both.item(0, 0)):
        for count in (1, BATCH):
            items = [item] * count
            assert both.texas.exchange(*items, gas=exchange_gas_limit(items)).gas <= exchange_gas_limit(items)


def test_an_exchange_stays_within_what_settlement_grants_it() -> None:
    both = TwoRegions.deployed().open()
    gold = both.oklahoma
    gold.administer(
        AdminItem.register(FULL_ACCOUNT, FULL, KeyWord(FULL_ACCOUNT, Role.CLIENT), "first"),
        AdminItem.identity(FULL_ACCOUNT, Domain.CASH, 1, True, NEVER_S, FULL),
    )
    outcome = both.texas.exchange(both.item(2, 3, payee=FULL_ACCOUNT))
    assert not outcome.skipped
    assert outcome.gas - 60_000 < EXCHANGE_GAS * 4 // 5
