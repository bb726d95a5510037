"""Shares sealed under a key that KMS gives to an attested image only, and the envelope in which it comes."""

from __future__ import annotations

import asyncio
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.signing import SigningKey

from enclave_rig import OTHER_IMAGE, Nitro, StandInModule
from kms_rig import KEY, REGION, FakeKms, enveloped
from sdt.domain.errors import SdtError
from sdt.signing.config import load_signer_config
from sdt.signing.enclave import kms
from sdt.signing.enclave.cms import CmsBroken, open_enveloped
from sdt.signing.enclave.kms import PURPOSE, KmsFailed, sealing_key
from sdt.signing.enclave.nsm import Nsm
from sdt.signing.proxy import Proxy, Route
from sdt.signing.reseal import Target, reseal
from sdt.signing.seal import SealBroken
from sdt.signing.sockets import Endpoint
from signing_rig import Rig


@pytest.fixture(scope="module")
def nitro() -> Nitro:
    return Nitro()


@pytest.fixture
def service(tmp_path, nitro):
    service = FakeKms(tmp_path, nitro)
    yield service
    service.close()


@pytest.fixture
def nsm(tmp_path, nitro):
    (tmp_path / "nsm").touch()
    return Nsm(tmp_path / "nsm", StandInModule(nitro).ioctl)


@pytest.fixture
def folder(tmp_path, service):
    made = tmp_path / "folder"
    made.mkdir()
    (made / "kms.toml").write_text(service.settings())
    (made / "seal.kms").write_bytes(service.new_data_key(PURPOSE))
    return made


@pytest.mark.parametrize("indefinite", [True, False])
def test_the_attested_image_gets_the_same_key_every_time(folder, service, nsm, indefinite):
    service.indefinite = indefinite
    key = sealing_key(folder, nsm)
    assert len(key) == 32 and sealing_key(folder, nsm) == key
    # and the key was neither in what was asked nor in what was answered in the clear
    plain, attested = service.seen[0::2], service.seen[1::2]
    assert all("Recipient" not in request for request in plain) and len(plain) == len(attested) == 2
    assert all(request["Recipient"]["AttestationDocument"] for request in attested)


def test_another_image_is_refused_by_the_keys_policy(folder, service, nitro, tmp_path):
    other = Nsm(tmp_path / "nsm", StandInModule(nitro, OTHER_IMAGE).ioctl)
    (tmp_path / "nsm").touch()
    with pytest.raises(KmsFailed, match="AccessDeniedException") as caught:
        sealing_key(folder, other)
    assert "secret words" not in caught.value.detail


def test_a_module_of_another_root_is_refused(folder, tmp_path):
    (tmp_path / "nsm").touch()
    with pytest.raises(KmsFailed, match="InvalidCiphertextException"):
        sealing_key(folder, Nsm(tmp_path / "nsm", StandInModule(Nitro()).ioctl))


def test_a_key_whose_policy_demands_no_attestation_is_not_used(folder, service, nsm):
    service.image = None
    with pytest.raises(KmsFailed) as caught:
        sealing_key(folder, nsm)
    assert caught.value.code == "kms_in_clear"
    assert len(service.seen) == 1


def test_a_key_of_which_it_cannot_be_seen_whether_it_demands_attestation_is_not_used(folder, service, nsm):
    # given a service too busy to say whether it gives the key without a document, and ready to give it with one
    service.busy_without_document = True
    with pytest.raises(KmsFailed, match="ThrottlingException") as caught:
        sealing_key(folder, nsm)
    assert caught.value.code == "kms_failed" and len(service.seen) == 1


def test_an_answer_under_another_key_is_not_used(folder, service, nsm):
    service.answers_key = "arn:aws:kms:us-test-1:111122223333:key/another"
    with pytest.raises(KmsFailed, match="another key"):
        sealing_key(folder, nsm)


def test_a_blob_of_another_purpose_or_changed_does_not_open(folder, service, nsm):
    (folder / "seal.kms").write_bytes(service.new_data_key({"sdt": "something else"}))
    with pytest.raises(KmsFailed):
        sealing_key(folder, nsm)
    (folder / "seal.kms").write_bytes(b"")
    with pytest.raises(SdtError, match="no ciphertext"):
        sealing_key(folder, nsm)


def test_a_service_that_cannot_show_the_right_certificate_gets_nothing(folder, service, nsm):
    (folder / "kms.toml").write_text(service.settings(region="us-other-1"))  # a name that its certificate has not
    with pytest.raises(KmsFailed, match="SSLCertVerificationError"):
        sealing_key(folder, nsm)
    (folder / "kms.toml").write_text(service.settings(authority=""))  # and one that no known authority gave
    with pytest.raises(KmsFailed, match="SSLCertVerificationError"):
        sealing_key(folder, nsm)
    assert service.seen == []


def test_a_key_of_a_role_that_is_not_the_services_is_refused(folder, nsm, monkeypatch):
    monkeypatch.setitem(KEY, "SecretAccessKey", "as the metadata says")
    honest = kms.signed_headers
    monkeypatch.setattr(kms, "signed_headers", lambda key, *more: honest(kms.AwsKey(key.id, "wrong", key.token), *more))
    with pytest.raises(KmsFailed, match="InvalidSignatureException"):
        sealing_key(folder, nsm)


