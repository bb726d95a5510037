"""What a mapping can do to a value: exactly, or not at all."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.adapters.vendor.functions import Functions
from sdt.adapters.vendor.mapping import Mapper, MappingFailed, MappingInvalid
from sdt.domain.money import TROY_OUNCE_NG, UNITS_MAX

TABLES = {"outcome": {"APPROVED": "passed", "ACCEPTED": "passed", "DECLINED": "failed"}}


@cache
def mapper(expression: str) -> Mapper:
    return Mapper(expression, Functions(TABLES), TABLES)


def run(expression: str, value: Any = None) -> Any:
    return mapper(expression)(value)


@given(st.integers(0, UNITS_MAX))
def test_cents_go_to_dollars_and_come_back(cents: int) -> None:
    there = run("dollars(@)", str(cents))
    assert Decimal(there) * 100 == cents
    assert there[-3] == "."
    assert run("cents(@)", there) == str(cents)


@given(st.integers(0, UNITS_MAX), st.integers(0, 12))
def test_units_of_any_scale_go_there_and_come_back(units: int, scale: int) -> None:
    there = run(f"decimal(@, `{scale}`)", str(units))
    assert Decimal(there).scaleb(scale) == units
    assert run(f"units(@, `{scale}`)", there) == str(units)


@given(st.integers(0, 10**13 - 1))
def test_dollars_written_as_a_json_number_are_read_as_they_were_written(cents: int) -> None:
    written = f"{cents // 100}.{cents % 100:02d}"
    assert run("cents(@)", json.loads(written)) == str(cents)


@given(st.floats(allow_nan=False) | st.text(max_size=12) | st.integers())
def test_cents_never_guess(value: float | str | int) -> None:
    try:
        found = run("cents(@)", value)
    except MappingFailed:
        return
    assert Decimal(found) == Decimal(str(value)) * 100


@given(st.decimals(min_value=0, max_value=1_000, places=3))
def test_ounces_are_nanograms_rounded_down(ounces: Decimal) -> None:
    found = int(run("ounces_to_ng(@)", str(ounces)))
    exact = ounces * TROY_OUNCE_NG
    assert exact - 1 < found <= exact


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2199, 12, 31)))
@pytest.mark.parametrize("form", ["YYYY-MM-DD", "MM/DD/YYYY", "DD/MM/YYYY", "YYYYMMDD", "MMDDYYYY"])
def test_days_go_there_and_come_back(form: str, day: date) -> None:
    there = run(f"date_to(@, '{form}')", day.isoformat())
    assert run(f"date_from(@, '{form}')", there) == day.isoformat()


@given(st.integers(0, 4_102_444_800_000))
def test_moments_go_there_and_come_back(ms: int) -> None:
    assert run("time_to_ms(time_from_ms(@))", ms) == ms


@pytest.mark.parametrize(
    ("expression", "value", "wanted"),
    [
        ("cents(@)", "12.3", "1230"),
        ("cents(@)", "12", "1200"),
        ("cents(@)", 12, "1200"),
        ("cents(@)", 0.1, "10"),
        ("ounces_to_ng(@)", "32.148", "999914572166"),
        ("integer(@)", "42", 42),
        ("date_to(@, 'MM/DD/YYYY')", "2026-11-06", "11/06/2026"),
        ("time_from_ms(@)", 1795426200123, "2026-11-23T09:30:00.123Z"),
        ("time_to_ms(@)", "2026-11-23T04:30:00-05:00", 1795426200000),
        ("lookup('outcome', @)", "ACCEPTED", "passed"),
        ("lookup_back('outcome', @)", "passed", "APPROVED"),
        ("digits(@)", "111-00-0025", "111000025"),
        ("digits(@)", "١٢3", "3"),
        ("upper(@)", "llc", "LLC"),
        ("lower(replace(@, '-', '_'))", "NAME-NOT-FOUND", "name_not_found"),
        ("left(@, `5`)", "78701-1234", "78701"),
        ("right(@, `4`)", "123-45-6789", "6789"),
        ("right(@, `0`)", "123", ""),
        ("without_nulls({a: a, b: b})", {"a": 1}, {"a": 1}),
        ("each_with(b, {m: m})[].[m, x]", {"m": 1, "b": [{"x": 2}]}, [[1, 2]]),
        ("sha256(@)", "YQ==", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("# a comment\n@", 1, 1),
    ],
)
def test_each_function_does_what_its_page_says(expression: str, value: Any, wanted: Any) -> None:
    assert run(expression, value) == wanted


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("cents(@)", "12.345"),
        ("cents(@)", "-1.00"),
        ("cents(@)", "1,000.00"),
        ("cents(@)", "1e3"),
        ("cents(@)", "١٢.00"),
        ("cents(@)", 1e300),
        ("cents(@)", 0.1 + 0.2),
        ("cents(@)", True),
        ("cents(@)", None),
        ("dollars(@)", "12.3"),
        ("dollars(@)", "007"),
        ("dollars(@)", str(UNITS_MAX + 1)),
        ("units(@, `13`)", "1"),
        ("integer(@)", "1.5"),
        ("integer(@)", 1.5),
        ("date_from(@, 'MM/DD/YYYY')", "1/2/2026"),
        ("date_from(@, 'MM/DD/YYYY')", "02/30/2026"),
        ("date_from(@, 'MMMM')", "x"),
        ("time_from_ms(@)", -1),
        ("time_from_ms(@)", 1.5),
        ("time_to_ms(@)", "2026-11-23T09:30:00"),
        ("lookup('outcome', @)", "Ada Samplename"),
        ("sha256(@)", "?"),
        ("sum(@)", ["Ada Samplename"]),
        ("max(@)", [1, "Ada Samplename"]),
        ("replace(@, 'a', 'bbbbbbbbbbbbbbbbbbbb')", "aaa"),
        ("each_with(@, {m: 'x'})", [1]),
    ],
)
def test_what_is_not_exact_is_refused_without_saying_the_value(expression: str, value: Any) -> None:
    with pytest.raises(MappingFailed) as failed:
        run(expression, value)
    assert "Samplename" not in str(failed.value)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "holds no expression"),
        ("# only a comment", "holds no expression"),
        ("{\n  a: b,\n  c: ]\n}", "line 3, column 6"),
        ("a b", "line 1, column 3"),
        ("a ? b", "not JMESPath"),
        ("nothing(a)", "no function nothing"),
        ("cents(a, b)", "cents.. takes 1 arguments, not 2"),
        ("lookup(a, b)", "names a table"),
        ("lookup('outcmoe', b)", "names a table"),
        ("map(&lookup('none', @), a)", "names a table"),
        ("(" * 5_000 + "a" + ")" * 5_000, "nested too deeply"),
        ("a" * 40_000, "longer than"),
    ],
)
def test_an_expression_that_cannot_be_used_says_where_and_why(expression: str, said: str) -> None:
    with pytest.raises(MappingInvalid, match=said):
        Mapper(expression, Functions(TABLES), TABLES)
