"""What wraps the keys of people: the vault's key, KMS, one after the other; each opens what it wrapped, only that."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_front import Front, front
from aws_rig import aws_settings
from sdt.adapters import aws
from sdt.adapters.wrapping import KmsAndVault, KmsKey, VaultKey, kms_key
from sdt.adapters.wrapping.kms_key import DATA_KEY_S, DATA_KEY_USES, OPENED_S, KmsRefused, KmsUnreachable
from sdt.domain import sealing
from sdt.domain.sealing import SealBroken
from sdt.ports.wrapping import Wrapping
from sdt.workflows.sealed_files import HEAD_BYTES, is_wrapped_by, open_file, seal_file, wrapped_anew
from vault_rig import Clock

KEY = bytes(range(32))
CONTEXT = {"network": "sdt-test", "region": "US-TX", "purpose": "personal"}
LATER = 100_000


@dataclass
class Kms:
    """A KMS with a symmetric key, as one or several processes use it."""

    between: Front
    keys: list[str]
    client: Any
    clock: Clock = field(default_factory=Clock)

    def open(self, key: str = "alias/sdt-personal", context: Mapping[str, str] = CONTEXT) -> KmsKey:
        return KmsKey(self.client, key, context, self.clock)

    def calls(self, name: str) -> int:
        return self.between.calls.count(name)


@pytest.fixture
def kms(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    monkeypatch.setattr(aws, "ATTEMPTS", 1)
    with front(moto_server) as between:
        client = aws.client("kms", aws_settings(between.url), read_s=60)
        keys = [client.create_key(KeySpec="SYMMETRIC_DEFAULT")["KeyMetadata"]["KeyId"] for _ in range(2)]
        client.create_alias(AliasName="alias/sdt-personal", TargetKeyId=keys[0])
        yield Kms(between, keys, client)
        between.refuse_all = None
        client.delete_alias(AliasName="alias/sdt-personal")


def vault(*keys: bytes) -> VaultKey:
    return VaultKey(lambda: keys)


@pytest.fixture(params=["vault", pytest.param("kms", marks=pytest.mark.slow)])
def wrapping(request: pytest.FixtureRequest) -> Wrapping:
    if request.param == "vault":
        return vault(b"v" * 32)
    return KmsAndVault(request.getfixturevalue("kms").open(), vault(b"v" * 32))


def test_a_key_opens_for_its_owner_and_for_nobody_else(wrapping: Wrapping) -> None:
    wrapped = wrapping.wrap(KEY, "ann")
    assert wrapping.unwrap(wrapped, "ann") == KEY
    assert wrapped.startswith(wrapping.prefix())
    assert wrapping.wrap(KEY, "ann") != wrapped
    assert KEY not in wrapped
    with pytest.raises(SealBroken):
        wrapping.unwrap(wrapped, "bob")
    assert KEY.hex() not in repr(wrapping) + repr(vars(wrapping))


def test_no_changed_byte_and_no_piece_of_a_wrapped_key_opens(wrapping: Wrapping) -> None:
    wrapped = wrapping.wrap(KEY, "ann")
    for at in range(0, len(wrapped), 5):
        changed = bytearray(wrapped)
        changed[at] ^= 1
        with pytest.raises((SealBroken, KmsRefused)):
            wrapping.unwrap(bytes(changed), "ann")
        with pytest.raises((SealBroken, KmsRefused)):
            wrapping.unwrap(wrapped[:at], "ann")
    assert wrapping.unwrap(wrapped, "ann") == KEY


@given(st.binary(max_size=400))
def test_whatever_stands_in_the_database_is_answered_by_a_typed_error(text: bytes) -> None:
    both = KmsAndVault(KmsKey(None, "alias/none", CONTEXT), vault(b"v" * 32))
    for head in (b"", b"\x01", b"\x02"):
        with pytest.raises(SealBroken):
            both.unwrap(head + text.lstrip(b"\x03"), "ann")
    with pytest.raises(SealBroken):
        kms_key._parts(text[:1])


def test_the_vaults_key_opens_what_the_one_before_wrapped_and_the_first_version_did() -> None:
    old, new, third = (bytes([n]) * 32 for n in range(3))
    wrapped = vault(old).wrap(KEY, "ann")
    assert vault(new, old).unwrap(wrapped, "ann") == KEY
    assert not wrapped.startswith(vault(new, old).prefix())
    # the first version did not say with which key
    unmarked = b"\x01" + sealing.seal(KEY, "ann", old, b"n" * 24)
    assert vault(new, old).unwrap(unmarked, "ann") == KEY
    assert vault(new, old).unseal(sealing.seal(b"file", "label", old, b"n" * 24), "label") == b"file"
    # after two rotations it is gone, and says so
    with pytest.raises(SealBroken, match="does not have any more"):
        vault(third, new).unwrap(wrapped, "ann")


def test_a_key_that_only_another_process_has_seen_is_looked_for() -> None:
    keys: list[tuple[bytes, ...]] = [(b"o" * 32,)]
    wrapped = vault(b"n" * 32).wrap(KEY, "ann")
    ours = VaultKey(lambda: keys[-1], lambda: keys.append((b"n" * 32, b"o" * 32)))
    assert ours.unwrap(wrapped, "ann") == KEY
    with pytest.raises(SealBroken):
        vault(b"o" * 32).unwrap(wrapped, "ann")


def test_a_file_says_by_its_first_bytes_what_its_key_is_wrapped_with(wrapping: Wrapping) -> None:
    data = b"101 file of a bank\n" * 100
    sealed = seal_file(wrapping, data, "ach file A")
    assert open_file(wrapping, sealed, "ach file A") == data
    assert is_wrapped_by(wrapping.prefix(), sealed[:HEAD_BYTES])
    assert b"file of a bank" not in sealed
    with pytest.raises(SealBroken):
        open_file(wrapping, sealed, "ach file B")
    for at in (3, 17, 18, len(sealed) // 2, len(sealed) - 1):
        with pytest.raises((SealBroken, KmsRefused)):
            open_file(wrapping, sealed[:at], "ach file A")
    # one of the first version is read, and wrapped anew
    old, new = b"o" * 32, vault(b"n" * 32, b"o" * 32)
    first = sealing.seal(data, "ach file A", old, b"n" * 24)
    assert open_file(new, first, "ach file A") == data
    assert not is_wrapped_by(new.prefix(), first)
    again = wrapped_anew(new, first, "ach file A")
    assert is_wrapped_by(new.prefix(), again)
    assert open_file(vault(b"n" * 32), again, "ach file A") == data
    assert open_file(new, wrapped_anew(new, seal_file(vault(old), data, "x"), "x"), "x") == data


@pytest.mark.slow
def test_one_data_key_wraps_many_for_a_time_and_others_open_them(kms: Kms) -> None:
    ours = kms.open()
    wrapped = [ours.wrap(KEY, f"user-{n}") for n in range(50)]
    assert kms.calls("GenerateDataKey") == 1
    # another process asks KMS once for all of them
    other = kms.open()
    assert [other.unwrap(each, f"user-{n}") for n, each in enumerate(wrapped)] == [KEY] * 50
    assert kms.calls("Decrypt") == 1
    # and again when it has had the key open for long enough
    kms.clock.s += OPENED_S
    other.unwrap(wrapped[0], "user-0")
    assert kms.calls("Decrypt") == 2
    # a data key is used up by its time, and by its uses
    kms.clock.s += DATA_KEY_S
    ours.wrap(KEY, "late")
    assert kms.calls("GenerateDataKey") == 2
    for n in range(DATA_KEY_USES):
        ours.wrap(KEY, f"{n}")
    wait_for(lambda: kms.calls("GenerateDataKey") >= 3)


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_what_an_older_kms_key_wrapped_opens_and_is_to_be_wrapped_anew(kms: Kms) -> None:
    before = kms.open().wrap(KEY, "ann")
    # given KMS's own rotation of the key: nothing changes for us
    kms.client.enable_key_rotation(KeyId=kms.keys[0])
    assert kms.open().unwrap(before, "ann") == KEY
    # given an alias that stands for another key now
    kms.client.update_alias(AliasName="alias/sdt-personal", TargetKeyId=kms.keys[1])
    kms.clock.s += DATA_KEY_S
    now = kms.open()
    assert now.unwrap(before, "ann") == KEY
    assert not before.startswith(now.prefix())
    assert now.wrap(KEY, "ann").startswith(now.prefix())
    # when the old key is disabled, then what it wrapped does not open, and it is said why
    kms.between.refuse_all = (400, "DisabledException")  # the emulator decrypts with a disabled key
    with pytest.raises(KmsRefused, match="Disabled"):
        kms.open().unwrap(before, "ann")


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["network", "region", "purpose"])
def test_what_is_wrapped_for_one_network_region_and_purpose_opens_for_no_other(kms: Kms, changed: str) -> None:
    wrapped = kms.open().wrap(KEY, "ann")
    assert kms.open().unwrap(wrapped, "ann") == KEY
    with pytest.raises(SealBroken):
        kms.open(context=CONTEXT | {changed: "another"}).unwrap(wrapped, "ann")


@pytest.mark.slow
def test_kms_takes_the_vaults_place_and_the_vault_takes_it_back(kms: Kms) -> None:
    by_vault = vault(b"v" * 32)
    old = by_vault.wrap(KEY, "ann")
    both = KmsAndVault(kms.open(), by_vault)
    assert both.unwrap(old, "ann") == KEY
    assert not old.startswith(both.prefix())
    new = both.wrap(both.unwrap(old, "ann"), "ann")
    assert new.startswith(both.prefix())
    back = KmsAndVault(kms.open(), by_vault, by_vault=True)
    assert back.unwrap(new, "ann") == KEY
    assert back.wrap(KEY, "ann").startswith(by_vault.prefix())


@pytest.mark.slow
def test_without_an_answer_of_kms_only_what_needs_it_fails_and_at_once(kms: Kms) -> None:
    ours = kms.open()
    wrapped = ours.wrap(KEY, "ann")
    kms.between.refuse_all = (503, "ServiceUnavailable")
    # what has its data key open goes on: people are read, and registered
    assert ours.unwrap(wrapped, "ann") == KEY
    ours.wrap(KEY, "bob")
    # what has not is told, once by KMS and then at once
    fresh = kms.open()
    for _ in range(20):
        with pytest.raises(KmsUnreachable):
            fresh.unwrap(wrapped, "ann")
    assert kms.calls("Decrypt") == 1
    kms.between.refuse_all = (400, "AccessDeniedException")
    kms.clock.s += LATER
    with pytest.raises(KmsRefused, match="AccessDenied"):
        fresh.unwrap(wrapped, "ann")
    with pytest.raises(KmsRefused, match="AccessDenied"):
        fresh.wrap(KEY, "cid")
    kms.between.refuse_all = None
    assert fresh.unwrap(wrapped, "ann") == KEY


@pytest.mark.slow
def test_the_context_is_in_every_call_and_the_plain_key_in_none(kms: Kms) -> None:
    ours = kms.open()
    wrapped = ours.wrap(KEY, "ann")
    kms.open().unwrap(wrapped, "ann")
    bodies = [json.loads(body) for call, body in kms.between.bodies if call in ("GenerateDataKey", "Decrypt")]
    assert [body["EncryptionContext"] for body in bodies] == [CONTEXT, CONTEXT]
    assert bodies[1]["KeyId"].endswith(kms.keys[0]), "only the key that wrapped it may open it"
