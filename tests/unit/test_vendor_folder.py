"""A vendor's folder, told what is wrong with it before anybody is called."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sdt.adapters.vendor.check import check_folder
from sdt.adapters.vendor.errors import VendorFolderInvalid
from sdt.adapters.vendor.folder import load_folder
from sdt.adapters.vendor.kinds import KINDS
from sdt.adapters.vendor.named import personal
from sdt.adapters.vendor.schemas import PATTERN_TEXT_MAX, Schema, SchemaInvalid
from sdt.adapters.vendor.shipped import SHIPPED, shipped

Edit = Callable[[str], str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a shipped folder, to be spoilt."""
    return Path(shutil.copytree(SHIPPED / "sandbox-kyc", tmp_path / "acme"))


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text, "the test edits what is there"
    (folder / name).write_text(text.replace(old, new, 1))


def problems(folder: Path) -> list[str]:
    try:
        return check_folder(load_folder(folder)).problems
    except VendorFolderInvalid as error:
        return error.problems


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.name)
def test_every_shipped_folder_is_well(path: Path) -> None:
    report = check_folder(load_folder(path))
    assert (report.problems, report.remarks) == ([], [])
    assert len(report.tried) == 2 * len(load_folder(path).operations)
    assert load_folder(path).spec.name == path.name


