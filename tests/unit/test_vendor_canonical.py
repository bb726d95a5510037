"""Our messages as JSON: made by the ports' own types, so that no second description can differ."""

from __future__ import annotations

import inspect
from typing import Any

import jsonschema
import msgspec
import pytest

from sdt.adapters.vendor.canonical import build, personal_values, shape, to_json
from sdt.adapters.vendor.folder import load_folder
from sdt.adapters.vendor.kinds import _VARIANTS, KINDS, Kind, operations
from sdt.adapters.vendor.messages import our_answer, read_answer
from sdt.adapters.vendor.samples import SAMPLES
from sdt.adapters.vendor.shipped import SHIPPED
from sdt.domain.errors import Invalid
from sdt.domain.money import USD, XAU, Amount
from sdt.ports.ach_files import AchFileApi
from sdt.ports.aml import Aml
from sdt.ports.bank import Bank
from sdt.ports.depository import Depository
from sdt.ports.evidence import Evidence
from sdt.ports.kyc import Kyc

EVIDENCE = Evidence(b"x")


def samples(kind: Kind) -> list[tuple[str, Any, dict[str, Any]]]:
    """Each operation with a sample of its answer and of what it is asked."""
    folder, seen, found = load_folder(SHIPPED / f"sandbox-{kind.replace('_', '-')}"), {}, []
    for sample in SAMPLES[kind]:
        operation = folder.operations[sample.operation]
        document = folder.sample(operation.spec.answer_sample)
        answer = our_answer(operation, operation.answer, operation.answer_schema, read_answer(document), document)
        seen[sample.operation] = answer
        found.append((sample.operation, answer, sample.arguments(seen)))
    return found


@pytest.mark.parametrize("port", [Kyc, Aml, Bank, Depository, AchFileApi])
def test_every_method_of_a_port_is_an_operation_of_one_kind(port: Any) -> None:
    methods = {name for name, one in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}
    served = [_VARIANTS.get(name, (name, {}))[0] for of, names in KINDS.values() if of is port for name in names]
    # What became of an order is asked by that order's own `ask`, which is part of its operation
    assert set(served) == methods - {"close", "originated"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_has_a_sample(kind: Kind) -> None:
    assert {sample.operation for sample in SAMPLES[kind]} == set(operations(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_fits_its_schema_and_comes_back_the_same(kind: Kind) -> None:
    for name, answer, arguments in samples(kind):
        operation = operations(kind)[name]
        asked = {one: to_json(value) for one, value in arguments.items()}
        jsonschema.validate(asked, operation.request_schema())
        jsonschema.validate(to_json(answer), operation.answer_schema())

        read = msgspec.convert(to_json(answer), operation.answer)
        assert build(operation.answers, read, EVIDENCE) == answer


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_too_many_or_too_few_is_no_message(kind: Kind) -> None:
    for name, answer, _ in samples(kind):
        operation, message = operations(kind)[name], to_json(answer)
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**message, "more": 1}, operation.answer)
        first = next(iter(message))
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({one: value for one, value in message.items() if one != first}, operation.answer)


def test_an_amount_names_its_asset_and_its_units_are_digits() -> None:
    assert to_json(Amount(12_000, USD)) == {"asset": "USD/2", "units": "12000"}
    read = msgspec.convert({"asset": "XAU/9", "units": "5"}, shape(Amount))
    assert build(Amount, read, EVIDENCE) == Amount(5, XAU)
    for units in ("-5", "05", "5.0", "", "x", 5):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"asset": "XAU/9", "units": units}, shape(Amount))
    with pytest.raises(Invalid):
        build(Amount, msgspec.convert({"asset": "XAU/9", "units": "9" * 19}, shape(Amount)), EVIDENCE)


def test_what_is_personal_is_known_by_what_is_never_printed() -> None:
    (_, _, arguments), *_ = samples("kyc")
    assert set(personal_values(arguments["party"])) == {
        *("Ada", "Samplename", "1990-02-03", "7315"),
        *("1 Sample Street", "Austin", "78701"),
    }
