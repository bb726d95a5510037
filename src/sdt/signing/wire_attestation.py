"""What locations say to each other, and to the coordinator, about the enclaves that they run in."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Nonce = Annotated[bytes, Meta(min_length=16, max_length=64)]


class Attest(msgspec.Struct, frozen=True, tag="attest", forbid_unknown_fields=True):
    """Ask a location which image it runs, with a nonce of the asker's own."""

    nonce: Nonce


class Attested(msgspec.Struct, frozen=True, tag="attested"):
    """Its security module's document; empty from a location in no enclave, which nobody may take for a yes."""

    document: Annotated[bytes, Meta(max_length=16 * 1024)]
