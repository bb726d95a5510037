"""Print the signer's part of requirements.lock: `python deploy/enclave/lock.py > deploy/enclave/requirements.lock`.

Run in an environment made from requirements-dev.lock: who needs whom is read from what is installed.
"""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

ROOTS = (
    "aiohttp",
    "coincurve",
    "cryptography",
    "eth-hash",
    "gmpy2",
    "mpyc",
    "msgspec",
    "numpy",
    "pycryptodome",
    "pynacl",
    "uvloop",
)
"""What the signer and its joint jobs import."""
LOCK = Path(__file__).parents[2] / "requirements.lock"


def plain(name: str) -> str:
    """Return a distribution's name in its one spelling. Source: PyPA, "Names and normalization"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed() -> set[str]:
    """Return the roots and what they need, without extras."""
    found: set[str] = set()
    open_ = list(ROOTS)
    while open_:
        name = plain(open_.pop())
        if name in found:
            continue
        found.add(name)
        needs = (Requirement(text) for text in requires(name) or ())
        open_ += [each.name for each in needs if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def main() -> None:
    """Print the entries, in the order of the whole lock."""
    names, keep = needed(), False
    missing = set(names)
    for line in LOCK.read_text().splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            name = plain(re.split(r"[=\[ ]", line)[0])
            keep = name in names
            missing.discard(name)
        if keep:
            print(line)
    assert not missing, f"requirements.lock lacks {sorted(missing)}"


if __name__ == "__main__":
    main()
