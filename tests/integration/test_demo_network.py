"""The story on four real nodes, by the commands that a newcomer types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import geth

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def sdt(*words: str, expected: int = 0, timeout_s: float = 300) -> str:
    """Run a command; return what it printed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("sdt"), *words], capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == expected, (
        f"sdt {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    )
    return done.stdout


def test_a_network_is_made_told_a_story_on_grown_and_stopped(tmp_path: Path) -> None:
    net = str(tmp_path / "net")
    # Three seal and one follows.
    sdt("network", "create", net, "--client", "geth", "--nodes", "4", "--validators", "3", "--binary", geth.binary())
    sdt("network", "status", net, expected=1)
    try:
        assert "ok" in sdt("network", "start", net)
        # Nodes that run are left running by the story; it exits with 0 only if all books agreed.
        told = sdt("demo", "--once", "--network", net)
        assert "Every balance agrees, every attack was refused." in told
        assert "joining the chain with id 1337: 4 nodes" in told

        found = json.loads(sdt("network", "status", net, "--json"))
        assert found["state"] == "ok" and len(found["validators"]) == 3
        assert all(node["pid"] and node["peers"] == 3 for node in found["nodes"])

        assert "node-5 seals blocks" in sdt("network", "add-validator", net)
        found = json.loads(sdt("network", "status", net, "--json"))
        assert len(found["validators"]) == 4
    finally:
        stopped = sdt("network", "stop", net)
    assert "node-1" in stopped and "node-5" in stopped
    assert json.loads(sdt("network", "status", net, "--json", expected=1))["state"] == "down"
    assert "No node ran." in sdt("network", "stop", net)
