"""The rules of monitoring in a region's file: strict, dated, cited, and chosen by the region's legal status."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sdt.domain.errors import Invalid
from sdt.domain.monitoring.movements import Pattern
from sdt.domain.region import load_region

TEXAS = (Path(__file__).parents[2] / "regions" / "texas.toml").read_text()
BASE = TEXAS.partition("[[monitor]]")[0]
RULE = """
[[monitor]]
id = "FED-STR"
pattern = "structuring"
cents = 1_000_000
floor_cents = 300_000
days = 7
count = 3
text = "Currency on several days, each below."
statute = "31 U.S.C. 5324"
effective = "2026-01-01"
"""


def _loads(text: str) -> object:
    return load_region((BASE + text).encode())


def test_texas_notices_every_pattern_and_cites_each() -> None:
    region = load_region(TEXAS.encode())
    assert {rule.pattern for rule in region.monitors} == set(Pattern)
    assert all(rule.statute for rule in region.monitors)
    assert region.business_day.zone.key == "America/Chicago"
    assert region.business_day.closes_hour == 17
    ctr = next(rule for rule in region.monitors if rule.pattern is Pattern.CURRENCY_REPORT)
    assert ctr.cents == 1_000_000
    assert ctr.in_force(date(2026, 1, 1))
    assert not ctr.in_force(date(2025, 12, 31))


def test_the_legal_status_selects_the_thresholds() -> None:
    def smallest(status: str) -> int:
        region = load_region(TEXAS.replace('legal_status = "agency"', f'legal_status = "{status}"').encode())
        (trip,) = (rule for rule in region.monitors if rule.pattern is Pattern.ROUND_TRIP)
        return trip.cents

    assert (smallest("msb"), smallest("agency"), smallest("permitted_issuer")) == (200_000, 200_000, 500_000)


def test_the_digest_of_the_file_stands_for_its_monitors_too() -> None:
    changed = TEXAS.replace("count = 20", "count = 21")
    assert load_region(changed.encode()).digest != load_region(TEXAS.encode()).digest


def test_a_region_has_no_more_tokens_than_its_contract_holds() -> None:
    one = TEXAS[TEXAS.index('[[token]]\nsymbol = "TXG"') : TEXAS.index("[[rule]]")]
    more = [one.replace("TXG", f"TX{letter}") for letter in "ABCEFHIJKLMNOPQ"]
    load_region((TEXAS + "\n" + "\n".join(more[:14])).encode())
    with pytest.raises(Invalid):
        load_region((TEXAS + "\n" + "\n".join(more)).encode())


def test_a_sound_rule_is_taken() -> None:
    _loads(RULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("days = 7\n", ""),
        ("count = 3", "count = 3\nshare_ppm = 1"),
        ("cents = 1_000_000", "cents = 0"),
        ("cents = 1_000_000", "cents = 1e6"),
        ("cents = 1_000_000", 'cents = "1000000"'),
        ("floor_cents = 300_000", "floor_cents = 1_000_001"),
        ('pattern = "structuring"', 'pattern = "smurfing"'),
        ('effective = "2026-01-01"', 'effective = "2026-02-30"'),
        ('effective = "2026-01-01"', 'effective = "2026-01-01"\nsunset = "2026-01-01"'),
        ('effective = "2026-01-01"', 'effective = "2026-01-01"\nstatuses = []'),
        ('effective = "2026-01-01"', 'effective = "2026-01-01"\nstatuses = ["bank"]'),
        ('effective = "2026-01-01"', 'effective = "2026-01-01"\nnote = "x"'),
        ('statute = "31 U.S.C. 5324"\n', ""),
        ('id = "FED-STR"', 'id = "TX-WALL-1"'),
    ],
)
def test_what_is_not_exact_is_refused(old: str, new: str) -> None:
    assert old in RULE
    with pytest.raises(Invalid) as caught:
        _loads(RULE.replace(old, new, 1))
    assert caught.value.code == "region_file"


def test_two_rules_have_two_ids() -> None:
    with pytest.raises(Invalid, match="twice"):
        _loads(RULE + RULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('time_zone = "America/Chicago"', 'time_zone = "../etc/passwd"'),
        ("closes_hour = 17", "closes_hour = 0"),
        ("closes_hour = 17", "closes_hour = 25"),
        ('legal_status = "agency"', 'legal_status = "bank"'),
        ('domain = "cash"\n', 'domain = "cash"\ncurrency = true\n'),
    ],
)
def test_what_a_region_says_of_its_days_and_its_law_is_exact(old: str, new: str) -> None:
    assert old in TEXAS
    with pytest.raises(Invalid):
        load_region(TEXAS.replace(old, new, 1).encode())


def test_a_time_zone_is_looked_up_by_whoever_counts_days_and_not_by_a_signer() -> None:
    region = load_region(TEXAS.replace("America/Chicago", "America/Nowhere").encode())
    with pytest.raises(Invalid, match="no time zone"):
        _ = region.business_day
