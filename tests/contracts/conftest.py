"""Regions for the contract tests: deployed once, copied for each test."""

from __future__ import annotations

import pytest
from region_on_chain import ALICE, BOB, CAROL, DAN, DOLLAR, GOLD, MINTER, SILVER, RegionOnChain

from sdt.domain.batch import AdminItem, ValueItem, ValueKind
from sdt.domain.registry import NEVER_S, Domain, KeyWord, Role


@pytest.fixture(scope="session")
def deployed() -> RegionOnChain:
    return RegionOnChain.deployed()


@pytest.fixture(scope="session")
def opened(deployed: RegionOnChain) -> RegionOnChain:
    region = deployed.copy()
    people = (ALICE, BOB, CAROL, DAN)
    outcome = region.administer(
        *(AdminItem.register(a, bytes([n] * 32), KeyWord(a, Role.CLIENT), f"user{n}") for n, a in enumerate(people, 1)),
        *(AdminItem.identity(a, Domain.DOLLAR, 1, False, NEVER_S, bytes(32)) for a in (ALICE, BOB)),
        *(AdminItem.identity(a, Domain.CASH, 1, True, NEVER_S, bytes(32)) for a in (CAROL, DAN)),
        *(
            AdminItem.attest(token, 100_000, region.now_s, region.now_s + 30 * 86_400, 0)
            for token in (DOLLAR, GOLD, SILVER)
        ),
    )
    assert not outcome.skipped
    issued = region.settle(
        ValueItem(ValueKind.MINT, MINTER, ALICE, 50_000, 0, DOLLAR),
        ValueItem(ValueKind.MINT, MINTER, CAROL, 20_000, 0, GOLD),
    )
    assert not issued.skipped
    return region


@pytest.fixture
def fresh(deployed: RegionOnChain) -> RegionOnChain:
    """A region just deployed, with nobody in it."""
    return deployed.copy()


@pytest.fixture
def region(opened: RegionOnChain) -> RegionOnChain:
    """Alice ($500.00) and Bob in the dollar domain, Carol (20,000 ng of gold) and Dan in the cash domain.

    Each reserve is attested at 100,000 units for thirty days.
    """
    return opened.copy()
