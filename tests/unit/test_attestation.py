"""Attestation documents: a real one at its own time, a chain of our own, and everything that must be refused."""

from __future__ import annotations

import base64
import random
import time
from datetime import UTC, datetime, timedelta
from functools import cache

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

import outside
from enclave_rig import DEBUG_IMAGE, IMAGE, OTHER_IMAGE, Nitro, links, usage
from sdt.domain.attestation import (
    NITRO_ROOT_SHA256,
    AttestationRefused,
    ImagePolicy,
    check_document,
    read_document,
)
from sdt.domain.errors import Invalid, SdtError
from sdt.signing.attestation import check_origin, verify_attestation

NONCE = b"asked by a test"
DAY_MS = 86_400_000


def real() -> bytes:
    return base64.b64decode((outside.data_folder("nitro") / "attestation.b64").read_bytes())


@cache
def nitro() -> Nitro:
    return Nitro()


def now_ms() -> int:
    return int(time.time() * 1000)


def refused(raw: bytes, policy: ImagePolicy | None = None, nonce: bytes = NONCE, at_ms: int | None = None) -> str:
    """Return which check refuses a document."""
    with pytest.raises(SdtError) as caught:
        verify_attestation(raw, policy or nitro().policy(), nonce, at_ms or now_ms())
    return getattr(caught.value, "check", caught.value.code)


# The document of a real enclave


def test_a_real_document_is_vouched_for_by_amazons_root_at_its_own_time():
    document = read_document(real())
    check_origin(document, NITRO_ROOT_SHA256, document.timestamp_ms)
    assert document.module_id == "i-0918f6c55e3b61d89-enc018aa8b8e2285d13"
    assert len(document.pcrs) == 16 and len(document.cabundle) == 4


@pytest.mark.parametrize("off_ms", [-DAY_MS, DAY_MS, 3000 * DAY_MS])
def test_a_real_document_counts_at_no_other_time(off_ms):
    document = read_document(real())
    with pytest.raises(AttestationRefused) as caught:
        check_origin(document, NITRO_ROOT_SHA256, document.timestamp_ms + off_ms)
    assert caught.value.check == "validity"


def test_the_real_enclave_ran_in_debug_mode_and_no_policy_lets_it_in():
    document = read_document(real())
    assert document.debug and document.nonce is not None
    for images in ((), (IMAGE,), ({number: bytes(48) for number in (0, 1, 2)},)):
        with pytest.raises(AttestationRefused) as caught:
            check_document(document, ImagePolicy(images), document.nonce, document.timestamp_ms)
        assert caught.value.check == "debug"


def test_a_real_document_with_any_bit_changed_is_refused():
    raw = real()
    at_ms = read_document(raw).timestamp_ms
    for bit in random.Random(7).sample(range(8 * len(raw)), 1000):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SdtError):
            check_origin(read_document(bytes(changed)), NITRO_ROOT_SHA256, at_ms)


# A chain of our own


def test_a_document_of_the_right_image_answers_the_question_asked():
    raw = nitro().document(NONCE, public_key=b"key", user_data=b"data")
    document = verify_attestation(raw, nitro().policy(), NONCE, now_ms())
    assert (document.public_key, document.user_data) == (b"key", b"data")
    assert verify_attestation(b"\xd2" + raw, nitro().policy(), NONCE, now_ms()).pcrs == document.pcrs


def test_an_old_and_a_new_image_are_both_let_in_and_no_mixture_of_them():
    policy = nitro().policy(IMAGE, OTHER_IMAGE)
    for image in (IMAGE, OTHER_IMAGE):
        verify_attestation(nitro().document(NONCE, image), policy, NONCE, now_ms())
    assert refused(nitro().document(NONCE, {**IMAGE, 0: OTHER_IMAGE[0]}), policy) == "image"


@pytest.mark.parametrize("register", [0, 1, 2, 3, 8])
def test_another_register_than_the_policys_is_refused(register):
    wanted = {**IMAGE, 3: b"\x66" * 48, 8: b"\x77" * 48}
    verify_attestation(nitro().document(NONCE, wanted), nitro().policy(wanted), NONCE, now_ms())
    other = {**wanted, register: b"\x99" * 48}
    assert refused(nitro().document(NONCE, other), nitro().policy(wanted)) == "image"


def test_a_policy_without_images_lets_nobody_in():
    for images in ((), ({},)):
        policy = ImagePolicy(images, root_sha256=nitro().root_sha256)
        assert refused(nitro().document(NONCE), policy) == "image"


