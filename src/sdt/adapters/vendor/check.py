"""A vendor's folder tried out: our sample messages mapped there, the vendor's sample answers mapped here; or sent.

What is wrong is told like a compiler does it: file, key, and what it should be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sdt.adapters.vendor.canonical import personal_values
from sdt.adapters.vendor.folder import SPEC_FILE, CompiledOperation, Folder, unused
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.adapters.vendor.messages import Prepared, addressed, our_answer, prepare, read_answer
from sdt.adapters.vendor.named import EVIDENCE_OF_PEOPLE, members_of, personal
from sdt.adapters.vendor.samples import SAMPLES
from sdt.adapters.vendor.trace import redacted
from sdt.adapters.vendor.transport import BadAddress, checked_url
from sdt.domain.errors import SdtError

__all__ = ["Report", "check_folder", "send_samples"]


@dataclass
class Report:
    """What was found: problems make a folder unusable, remarks do not. `tried` names what worked."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)


def check_folder(folder: Folder) -> Report:
    """Map every sample request there and every sample answer here, and see that no trace would show a person."""
    report = Report()
    report.remarks += [f"{folder.path / name}: nothing in {SPEC_FILE} names this file" for name in unused(folder)]
    if folder.spec.url:
        try:
            checked_url(folder.spec.url)
        except BadAddress as error:
            report.problems.append(f"{folder.path / SPEC_FILE}: url: {error}")
    seen: dict[str, Any] = {}
    for sample in SAMPLES[folder.spec.kind]:
        operation = folder.operations[sample.operation]
        answer = _answer(folder, operation, report)
        if answer is None:
            continue
        seen[sample.operation] = answer
        _request(folder, operation, sample.arguments(seen), report)
        _ask_answer(folder, operation, report)
    return report


async def send_samples(folder: Folder, vendor: MappedVendor, run: str) -> Report:
    """Send the samples to the vendor, one after the other. `run` makes their keys: the same run orders once.

    It ends with the first that fails, for the later ones build upon it.
    """
    report = Report()
    seen: dict[str, Any] = {}
    for sample in SAMPLES[folder.spec.kind]:
        if not sample.sends:
            continue
        operation = folder.operations[sample.operation]
        key = f"sample-{run}-{sample.operation}" if operation.kind.order else None
        try:
            seen[sample.operation] = await vendor.call(sample.operation, object, sample.arguments(seen), key)
        except SdtError as error:
            report.problems.append(f"operations.{sample.operation}: {error.code}: {error.detail}")
            return report
        report.tried.append(sample.operation)
    return report


def _answer(folder: Folder, operation: CompiledOperation, report: Report) -> Any:
    spec, name = operation.spec, operation.kind.name
    document = folder.sample(spec.answer_sample)
    try:
        answer = our_answer(operation, operation.answer, operation.answer_schema, read_answer(document), document)
    except SdtError as error:
        report.problems.append(f"{folder.path / spec.answer_sample}: operations.{name}.answer_sample: {error.detail}")
        return None
    report.tried.append(f"{name}: answer")
    _refuse_persons(folder, answer, read_answer(document), f"operations.{name}.answer", report)
    if (folder.spec.kind, name) in EVIDENCE_OF_PEOPLE:
        _refuse_named(folder, operation, read_answer(document), report)
    return answer


def _ask_answer(folder: Folder, operation: CompiledOperation, report: Report) -> None:
    ask = operation.ask
    if ask is None or ask.spec.answer_sample is None:
        return
    document = folder.sample(ask.spec.answer_sample)
    at = f"operations.{operation.kind.name}.ask"
    try:
        our_answer(operation, ask.answer, ask.answer_schema, read_answer(document), document)
        if ask.absent is not None and ask.absent(read_answer(document)) is True:
            report.problems.append(f"{folder.path / SPEC_FILE}: {at}.absent: is true of the sample that is there")
    except SdtError as error:
        report.problems.append(f"{folder.path / ask.spec.answer_sample}: {at}.answer_sample: {error.detail}")


def _request(folder: Folder, operation: CompiledOperation, arguments: dict[str, Any], report: Report) -> None:
    name = operation.kind.name
    try:
        prepared = prepare(operation, arguments, "sample" if operation.kind.order else None)
        if operation.ask is not None:
            addressed(operation.ask.spec.path, operation.ask.query, prepared.values, f"{name}.ask")
    except SdtError as error:
        report.problems.append(f"{folder.path / SPEC_FILE}: operations.{name}: {error.detail}")
        return
    report.tried.append(f"{name}: request")
    for argument in arguments.values():
        _refuse_persons(folder, argument, prepared.sent, f"operations.{name}.request", report)
        _refuse_in_address(folder, argument, prepared, name, report)


def _refuse_persons(folder: Folder, message: Any, theirs: Any, at: str, report: Report) -> None:
    """No personal value of a sample may stand in what a trace would show of it."""
    shown = json.dumps(redacted(theirs, frozenset(folder.spec.trace.keep), folder.names), ensure_ascii=False)
    leaks = [text for text in personal_values(message) if len(text) > 2 and json.dumps(text)[1:-1] in shown]
    if leaks:
        report.problems.append(
            f"{folder.path / SPEC_FILE}: trace.keep: {len(leaks)} personal values of {at} would be written down"
        )


def _refuse_named(folder: Folder, operation: CompiledOperation, document: Any, report: Report) -> None:
    """An answer whose bytes are kept in the clear names nobody, as far as its sample and schema tell."""
    spec, name = operation.spec, operation.kind.name
    kept = f"operations.{name}: the exact bytes of this answer are kept as evidence"
    for file, names in (
        (spec.answer_sample, members_of(document)),
        (spec.answer_schema, operation.answer_schema.names),
    ):
        if found := personal(names):
            report.problems.append(
                f"{folder.path / file}: {kept}: {', '.join(found)} would outlive a person who is erased; "
                "ask for an answer without"
            )
    if not operation.answer_schema.closed:
        report.remarks.append(
            f"{folder.path / spec.answer_schema}: {kept}, and members that it does not name would fit: see that the "
            "vendor names nobody there, and refuse what is not expected (additionalProperties: false)"
        )


def _refuse_in_address(folder: Folder, message: Any, prepared: Prepared, name: str, report: Report) -> None:
    """Addresses are written into the logs of every machine on the way."""
    if any(len(text) > 3 and text in prepared.path for text in personal_values(message)):
        report.problems.append(
            f"{folder.path / SPEC_FILE}: operations.{name}.path: personal data would stand in the address"
        )
