"""What is wrong with a vendor's folder, said like a compiler: file, key, and what it should be."""

from __future__ import annotations

from sdt.domain.errors import Invalid

__all__ = ["VendorFolderInvalid"]


class VendorFolderInvalid(Invalid):
    """A vendor's folder cannot be used. `problems` are lines of the form `FILE: KEY: what is wrong`."""

    code = "vendor_folder"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
