"""Starts one function as Lambda does and says what it took: CPU up to its first event, and the most memory it ever had.

`python function_start.py NAME SERVICE…` in an environment that names a home; SERVICE are those of Amazon's that the
function goes on speaking to where it is deployed. Screening then asks its list, which it reads at the first question.
"""

from __future__ import annotations

import importlib
import re
import sys
import time
from pathlib import Path
from typing import Any

ASKED = ("Vladimir Putin", "Jane Doe", "Bank Melli Iran", "Maria Elena Gonzalez")


def main(name: str, services: list[str]) -> None:
    """Print CPU milliseconds and megabytes."""
    began = time.process_time()
    # Parameter Store is read first of all, and its client let go; the others stay
    _clients(["ssm"])
    function = importlib.import_module(f"sdt.functions.entry.{name}").handler.__self__
    clients = _clients(services)
    ms = (time.process_time() - began) * 1000
    if name == "screening":
        _ask(function)
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert peak is not None
    assert len(clients) == len(services)
    print(f"{ms:.0f} {int(peak[1]) / 1024:.0f}")


def _clients(services: list[str]) -> list[Any]:
    """Make the clients that settings of a deployment would have made on the way: no call is needed for it."""
    from sdt.adapters.aws import client
    from sdt.config import load_settings

    settings = load_settings()
    return [client(service, settings.aws, once=service == "ssm") for service in services]


def _ask(function: Any) -> None:
    from sdt.domain.sanctions.subjects import Subject

    parties = [[Subject(role="person", name=name, street="1 Main Street", city="Austin")] for name in ASKED]
    _, found = function._loop.run_until_complete(function._sanctions._searcher.find(parties, 80))
    assert [bool(each) for each in found] == [True, False, True, False], found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
