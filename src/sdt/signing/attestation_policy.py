"""`attestation.toml`: which enclave images are let in. The same file serves signers, operators and clients.

```toml
age_s_max = 300
seals = ["kms arn:aws:kms:…"]  # what a signer's secrets may be sealed under
[[image]]                     # several: an old and a new image, for as long as an upgrade takes
name = "signer 0.1.0"
pcr0 = "…"                    # the image; pcr1: its kernel; pcr2: its application; 96 hex digits each
pcr1 = "…"
pcr2 = "…"
pcr8 = "…"                    # who signed the image; pcr3, pcr4: which role and instance the parent has
```
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from sdt.domain.attestation import NITRO_ROOT_SHA256, ImagePolicy
from sdt.domain.errors import Invalid

IMAGES_MAX: Final = 16
_Pcr = Annotated[str, Meta(pattern="^[0-9a-f]{96}$")]


class _Image(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    pcr0: _Pcr
    pcr1: _Pcr
    pcr2: _Pcr
    pcr3: _Pcr | None = None
    pcr4: _Pcr | None = None
    pcr8: _Pcr | None = None

    def registers(self) -> Mapping[int, bytes]:
        said = ((number, getattr(self, f"pcr{number}")) for number in (0, 1, 2, 3, 4, 8))
        return {number: bytes.fromhex(value) for number, value in said if value is not None}


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    image: Annotated[tuple[_Image, ...], Meta(min_length=1, max_length=IMAGES_MAX)]
    age_s_max: Annotated[int, Meta(ge=10, le=3600)] = 300
    seals: Annotated[tuple[str, ...], Meta(max_length=IMAGES_MAX)] = ()
    root_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] = NITRO_ROOT_SHA256.hex()


def load_policy(file: Path) -> ImagePolicy:
    """Read a policy.

    Errors: Invalid, naming what is wrong; a register of zeros too, which is what debug mode measures.
    """
    try:
        said = msgspec.convert(tomllib.loads(file.read_text()), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Invalid(f"{file.name} is not usable: {error}.", code="attestation_policy") from None
    images = tuple(image.registers() for image in said.image)
    if not all(any(register) for image in images for register in image.values()):
        raise Invalid(f"{file.name} names a register of zeros: that is debug mode.", code="attestation_policy")
    return ImagePolicy(images, said.age_s_max, bytes.fromhex(said.root_sha256), said.seals)


def agreement_of(network: str, intent_keys: Mapping[int, str], policy: bytes) -> str:
    """Return the digest of what three locations must be configured with alike: whose keys, and which images.

    The image cannot hold this, since the policy names the image. So the machine around hands it to the enclave, and
    whoever hands over another is found out by the peers. Shape: intent_keys of all three; policy the file's bytes.
    """
    keys = "".join(intent_keys[party] for party in sorted(intent_keys))
    said = "\n".join(["sdt agreement 1", network, keys, hashlib.sha256(policy).hexdigest()])
    return hashlib.sha256(said.encode()).hexdigest()
