"""What the hosts' scripts do that can be done here: a start installs the program that its package holds."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from templates import HERE

pytestmark = pytest.mark.slow
VENV = "/opt/sdt/venv"


def wheel(folder: Path, build: str) -> None:
    """A parent's program that says which build it is; every build has the same version."""
    folder.mkdir(exist_ok=True)
    about = "sdt-1.0.dist-info"
    with zipfile.ZipFile(folder / "sdt-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("sdt/__init__.py", f"build = {build!r}\n")
        archive.writestr(f"sdt/only_in_{build}.py", "")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: sdt\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")


def test_a_start_with_another_package_runs_its_program_though_the_version_is_the_same(tmp_path: Path) -> None:
    # Given the two commands by which a location's host installs its program, in a folder of ours
    script = (HERE / "hosts/location/install").read_text().splitlines()
    commands = [line for line in script if VENV in line and ("-m venv" in line or "pip install" in line)]
    assert len(commands) == 2
    venv = tmp_path / "venv"
    install = "\n".join(commands).replace(VENV, str(venv)).replace("python3.11", sys.executable)
    environment = {"PATH": os.defpath, "HOME": str(tmp_path)}
    for build in ("first", "second"):
        # When the host starts with a package
        wheel(tmp_path / "wheels", build)
        subprocess.run(["bash", "-euc", install], cwd=tmp_path, env=environment, check=True, timeout=120)
        # Then it runs what that package holds, and nothing of the one before
        program = [venv / "bin/python", "-I", "-c", "import sdt; print(sdt.build)"]
        assert subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip() == build
        assert [path.stem for path in venv.glob("lib/*/site-packages/sdt/only_in_*.py")] == [f"only_in_{build}"]
