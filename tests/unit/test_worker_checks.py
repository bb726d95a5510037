"""What the worker's findings mean, one broken thing at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sdt.adapters.chain.client import ChainHealth, NodeHealth
from sdt.adapters.vendor.breaker import BreakerState
from sdt.adapters.vendor.mapped import VendorHealth
from sdt.domain.transaction import Status
from sdt.observing.figures import Figures
from sdt.observing.health import State, overall
from sdt.ports.queue import QueueDepth
from sdt.signing.alarms import Alarm
from sdt.signing.refusal_codes import REFUSAL_CODES
from sdt.store.outbox import Waiting
from sdt.worker.checks import checks_of
from sdt.worker.health import readiness_of
from sdt.worker.looks import Books, Looked, Reserve
from sdt.worker.samples import samples_of

DAY_S = 86_400
BOOKS = Books(
    transactions={Status.ACCEPTED: 3},
    instructions_dead=0,
    outbox=Waiting(0, 0.0),
    erasures_waiting=0,
    screened={"list_date": "2026-01-05", "list_entries": 7, "people": 3, "people_left": 0},
    list_age_s=DAY_S,
    money={"TXD": {"cover_short": 0}},
    reserves=(Reserve("TXD", 100, 100, DAY_S, 5 * DAY_S),),
    oldest_live_s=0.4,
)
WELL = Looked(
    books=BOOKS,
    queue=QueueDepth(1, 0, 0, 0.1),
    chain=ChainHealth("ok", 9, 1, (NodeHealth(9, 3, ""), NodeHealth(9, 3, ""))),
    head_block=9,
    head_seen_s=0.5,
    batch_waiting_s=0.0,
    flights=1,
    gas_in_flight=1_000,
    flights_max=24,
    backlog_max=20_000,
    answering=(1, 2, 3),
    usable=(1, 2, 3),
    caught={},
    alarms=(),
    refused={},
    certificates_ending=(),
    stock={"12": 500, "13": 500, "23": 500},
    usable_stock={"12": 500, "13": 500, "23": 500},
    vendors=(VendorHealth("kyc", "acme", BreakerState.CLOSED, {"ok": 1}),),
    lane={"role": "settling", "epoch": 2, "left_s": 12.0},
    lease_left_s=12.0,
    monitoring={
        "postings_behind": 0, "prices_missing": [], "cases_open": {}, "cases_overdue": {}, "reports_to_renew": 0,
    },
    ach={"files": {}, "returns_missing": [], "return_rates_ppm": {}},
)  # fmt: skip

CHAIN, OK, DEGRADED, FAILED = WELL.chain, State.OK, State.DEGRADED, State.FAILED


def books(**changed: Any) -> Looked:
    return replace(WELL, books=replace(BOOKS, **changed))


def looked(**changed: Any) -> Looked:
    return replace(WELL, **changed)


def reserve(**changed: Any) -> Looked:
    return books(reserves=(replace(BOOKS.reserves[0], **changed),))


BROKEN: list[tuple[str, State, Looked]] = [
    ("database", FAILED, looked(books=None)),
    ("queue", FAILED, looked(queue=None)),
    ("queue", DEGRADED, looked(queue=QueueDepth(1, 0, 0, 31))),
    ("queue", FAILED, looked(queue=QueueDepth(1, 0, 0, 301))),
    ("queue", DEGRADED, looked(queue=QueueDepth(1, 0, 1, 0.1))),
    ("lease", FAILED, looked(lease_left_s=0.0)),
    ("chain", FAILED, looked(head_seen_s=16.0)),
    ("chain", FAILED, looked(chain=replace(CHAIN, state="stalled", head_age_s=90))),
    ("chain", FAILED, looked(chain=ChainHealth("unreachable", None, None, ()))),
    ("chain", DEGRADED, looked(chain=replace(CHAIN, state="slow", head_age_s=20))),
    ("chain", DEGRADED, looked(chain=replace(CHAIN, nodes=(NodeHealth(9, 3, ""), NodeHealth(None, 3, "away"))))),
    ("batch", DEGRADED, looked(batch_waiting_s=21.0)),
    ("batch", FAILED, looked(batch_waiting_s=61.0)),
    ("signers", DEGRADED, looked(answering=(1, 2), usable=(1, 2), usable_stock={"12": 500})),
    ("signers", DEGRADED, looked(usable=(1, 2), usable_stock={"12": 500})),
    ("signers", DEGRADED, looked(caught={2: "gave a bad part"})),
    ("signers", DEGRADED, looked(alarms=(Alarm("location_clock", "Location 2 is +12 s off our clock.", 2),))),
    ("stock", FAILED, looked(usable_stock={"12": 0, "13": 0, "23": 0})),
    ("stock", DEGRADED, looked(usable_stock={"12": 9, "13": 0, "23": 0})),
    ("stock", DEGRADED, looked(usable_stock={"12": 500, "13": 19, "23": 500})),
    ("certificates", DEGRADED, looked(certificates_ending=("location 2",))),
    ("vendors", DEGRADED, looked(vendors=(VendorHealth("kyc", "acme", BreakerState.OPEN, {}),))),
    ("ach", DEGRADED, looked(ach={**WELL.ach, "returns_missing": ["2026-01-05"]})),
    ("monitoring", DEGRADED, looked(monitoring={**WELL.monitoring, "postings_behind": 50_001})),
    ("backlog", DEGRADED, books(transactions={Status.SUBMITTED: 10_001})),
    ("backlog", DEGRADED, books(oldest_live_s=61.0)),
    ("backlog", FAILED, books(oldest_live_s=601.0)),
    ("outbox", DEGRADED, books(instructions_dead=1)),
    ("outbox", DEGRADED, books(outbox=Waiting(1, 901.0))),
    ("erasures", DEGRADED, books(erasures_waiting=1)),
    ("sanctions", FAILED, books(list_age_s=None)),
    ("sanctions", DEGRADED, books(list_age_s=10 * DAY_S + 9_000)),
    ("reserves", DEGRADED, reserve(supply=101)),
    ("reserves", DEGRADED, reserve(left_s=2 * DAY_S - 1)),
    ("cover", DEGRADED, books(money={"TXD": {"cover_short": 1}})),
]


def test_all_is_well() -> None:
    assert [each for each in checks_of(WELL) if each.state is not OK] == []
    found = readiness_of(WELL)
    assert (found["ok"], found["state"], found["problems"]) == (True, "ok", [])


@pytest.mark.parametrize(("name", "state", "found"), BROKEN, ids=[f"{n}-{s}-{i}" for i, (n, s, _) in enumerate(BROKEN)])
def test_one_broken_thing_is_told_as_what_it_is(name: str, state: State, found: Looked) -> None:
    wrong = {each.name: each.state for each in checks_of(found) if each.state is not OK}
    assert wrong == {name: state}
    told = readiness_of(found)
    assert (told["ok"], told["state"]) == (state is not FAILED, state.value)
    assert told["problems"][0].startswith(f"{name}: ")
    page = Figures().page(samples_of(found, checks_of(found))).decode()
    assert f'sdt_health_state{{check="{name}"}} {1 if state is DEGRADED else 2}' in page


def seen(found: Looked) -> tuple[dict[str, State], str]:
    """Return what is not ok, and the page of figures."""
    checks = checks_of(found)
    return {each.name: each.state for each in checks if each.state is not OK}, Figures().page(
        samples_of(found, checks)
    ).decode()


def test_the_only_pair_that_can_sign_has_nothing_left() -> None:
    # given location 3 away, so that nothing is made, and stock that only it could use
    found = looked(
        answering=(1, 2),
        usable=(1, 2),
        stock={"12": 0, "13": 900, "23": 900},
        usable_stock={"12": 0},
        alarms=(Alarm("location_away", "Location 3 does not answer.", 3),),
    )
    wrong, page = seen(found)
    assert wrong == {"signers": DEGRADED, "stock": FAILED}
    assert not readiness_of(found)["ok"]
    assert [line for line in page.splitlines() if line.startswith("sdt_presignatures{")] == [
        'sdt_presignatures{pair="12"} 0'
    ]


@pytest.mark.parametrize("answering", [(1,), (1, 2, 3)], ids=["two away", "two held"])
def test_fewer_than_two_can_sign_whoever_answers(answering: tuple[int, ...]) -> None:
    held = tuple(Alarm("stock_held", f"Location {n} signs nothing: its counter is away", n) for n in (2, 3))
    found = looked(answering=answering, usable=(1,), usable_stock={}, alarms=held)
    wrong, page = seen(found)
    assert wrong == {"signers": FAILED, "stock": FAILED}
    assert "sdt_signers_usable 1\n" in page and "sdt_presignatures{" not in page
    assert "its counter is away" in readiness_of(found)["problems"][0]


def test_every_code_of_refusal_has_a_figure_before_it_comes() -> None:
    _, page = seen(looked(refused={"identity": 500}))
    counted = dict(
        line.removeprefix("sdt_signer_refusals_total").rsplit(" ", 1)
        for line in page.splitlines()
        if line.startswith("sdt_signer_refusals_total{")
    )
    expected = {f'{{code="{code}"}}': "500" if code == "identity" else "0" for code in REFUSAL_CODES}
    assert counted == expected


def test_every_check_was_broken() -> None:
    assert {name for name, _, _ in BROKEN} == {each.name for each in checks_of(WELL)}


@pytest.mark.parametrize("one", ["ok", "degraded", "failed"])
def test_the_worst_counts(one: str) -> None:
    assert overall([]) is OK
    states: list[Callable[[], Looked]] = [
        lambda: WELL,
        lambda: looked(batch_waiting_s=21.0),
        lambda: looked(books=None),
    ]
    index = ["ok", "degraded", "failed"].index(one)
    assert overall([each for make in states[: index + 1] for each in checks_of(make())]) is State(one)