def test_every_one_of_these_is_refused_by_its_own_check():
    ours = nitro()
    assert refused(ours.document(NONCE), ImagePolicy((IMAGE,))) == "root"
    assert refused(Nitro().document(NONCE)) == "root"
    assert refused(ours.document(NONCE, DEBUG_IMAGE), ours.policy(DEBUG_IMAGE)) == "debug"
    assert refused(ours.document(b"another")) == "nonce"
    assert refused(ours.document(None)) == "nonce"
    assert refused(ours.document(None), nonce=b"") == "nonce"
    assert refused(ours.document(b""), nonce=b"") == "nonce"
    assert refused(ours.document(NONCE, timestamp=now_ms() - 301_000)) == "age"
    assert refused(ours.document(NONCE, timestamp=now_ms() + 31_000)) == "age"
    assert refused(ours.document(NONCE), at_ms=now_ms() + 4 * 3_600_000) == "validity"
    assert refused(ours.document(NONCE), at_ms=now_ms() - 2 * 3_600_000) == "validity"


@pytest.mark.parametrize("name", ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "user_data"])
@pytest.mark.parametrize("value", [[], {}, [[]], {"a": []}, b"", "", -1, True, None])
def test_a_member_of_another_kind_is_refused_and_breaks_nothing(name, value):
    content = nitro().content(NONCE) | {name: value}
    if (name, value) in (("user_data", None), ("user_data", b"")):
        return
    assert refused(nitro().sign(cbor2.dumps(content))) == "attestation_document"


def chain(**changes: dict[str, object]) -> Nitro:
    """A chain with some links changed: root, region, zone, instance, leaf."""
    made = links()
    for name, values in changes.items():
        for field, value in values.items():
            setattr(made[("root", "region", "zone", "instance", "leaf").index(name)], field, value)
    return Nitro(made)


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("validity", {"leaf": {"ends": timedelta(minutes=-1)}}),
        ("validity", {"leaf": {"begins": timedelta(minutes=1)}}),
        ("validity", {"zone": {"ends": timedelta(minutes=-1)}}),
        ("validity", {"root": {"begins": timedelta(days=1)}}),
        ("constraints", {"zone": {"ca": None}}),
        ("constraints", {"zone": {"ca": False}}),
        ("constraints", {"instance": {"usage": None}}),
        ("constraints", {"instance": {"usage": usage(digital_signature=True)}}),
        ("constraints", {"region": {"path_length": 1}}),
        ("constraints", {"root": {"path_length": 2}}),
        ("constraints", {"leaf": {"ca": True, "usage": usage(digital_signature=True, key_cert_sign=True)}}),
        ("constraints", {"leaf": {"usage": usage(key_cert_sign=True)}}),
        ("constraints", {"leaf": {"ca": None}}),
        ("curve", {"leaf": {"curve": ec.SECP256R1()}}),
        ("curve", {"zone": {"curve": ec.SECP521R1()}}),
        ("chain", {"instance": {"hash": SHA256()}}),
    ],
)
def test_a_chain_that_is_not_as_it_should_be_is_refused(check, changes):
    built = chain(**changes)
    raw = built.document(NONCE)
    if len(cbor2.loads(raw)[3]) != 96:
        envelope = cbor2.loads(raw)
        raw = cbor2.dumps([*envelope[:3], envelope[3].rjust(96, b"\0")])
    assert refused(raw, built.policy()) == check


def test_certificates_out_of_order_left_out_or_of_another_chain_are_refused():
    ours, other = nitro(), Nitro()
    root, region, zone, instance, _ = ours.ders
    for bundle in (
        [root, zone, region, instance],
        [root, region, zone],
        [root, region, instance],
        [root, region, other.ders[2], instance],
        [root],
    ):
        assert refused(ours.document(NONCE, cabundle=bundle)) in ("chain", "constraints")
    assert refused(ours.document(NONCE, cabundle=[instance, zone, region, root])) == "root"
    assert refused(ours.document(NONCE, certificate=other.ders[-1])) == "chain"
    assert refused(ours.document(NONCE, certificate=instance)) == "constraints"
    assert refused(ours.document(NONCE, certificate=b"no certificate")) == "chain"


def test_a_document_signed_by_another_key_or_changed_after_is_refused():
    ours, envelope = nitro(), cbor2.loads(nitro().document(NONCE))
    other = cbor2.loads(Nitro().document(NONCE))
    assert refused(cbor2.dumps([*envelope[:3], other[3]])) == "signature"
    assert refused(cbor2.dumps([*envelope[:3], bytes(96)])) == "signature"
    later = cbor2.dumps(ours.content(NONCE, timestamp=now_ms() + 1))
    assert refused(cbor2.dumps([*envelope[:2], later, envelope[3]])) == "signature"


def content(**changed: object) -> dict[str, object]:
    return nitro().content(NONCE) | changed


