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


@pytest.mark.slow
def test_no_module_of_a_job_keeps_the_real_pickle_where_a_message_could_reach_it():
    program = (
        "import sys, sdt.signing.job\n"
        "real = {'pickle', '_pickle', 'marshal', 'dill', 'shelve'}\n"
        "for name, module in list(sys.modules.items()):\n"
        "    if name.split('.')[0] in ('mpyc', 'sdt'):\n"
        "        for held in vars(module).values():\n"
        "            kind = '__name__' if isinstance(held, type(sys)) else '__module__'\n"
        "            where = getattr(held, kind, '')\n"
        "            if where in real: print(name, where)\n"
    )
    assert run(program).stdout == ""


def bans_broken(source: str) -> set[str]:
    """Return what a source names that no code of signing may."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", "") or ""}
            found |= {name for name in names if name.split(".")[0] in {"pickle", "marshal", "shelve", "dill"}}
        # `transfer` and MPyC's `shutdown` pickle; `reciprocal` opens an unmasked product
        if isinstance(node, ast.Attribute) and node.attr in {"transfer", "shutdown", "reciprocal"}:
            found.add(node.attr)
        if isinstance(node, ast.Constant) and node.value in ("pickle", "_pickle"):
            found.add(str(node.value))
    return found


def test_nothing_in_signing_imports_pickle_or_uses_what_sends_it():
    assert {path.name: found for path in FOLDER.glob("*.py") if (found := bans_broken(path.read_text()))} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "from pickle import loads",
        "import importlib\nimportlib.import_module('pickle')",
        "import marshal as m",
        "async def f(runtime, x):\n    return await runtime.transfer(x)",
        "def f(mpc, x):\n    return mpc.reciprocal(x)",
    ],
)
def test_a_new_way_to_pickle_would_be_found(planted):
    assert bans_broken(planted)