def test_nothing_of_a_roles_key_is_shown():
    assert "secret" not in repr(kms.AwsKey("id", "secret", "token")) and "token" not in repr(
        kms.AwsKey("i", "s", "token")
    )


@pytest.mark.parametrize("text", ["", "region = 5", 'region = "x"\nmore = "y"\n', 'region = "US EAST"\n'])
def test_settings_that_are_none_are_refused(folder, nsm, text):
    (folder / "kms.toml").write_text(text)
    with pytest.raises(SdtError) as caught:
        sealing_key(folder, nsm)
    assert caught.value.code == "kms_settings"


def test_a_machine_that_does_not_answer_is_named_and_nothing_else(folder, service, nsm):
    (folder / "kms.toml").write_text(service.settings(credentials="tcp://127.0.0.1:1"))
    with pytest.raises(KmsFailed, match="ConnectionRefusedError"):
        sealing_key(folder, nsm)


async def test_the_key_comes_through_the_proxy(folder, service, nsm, tmp_path):
    routes = []
    for name, to in (("kms", service.kms), ("imds", service.credentials)):
        (tmp_path / name).mkdir()
        routes.append(Route(name, Endpoint.parse(f"unix://{tmp_path / name}:1"), Endpoint.parse(to)))
    proxy = Proxy(routes)
    await proxy.start()
    (folder / "kms.toml").write_text(
        service.settings(kms=f"unix://{tmp_path / 'kms'}:1", credentials=f"unix://{tmp_path / 'imds'}:1")
    )
    assert len(await asyncio.to_thread(sealing_key, folder, nsm)) == 32
    await proxy.close()


# A signer's folder under it


@pytest.mark.slow
def test_a_locations_secrets_go_over_to_kms_and_open_in_the_enclave_only(tmp_path, service, nsm, nitro):
    rig = Rig(tmp_path / "home", stocked=True)
    folder = rig.folder(1)
    (folder / "kms.toml").write_text(service.settings())
    (folder / "seal.kms").write_bytes(service.new_data_key(PURPOSE))
    before = load_signer_config(folder)
    key = before.intent_key(before.sealer())
    # when its secrets are sealed under the key from KMS
    assert reseal(before, Target(kms=nsm)) > 100
    config = load_signer_config(folder)
    assert config.seal == "kms" and not (folder / "seal.key").exists()
    # then the enclave opens them
    assert isinstance(key, SigningKey) and bytes(config.intent_key(config.sealer(nsm))) == bytes(key)
    # and neither another image does, nor the machine without an enclave
    with pytest.raises(SealBroken, match="AccessDenied"):
        config.sealer(Nsm(tmp_path / "nsm", StandInModule(nitro, OTHER_IMAGE).ioctl))
    with pytest.raises(SealBroken, match="enclave only"):
        config.sealer()
    # and provisioning anew keeps it so
    Rig(tmp_path / "home")
    assert load_signer_config(folder).seal == "kms"


# The envelope


@pytest.fixture(scope="module")
def mine() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("indefinite", [True, False])
@pytest.mark.parametrize("size", [0, 32, 5000])
def test_what_openssl_encrypts_for_the_key_opens(mine, indefinite, size):
    content = random.Random(size).randbytes(size)
    assert open_enveloped(enveloped(content, public(mine), indefinite=indefinite), mine) == content


def test_another_key_another_hash_or_something_behind_does_not_open(mine):
    raw = enveloped(b"k" * 32, public(mine))
    for bad, key in (
        (raw, rsa.generate_private_key(65537, 2048)),
        (enveloped(b"k" * 32, public(mine), oaep="sha1"), mine),
        (enveloped(b"k" * 32, public(mine), oaep="sha512"), mine),
        (raw + b"\0", mine),
        (raw[:-1], mine),
        (b"", mine),
        (b"\x30\x80" * 50, mine),
        (bytes(20_000), mine),
    ):
        with pytest.raises(CmsBroken):
            open_enveloped(bad, key)


def test_an_envelope_with_a_bit_changed_opens_to_the_same_or_not_at_all(mine):
    # Neither key nor content is authenticated by CBC: a changed block may open to other bytes, never to an exception
    # of another kind; a sealing key that is wrong opens nothing.
    raw, opened = enveloped(b"k" * 32, public(mine)), 0
    for bit in random.Random(9).sample(range(8 * len(raw)), 400):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            open_enveloped(bytes(changed), mine)
            opened += 1
        except CmsBroken:
            continue
    assert opened < 200


def test_a_request_is_signed_as_amazons_own_example_is():
    # given the worked example of the documentation's key, then region and day scope the signature
    headers = kms.signed_headers(
        kms.AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        "us-east-1",
        "service",
        {"Host": "example.amazonaws.com"},
        b"",
        "20150830T123600Z",
    )
    # Source: AWS Signature Version 4 test suite, post-vanilla
    assert headers["authorization"].endswith(
        "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )
    assert f"/{REGION}/" not in headers["authorization"]