def unreadable(raw: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        read_document(raw)
    return caught.value.code


def test_another_spelling_of_the_same_document_is_refused_even_if_it_is_signed():
    usual = content()
    reordered = dict(reversed(list(usual.items())))
    canonical = cbor2.dumps(usual, canonical=True)
    mixed_pcrs = content() | {"pcrs": dict(reversed(list(usual["pcrs"].items())))}
    for payload in (cbor2.dumps(reordered), canonical, cbor2.dumps(mixed_pcrs)):
        assert unreadable(nitro().sign(payload)) == "attestation_document"
    plain = cbor2.dumps(usual)
    twice = b"\xaa" + plain[1:] + cbor2.dumps("nonce") + cbor2.dumps(NONCE)
    indefinite = b"\xbf" + plain[1:] + b"\xff"
    for payload in (twice, indefinite, plain + b"\0", b""):
        assert unreadable(nitro().sign(payload)) == "cbor"
    envelope = nitro().document(NONCE)
    for raw in (envelope + b"\0", b"\xd1" + envelope, b"\xd2\xd2" + envelope, b"\x9f" + envelope[1:] + b"\xff", b""):
        assert unreadable(raw) == "cbor"


def test_another_algorithm_or_more_headers_are_refused():
    payload = cbor2.dumps(content())
    for protected in (cbor2.dumps({1: -7}), cbor2.dumps({1: -35, 4: b"x"}), b"", cbor2.dumps({})):
        assert unreadable(nitro().sign(payload, protected=protected)) == "attestation_document"
    assert unreadable(nitro().sign(payload, unprotected={4: b"x"})) == "attestation_document"
    for envelope in ([], {}, 1, ["", {}, b"", b""], [b"\xa1\x01\x38\x22", {}, payload, bytes(95)]):
        assert unreadable(cbor2.dumps(envelope)) == "attestation_document"


@pytest.mark.parametrize(
    "changed",
    [
        {"module_id": ""},
        {"module_id": "x" * 129},
        {"module_id": b"x"},
        {"digest": "SHA256"},
        {"timestamp": 0},
        {"timestamp": -1},
        {"timestamp": True},
        {"timestamp": "now"},
        {"pcrs": {}},
        {"pcrs": []},
        {"pcrs": {0: bytes(48), 1: bytes(48)}},
        {"pcrs": {**IMAGE, 32: bytes(48)}},
        {"pcrs": {**IMAGE, "3": bytes(48)}},
        {"pcrs": {**IMAGE, 3: bytes(47)}},
        {"pcrs": {**IMAGE, 3: None}},
        {"certificate": b""},
        {"certificate": bytes(1025)},
        {"certificate": None},
        {"cabundle": []},
        {"cabundle": [b"x"] * 9},
        {"cabundle": [b""]},
        {"cabundle": [bytes(1025)]},
        {"cabundle": None},
        {"public_key": bytes(1025)},
        {"public_key": "key"},
        {"user_data": bytes(513)},
        {"nonce": bytes(513)},
        {"more": 1},
    ],
)
def test_a_field_out_of_its_bounds_is_refused(changed):
    assert unreadable(nitro().sign(cbor2.dumps(content(**changed)))) == "attestation_document"


def test_a_missing_field_is_refused_and_optional_ones_may_be_missing():
    for name in ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"):
        left = {key: value for key, value in content().items() if key != name}
        assert unreadable(nitro().sign(cbor2.dumps(left))) == "attestation_document"
    least = {key: value for key, value in content().items() if key not in ("public_key", "user_data", "nonce")}
    assert read_document(nitro().sign(cbor2.dumps(least))).nonce is None


def test_fields_as_large_as_they_may_be_are_taken_and_a_document_too_long_is_not():
    raw = nitro().document(bytes(512), public_key=bytes(1024), user_data=bytes(512))
    verify_attestation(raw, nitro().policy(), bytes(512), now_ms())
    assert unreadable(raw + bytes(16 * 1024)) == "attestation_too_long"


def test_any_bit_of_our_own_document_changed_is_refused():
    raw, policy, at_ms = nitro().document(NONCE), nitro().policy(), now_ms()
    for bit in random.Random(8).sample(range(8 * len(raw)), 300):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SdtError):
            verify_attestation(bytes(changed), policy, NONCE, at_ms)


def test_the_time_is_the_callers():
    later = datetime.now(UTC) + timedelta(days=400)
    raw = Nitro(now=later)
    stamp = int(later.timestamp() * 1000)
    document = raw.document(NONCE, timestamp=stamp)
    assert verify_attestation(document, raw.policy(), NONCE, stamp).timestamp_ms == stamp
    assert refused(document, raw.policy()) == "validity"
