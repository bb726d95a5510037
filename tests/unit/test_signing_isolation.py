"""What the long-lived signer never loads, and what the joint job can never reach."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sdt.signing

FOLDER = Path(sdt.signing.__file__).parent


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_a_signer_loads_neither_mpyc_nor_web3_nor_numpy():
    program = (
        "import sys, sdt.signing.signer, sdt.signing.validation\n"
        "heavy = {'mpyc', 'web3', 'numpy', 'gmpy2', 'fastapi', 'peewee', 'pydantic', 'eth_account'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    assert run(program).stdout.strip() == "[]"


@pytest.mark.slow
def test_a_job_ignores_arguments_and_cannot_unpickle():
    # given a job's modules loaded with arguments that MPyC would obey
    program = (
        "import sys; sys.argv = ['job', '-M', '3', '--no-prss']\n"
        "import sdt.signing.mpyc_runtime as ours, asyncio, mpyc.runtime\n"
        "assert sys.argv == ['job', '-M', '3', '--no-prss'] and len(mpyc.runtime.mpc.parties) == 1\n"
        "for name in ('loads', 'dumps', 'Unpickler'):\n"
        "    try: getattr(mpyc.runtime.pickle, name)\n"
        "    except ours.PeerLost as error: print(error.code)\n"
        "async def main():\n"
        "    seat = ours.Seat(1, (('h', 1), ('h', 2), ('h', 3)), 'c', 'k', 'a')\n"
        "    runtime = ours.make_runtime(seat)\n"
        "    assert runtime.options.mix32_64bit and not runtime.options.no_prss and runtime.threshold == 1\n"
        "asyncio.run(main())\n"
    )
    result = run(program)
    assert result.stdout.split() == ["peer_lost"] * 3, result.stderr


def test_nothing_in_signing_imports_pickle_or_uses_what_sends_it():
    for path in FOLDER.glob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
                assert not names & {"pickle", "marshal", "shelve", "dill"}, path.name
            if isinstance(node, ast.Attribute):
                # `transfer` and MPyC's `shutdown` pickle; `reciprocal` opens an unmasked product
                assert node.attr not in {"transfer", "shutdown", "reciprocal"}, path.name
