"""A client asks what the signers run, through the API, and checks the answers offline with the command."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from api_platform import NETWORK, platform
from typer.testing import CliRunner

from enclave_rig import IMAGE, OTHER_IMAGE, Nitro
from sdt.cli.app import app as cli
from sdt.signing.attested import LocationStatement
from sdt.store import attestations
from sdt.worker.attesting import Attesting
from sdt.worker.clock import Clock

ADDRESS = "0x" + "ab" * 20


@pytest.fixture(scope="module")
def nitro() -> Nitro:
    return Nitro()


class Locations:
    """Three locations as the coordinator shows them: each answers any nonce with a document of its own."""

    def __init__(self, nitro: Nitro, **changed: object) -> None:
        self.nitro = nitro
        self.changed = changed
        self.asked: list[bytes] = []

    async def attestations(self, nonce: bytes) -> dict[int, bytes | None]:
        self.asked.append(nonce)
        return {party: self.document(party, nonce) for party in (1, 2, 3)}

    def document(self, party: int, nonce: bytes) -> bytes | None:
        change = self.changed.get(f"location_{party}", {})
        if change is None:
            return None
        about = {"network": NETWORK, "party": party, "intent_key": "cd" * 32, "chain_key": ADDRESS, "agreement": ""}
        about["seal"] = "kms key"
        image = change.pop("image", IMAGE)
        return self.nitro.document(nonce, image, user_data=LocationStatement(**{**about, **change}).encode())


def policy(folder: Path, nitro: Nitro) -> Path:
    file = folder / "attestation.toml"
    registers = "".join(f'pcr{number} = "{register.hex()}"\n' for number, register in IMAGE.items())
    file.write_text(
        f'seals = ["kms key"]\nroot_sha256 = "{nitro.root_sha256.hex()}"\n[[image]]\nname = "signer"\n{registers}'
    )
    return file


def answered(folder: Path, locations: Locations, nonce: bytes = bytes(32)) -> Path:
    """What `sdt attest get` would write."""
    shown = {party: locations.document(party, nonce) for party in (1, 2, 3)}
    content = {
        "nonce": nonce.hex(),
        "network": NETWORK,
        "locations": [{"location": party, "document": base64_of(raw)} for party, raw in shown.items()],
    }
    file = folder / "sdt-attestation.json"
    file.write_text(json.dumps(content))
    return file


def base64_of(raw: bytes | None) -> str | None:
    import base64

    return base64.b64encode(raw).decode() if raw else None


def verify(file: Path, rules: Path, *more: str) -> tuple[int, dict]:
    result = CliRunner().invoke(cli, ["attest", "verify", str(file), "--policy", str(rules), "--json", *more])
    assert result.stdout, result.exception
    return result.exit_code, json.loads(result.stdout)


async def test_whoever_asks_gets_three_documents_over_its_own_nonce(tmp_path, nitro):
    locations, nonce = Locations(nitro, location_3=None), secrets.token_hex(32)
    async with platform(tmp_path) as api:
        worker = asyncio.create_task(Attesting(api.store, locations, Clock()).run())
        async with api.session.get(f"{api.url}/v1/attestation", params={"nonce": nonce}) as answer:
            assert answer.status == 200
            shown = await answer.json()
        # the same again is answered from what is kept, and the locations are not asked again
        async with api.session.get(f"{api.url}/v1/attestation", params={"nonce": nonce}) as answer:
            assert await answer.json() == shown
        worker.cancel()
    assert locations.asked == [bytes.fromhex(nonce)]
    assert [one["location"] for one in shown["locations"]] == [1, 2, 3]
    assert shown["locations"][2]["document"] is None
    file = tmp_path / "shown.json"
    file.write_text(json.dumps(shown))
    code, found = verify(file, policy(tmp_path, nitro))
    assert code == 1 and found["problems"] == ["Not attested: location 3."]
    assert [one["ok"] for one in found["locations"]] == [True, True, False]
    assert found["locations"][0]["chain_key"] == ADDRESS


@pytest.mark.parametrize("nonce", ["", "ab", "zz" * 16, "AB" * 16, "ab" * 65, "ab" * 16 + "c"])
async def test_a_nonce_that_is_none_is_refused(tmp_path, nonce):
    async with platform(tmp_path) as api, api.session.get(f"{api.url}/v1/attestation?nonce={nonce}") as answer:
        assert answer.status == 400


async def test_too_many_questions_and_questions_that_nobody_answers(tmp_path, monkeypatch):
    from sdt.api import attestation

    monkeypatch.setattr(attestation, "WAIT_S", 0.2)
    monkeypatch.setattr(attestations, "WAITING_MAX", 2)
    async with platform(tmp_path) as api:
        for expected in ("locations_silent", "locations_silent", "too_many_attestations"):
            nonce = secrets.token_hex(16)
            async with api.session.get(f"{api.url}/v1/attestation", params={"nonce": nonce}) as answer:
                assert (await answer.json())["code"] == expected
        # a minute later nobody waits any more
        api.clock.ahead_ms = attestations.KEPT_MS + 1000
        async with api.session.get(f"{api.url}/v1/attestation", params={"nonce": "ab" * 16}) as answer:
            assert (await answer.json())["code"] == "locations_silent"
        assert await api.store.read(attestations.waiting, api.clock.now_ms()) == ["ab" * 16]


def test_three_good_documents_are_attested(tmp_path, nitro):
    code, found = verify(answered(tmp_path, Locations(nitro)), policy(tmp_path, nitro))
    assert (code, found["ok"], found["problems"]) == (0, True, [])


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"image": OTHER_IMAGE}, "image"),
        ({"party": 3}, "statement"),
        ({"seal": "file"}, "seal"),
        (None, "missing"),
    ],
)
def test_a_location_that_fails_is_named_with_its_check(tmp_path, nitro, change, check):
    code, found = verify(answered(tmp_path, Locations(nitro, location_2=change)), policy(tmp_path, nitro))
    assert code == 1 and found["problems"] == ["Not attested: location 2."]
    assert found["locations"][1]["check"] == check


@pytest.mark.parametrize("name", ["chain_key", "network", "agreement"])
def test_locations_that_say_different_things_do_not_pass(tmp_path, nitro, name):
    code, found = verify(answered(tmp_path, Locations(nitro, location_2={name: "other"})), policy(tmp_path, nitro))
    assert code == 1 and found["problems"] == [f"The locations differ in their {name}."]


def test_another_nonce_another_time_and_another_root_do_not_pass(tmp_path, nitro):
    file, rules = answered(tmp_path, Locations(nitro)), policy(tmp_path, nitro)
    assert {one["check"] for one in verify(file, rules, "--nonce", "ab" * 32)[1]["locations"]} == {"nonce"}
    soon = datetime.fromtimestamp(time.time() + 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert {one["check"] for one in verify(file, rules, "--at", soon)[1]["locations"]} == {"age"}
    rules.write_text(rules.read_text().replace(nitro.root_sha256.hex(), "00" * 32))
    assert {one["check"] for one in verify(file, rules)[1]["locations"]} == {"root"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        '[[image]]\nname = "x"\npcr0 = "11"\n',
        'age_s_max = 100000\n[[image]]\nname = "x"\n' + "".join(f'pcr{n} = "{"11" * 48}"\n' for n in (0, 1, 2)),
        '[[image]]\nname = "x"\n' + "".join(f'pcr{n} = "{"00" * 48}"\n' for n in (0, 1, 2)),
        '[[image]]\nname = "x"\n' + "".join(f'pcr{n} = "{"11" * 48}"\n' for n in (0, 1)),
        '[[image]]\nname = "x"\n' + "".join(f'pcr{n} = "{"11" * 48}"\n' for n in (0, 1, 2, 9)),
    ],
)
def test_a_policy_that_lets_in_too_much_or_cannot_be_read_is_refused(tmp_path, nitro, text):
    file, rules = answered(tmp_path, Locations(nitro)), tmp_path / "policy.toml"
    rules.write_text(text)
    result = CliRunner().invoke(cli, ["attest", "verify", str(file), "--policy", str(rules)])
    assert result.exit_code != 0 and getattr(result.exception, "code", "") == "attestation_policy"