def test_two_families_of_each_kind_ship() -> None:
    kinds = [load_folder(path).spec.kind for path in shipped()]
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(KINDS, 2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "kyc"', 'kind = "kcy"', "vendor.toml: kind: Invalid enum value"),
        ('kind = "kyc"', 'kind = "kyc"\ncolour = "red"', "unknown field `colour`"),
        ('kind = "kyc"', 'kind = "aml"', "operations.screen: is missing"),
        ('name = "sandbox-kyc"', 'name = "../../etc"', "name: "),
        ('style = "bearer"', 'style = "magic"', "auth.style: Invalid value 'magic'"),
        ('style = "bearer"', 'style = "bearer"\nsecret = "hunter2"', "unknown field `secret`"),
        ('style = "bearer"', 'style = "api_key"\nheader = "X-Key\\r\\nX-Evil"', "auth.header"),
        ("[operations.application]", "[operations.aplication]", "operations.aplication: the kind kyc has no such"),
        ('path = "/v1/applications"', 'path = "v1/applications"', "operations"),
        ('path = "/v1/applications"', 'path = "/v1/../admin"', "operations.apply.path: a path climbs nowhere"),
        ('path = "/v1/applications"', 'path = "/v1/x?admin=1"', "operations"),
        ('path = "/v1/applications"', 'path = "/v1/{who}"', "operations.apply.path: there is no {who}"),
        ('path = "/v1/applications"', 'path = "/v1/{party"', "operations.apply.path: a brace is not closed"),
        ('request = "person.jmespath"', 'request = "../person.jmespath"', "operations"),
        (
            'request = "person.jmespath"',
            'request = "none.jmespath"',
            "none.jmespath: operations.apply.request: No such",
        ),
        ('request_schema = "person.schema.json"\n', "", "operations.apply.request: request and request_schema go"),
        (
            'idempotency = { header = "Idempotency-Key" }\nask = { path = "/v1/requests/{key}" }\n',
            "",
            "operations.apply.idempotency: an order needs a key, or an `ask`",
        ),
        (
            'idempotency = { header = "Idempotency-Key" }',
            "idempotency = { }",
            "operations.apply.idempotency: name either a header or a field",
        ),
        ('method = "POST"', 'method = "GET"', "operations.apply.method: an order is no GET"),
        ('answer_sample = "application.sample.json"', 'answer_sample = "x.sample.json"', "answer_sample: No such file"),
        ('title = "Sandbox identity check"', 'title = ""', "title: Expected `str` of length >= 1"),
        ('title = "Sandbox identity check"', 'title = "x"\ntimeout_s = 0', "timeout_s"),
        ('title = "Sandbox identity check"', 'title = "x"\nrefusal_code = "]"', "refusal_code: line 1, column 1"),
        ('title = "Sandbox identity check"', 'title = "x"\nurl = "http://evil.example"', "url: must begin with https"),
        ('title = "Sandbox identity check"', 'title = "x"\nurl = "https://a:b@x.example"', "url: must not carry"),
        ('[auth]\nstyle = "bearer"', '[auth]\nstyle = "api_key"\nheader = "Host"', "auth.header: the header Host"),
        ("[trace]", '[headers]\nTransfer-Encoding = "chunked"\n\n[trace]', "headers.Transfer-Encoding: the header"),
        ('header = "Idempotency-Key"', 'header = "Content-Length"', "operations.apply.idempotency.header: the header"),
        ("[auth]", "[auth", "vendor.toml: "),
    ],
)
def test_a_mistake_in_vendor_toml_is_told_with_its_key(folder: Path, old: str, new: str, said: str) -> None:
    edit(folder, "vendor.toml", old, new)
    found = problems(folder)
    assert any(said in one for one in found), found
    assert all(str(folder) in one for one in found)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            "person.jmespath",
            "given_name: given_name",
            "given_name: ]",
            "person.jmespath: operations.apply.request: line 4",
        ),
        (
            "person.jmespath",
            "given_name: given_name",
            "given_name: given",
            "person.schema.json at properties/given_name",
        ),
        ("person.jmespath", "ssn_last4: ssn_last4", "ssn: ssn_last4", "person.schema.json at "),
        ("application.jmespath", "outcome: outcome", "outcome: account", "application.jmespath makes something else"),
        ("application.jmespath", "tier: tier,", "", "application.jmespath makes something else"),
        ("application.jmespath", "tier: tier", "tier: cents(account)", "application.jmespath: cents takes"),
        ("application.sample.json", '"tier"', '"teir"', "application.schema.json at required"),
        ("application.sample.json", '"tier": 1', '"tier": 1, "tier": 2', "a key stands in it twice"),
        (
            "application.schema.json",
            '"$ref": "#/',
            '"$ref": "https://evil.example/',
            "only what stands in the same file",
        ),
        ("application.schema.json", '"$ref": "#/', '"$ref": "file:///etc/passwd#/', "only what stands in the same"),
        ("application.schema.json", '"type": "object"', '"type": "objekt"', "application.schema.json: "),
        ("application.schema.json", "{", "", "is not JSON"),
    ],
)
def test_a_mistake_in_another_file_is_told_with_its_name(
    folder: Path, name: str, old: str, new: str, said: str
) -> None:
    edit(folder, name, old, new)
    found = problems(folder)
    assert any(said in one for one in found), found


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    edit(folder, "person.jmespath", "given_name: given_name", "given_name: ]")
    edit(folder, "application.schema.json", '"$ref": "#/', '"$ref": "x#/')
    edit(folder, "vendor.toml", 'path = "/v1/applications"', 'path = "/v1/{who}"')
    assert len(problems(folder)) == 3


def test_a_list_that_lets_a_person_into_the_trace_is_refused(folder: Path) -> None:
    edit(folder, "vendor.toml", '"application_id",', '"application_id", "given_name", "address.city",')
    (problem, *_) = problems(folder)
    assert "trace.keep: 2 personal values of operations.apply.request" in problem
    assert "Ada" not in problem


def test_personal_data_in_an_address_is_refused(folder: Path) -> None:
    edit(folder, "vendor.toml", 'path = "/v1/applications"', 'path = "/v1/{party.family_name}"')
    assert any("personal data would stand in the address" in one for one in problems(folder))


