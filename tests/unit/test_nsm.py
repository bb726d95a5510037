"""Requests to the security module, through the structure that the driver takes, against a stand-in behind it."""

from __future__ import annotations

import time

import cbor2
import pytest

from enclave_rig import IMAGE, Nitro, StandInModule
from sdt.signing.attestation import verify_attestation
from sdt.signing.enclave.nsm import Nsm, NsmFailed


@pytest.fixture(scope="module")
def nitro() -> Nitro:
    return Nitro()


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "nsm"
    path.touch()
    return path


def test_a_document_repeats_what_was_asked(nitro, device):
    module = StandInModule(nitro)
    raw = Nsm(device, module.ioctl).attest(b"nonce", public_key=b"key", user_data=b"data")
    document = verify_attestation(raw, nitro.policy(IMAGE), b"nonce", int(time.time() * 1000))
    assert (document.public_key, document.user_data) == (b"key", b"data")
    assert module.asked == [{"Attestation": {"user_data": b"data", "nonce": b"nonce", "public_key": b"key"}}]


def test_random_bytes_come_from_the_module(nitro, device):
    nsm = Nsm(device, StandInModule(nitro).ioctl)
    one, two = nsm.random(), nsm.random()
    assert len(one) == len(two) == 256 and one != two


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        cbor2.dumps({"Error": "InvalidArgument"}),
        cbor2.dumps({"Error": 5}),
        cbor2.dumps({"Attestation": {"document": b""}}),
        cbor2.dumps({"Attestation": {"document": "text"}}),
        cbor2.dumps({"Attestation": b"document"}),
        cbor2.dumps({"GetRandom": {"random": b"r"}}),
        cbor2.dumps(["Attestation"]),
    ],
)
def test_whatever_else_the_module_answers_is_an_error(nitro, device, answer):
    with pytest.raises(NsmFailed):
        Nsm(device, StandInModule(nitro, answer=answer).ioctl).attest(b"nonce")


def test_a_module_that_refuses_is_quoted(nitro, device):
    with pytest.raises(NsmFailed, match="InputTooLarge"):
        Nsm(device, StandInModule(nitro).ioctl).attest(bytes(600))


def test_a_machine_without_the_module_says_so(tmp_path, device):
    with pytest.raises(NsmFailed, match="No such file"):
        Nsm(tmp_path / "none").attest(b"nonce")
    with pytest.raises(NsmFailed):  # the system's own ioctl, on what is no module
        Nsm(device).attest(b"nonce")


def test_a_request_too_long_is_not_made(nitro, device):
    module = StandInModule(nitro)
    with pytest.raises(NsmFailed):
        Nsm(device, module.ioctl).attest(b"nonce", user_data=bytes(5000))
    assert module.asked == []
