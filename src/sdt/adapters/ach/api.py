"""Delivery by the bank's own API, spoken to as the vendor's folder says: each file under a key, its name."""

from __future__ import annotations

import hashlib

from sdt.adapters.vendor.agreement import same
from sdt.adapters.vendor.mapped import MappedVendor
from sdt.domain.errors import Conflict, NotFound
from sdt.ports.ach_files import FILE_NAME, FileStanding, Inbound, InboundContent, InboundListing, TakenFile
from sdt.ports.evidence import VendorFault

__all__ = ["ApiAchFiles"]


class ApiAchFiles:
    """The `AchFiles` port over a bank's HTTP API."""

    def __init__(self, vendor: MappedVendor) -> None:
        self._vendor = vendor

    async def put(self, name: str, data: bytes) -> None:
        """Hand a file to the bank."""
        digest = hashlib.sha256(data).hexdigest()
        asked = {"name": name, "sha256": digest, "content": data}
        taken = await self._vendor.call("put_file", TakenFile, asked, name)
        same(name=(name, taken.name), sha256=(digest, taken.sha256))

    async def standing(self, name: str, digest: str) -> FileStanding:
        """Return whether the bank has a file. Errors: Conflict."""
        try:
            taken = await self._vendor.call("file_state", TakenFile, {"name": name})
        except NotFound:
            return FileStanding.ABSENT
        same(name=(name, taken.name))
        if taken.sha256 != digest:
            raise Conflict(f"The bank has another file under the name {name}.", code="ach_file_name")
        return FileStanding.PRESENT

    async def inbound(self, after: int) -> Inbound:
        """Return the next files for us."""
        files = (await self._vendor.call("inbound_files", InboundListing, {"after": after})).files
        if not all(FILE_NAME.fullmatch(file.name) for file in files):
            raise VendorFault("The bank lists a file under a name that is none.")
        return Inbound(tuple(file.name for file in files), max([after, *(file.sequence for file in files)]))

    async def fetch(self, name: str) -> bytes:
        """Return a file for us, as its digest says it is."""
        found = await self._vendor.call("inbound_file", InboundContent, {"name": name})
        same(name=(name, found.name), sha256=(found.sha256, hashlib.sha256(found.content).hexdigest()))
        return found.content

    async def close(self) -> None:
        """Close the connections."""
        await self._vendor.close()