@pytest.mark.parametrize("name", ["givenName", "family_name", "dateOfBirth", "SSNLast4", "address", "documentNumber"])
@pytest.mark.parametrize("file", ["application.sample.json", "application.schema.json"])
def test_an_answer_that_is_kept_as_evidence_names_nobody(folder: Path, file: str, name: str) -> None:
    if file == "application.sample.json":
        edit(folder, file, "{", f'{{ "{name}": "Ada",')
        edit(folder, "application.schema.json", '"additionalProperties": false', '"additionalProperties": true')
    else:
        edit(folder, file, '"properties": {', f'"properties": {{ "{name}": {{ "type": "string" }},')
    (problem,) = problems(folder)
    assert f"{file}: operations.application: the exact bytes" in problem
    assert f": {name} would outlive" in problem
    assert "Ada" not in problem


@pytest.mark.parametrize("name", ["sandbox-kyc", "plains-kyc"])
def test_a_shipped_folder_refuses_an_answer_that_names_somebody_when_it_comes(name: str) -> None:
    loaded = load_folder(SHIPPED / name)
    operation = loaded.operations["application"]
    answer = json.loads(loaded.sample(operation.spec.answer_sample))
    assert operation.answer_schema.problem(answer) is None
    assert operation.answer_schema.problem(answer | {"firstName": "Ada"}) is not None


def test_names_of_what_is_nobody_s_are_no_persons() -> None:
    plain = ["account", "walletRef", "wallet_address", "reasons", "businessState", "list_name", "expiresAtMs", "tier"]
    assert personal(plain) == []


@pytest.mark.parametrize("folder_name", ["sandbox-kyc", "plains-kyc"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"additionalProperties": false', '"additionalProperties": true'),
        ('"additionalProperties": false', '"patternProperties": {"^x": {"type": "string"}}'),
        ('"type": "integer"', '"description": "of any type"'),
        ('"items": {', '"unevaluatedItems": {'),
    ],
)
def test_a_schema_that_cannot_tell_is_a_remark(tmp_path: Path, folder_name: str, old: str, new: str) -> None:
    folder = Path(shutil.copytree(SHIPPED / folder_name, tmp_path / "acme"))
    edit(folder, load_folder(folder).operations["application"].spec.answer_schema, old, new)
    report = check_folder(load_folder(folder))
    assert report.problems == []
    (remark,) = report.remarks
    assert "see that the vendor names nobody" in remark


def test_a_file_that_nothing_names_is_a_remark(folder: Path) -> None:
    (folder / "old.jmespath").write_text("@")
    report = check_folder(load_folder(folder))
    assert report.problems == []
    assert "old.jmespath" in report.remarks[0]


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(a+)+$",
        r"^(a*)*$",
        r"^(a|b+)*c$",
        r"^([a-z]+\.)+$",
        r"(?=a)b",
        r"(?!0)[0-9]+",
        r"(a)\1",
        r"((ab){2,}c)*",
        "(",
    ],
)
def test_a_pattern_that_a_hostile_text_could_stall_is_refused(pattern: str) -> None:
    for schema in ({"pattern": pattern}, {"properties": {"x": {"items": {"pattern": pattern}}}}):
        with pytest.raises(SchemaInvalid, match="pattern"):
            Schema(json.dumps(schema).encode())


@pytest.mark.parametrize(
    "pattern", [r"^[0-9]{5}(-[0-9]{4})?$", r"^(a|b)+$", r"^[A-Z]{2}$", r"^-?[0-9]{1,16}\.[0-9]{2}$"]
)
def test_a_plain_pattern_is_taken(pattern: str) -> None:
    Schema(json.dumps({"pattern": pattern}).encode())


def test_a_pattern_never_looks_at_a_long_text() -> None:
    schema = Schema(b'{"pattern": "^a+$"}')
    assert schema.problem("a" * PATTERN_TEXT_MAX) is None
    assert schema.problem("a" * (PATTERN_TEXT_MAX + 1)) == "pattern"


def test_where_a_message_does_not_fit_is_told_by_the_schema_alone() -> None:
    schema = Schema(b'{"additionalProperties": {"type": "string"}, "properties": {"a": {"enum": ["x"]}}}')
    assert schema.problem({"a": "Ada"}) == "properties/a/enum"
    assert schema.problem({"Ada Samplename": 1}) == "additionalProperties/type"
