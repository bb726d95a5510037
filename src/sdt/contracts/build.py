"""Compile the contracts, or check that the committed artifacts are what the sources compile to.

    python -m sdt.contracts.build [--check]

Needs the development dependencies: Vyper 0.4.3. The target is `london`, the oldest one this compiler has; the code
uses nothing of it that Berlin lacks, which the contract tests prove by running on Berlin.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from sdt.contracts import NAMES

__all__ = ["build", "main"]

FOLDER: Final = Path(__file__).parent
VERSION: Final = "0.4.3"
EVM_VERSION: Final = "london"
OPTIMIZE: Final = "gas"


def build(name: str) -> str:
    """Return the artifact of a contract as it is committed.

    The bytecode carries no metadata, so that it depends on nothing but source, compiler and settings.
    """
    import vyper  # type: ignore[import-untyped]
    from vyper.compiler.settings import OptimizationLevel, Settings  # type: ignore[import-untyped]

    assert vyper.__version__.startswith(VERSION), f"Vyper {VERSION} is needed, this is {vyper.__version__}"
    source = (FOLDER / f"{name}.vy").read_text()
    compiled: dict[str, Any] = vyper.compile_code(
        source,
        contract_path=f"{name}.vy",
        output_formats=["abi", "bytecode", "bytecode_runtime"],
        settings=Settings(evm_version=EVM_VERSION, optimize=OptimizationLevel.from_string(OPTIMIZE)),
        no_bytecode_metadata=True,
    )
    artifact = {
        "contract": name,
        "compiler": {"name": "vyper", "version": VERSION, "evm_version": EVM_VERSION, "optimize": OPTIMIZE},
        "source_sha256": hashlib.sha256(source.encode()).hexdigest(),
        "abi": compiled["abi"],
        "bytecode": compiled["bytecode"],
        "bytecode_runtime": compiled["bytecode_runtime"],
    }
    return json.dumps(artifact, indent=1) + "\n"


def main(arguments: list[str]) -> int:
    """Write the artifacts, or with `--check` compare them; a difference is a failure."""
    stale = []
    for name in NAMES:
        path, artifact = FOLDER / f"{name}.json", build(name)
        if arguments != ["--check"]:
            path.write_text(artifact)
        elif not path.exists() or path.read_text() != artifact:
            stale.append(name)
    if stale:
        print(f"Not what the sources compile to: {', '.join(stale)}. Run: python -m sdt.contracts.build")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
