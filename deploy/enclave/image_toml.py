"""Turn what nitro-cli measured into an [[image]] of attestation.toml: `image_toml.py NAME < measurements.json`."""

from __future__ import annotations

import json
import re
import sys

REGISTERS = ("PCR0", "PCR1", "PCR2", "PCR8")


def main() -> None:
    """Read, check and print."""
    measured = json.load(sys.stdin)["Measurements"]
    print("[[image]]")
    print(f"name = {json.dumps(sys.argv[1])}")
    for register in REGISTERS:
        value = measured.get(register)
        if value is None and register == "PCR8":  # only a signed image has it
            continue
        if not re.fullmatch(r"[0-9a-f]{96}", value or "") or not value.strip("0"):
            raise SystemExit(f"image_toml.py: {register} is no measurement")
        print(f'{register.lower()} = "{value}"')


if __name__ == "__main__":
    main()
