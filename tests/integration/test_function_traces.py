"""Whose trace a payment belongs to, where the API is a function: in the database, for whoever works on it later."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from api_platform import Holder
from functions_rig import environment, front, function, prepare, signed_transfer

from databases import database_at
from sdt.store import open_store, traces

pytestmark = pytest.mark.slow

TRACED = {"SDT_TELEMETRY__ENDPOINT": "http://127.0.0.1:1", "SDT_TELEMETRY__SAMPLE": "1.0"}
CALLERS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OPENS = """
import sys
import sdt.functions.entry.api
from sdt.observing import tracing
assert tracing.started()
print(*(name for name in sys.modules if name.startswith("opentelemetry")))
"""


async def test_a_payment_that_a_function_takes_belongs_to_its_callers_trace(tmp_path: Path) -> None:
    alice, bob = Holder("alice"), Holder("bob")
    prepare(tmp_path, alice, bob)
    stored: dict[str, str] = {}
    # Given a function told to trace every request
    async with front(function("api", tmp_path, **TRACED)) as api:
        # when one payment names a trace, one none, and one declines
        for case, headers in (
            ("named", {"traceparent": CALLERS}),
            ("none", {}),
            ("declined", {"traceparent": CALLERS[:-1] + "0"}),
        ):
            stored[case] = id_ = await api.new_id()
            message = signed_transfer(id_, alice, bob)
            jose = {"Content-Type": "application/jose"}
            assert (await api.call("PUT", f"/v1/transactions/{id_}", message, **jose, **headers))[0] == 202
    # then the first goes on under its caller's span, the second under an id of its own, the third untraced
    store = open_store(database_at(tmp_path / "sdt.db"))
    found = traces.read(store, list(stored.values()), 10)
    store.close()
    assert set(found) == {stored["named"], stored["none"]}
    assert found[stored["named"]] == CALLERS
    assert found[stored["none"]][3:35] != CALLERS[3:35]


def test_deciding_imports_nothing_of_opentelemetry_at_a_cold_start(tmp_path: Path) -> None:
    prepare(tmp_path)
    told = {k: v for k, v in os.environ.items() if not k.startswith("SDT_")} | environment(tmp_path) | TRACED
    command = [sys.executable, "-c", OPENS]
    assert subprocess.run(command, env=told, check=True, capture_output=True, text=True).stdout.split() == []
