"""What the hosts' scripts do that can be done here: install a package's program, run an enclave to its end."""

from __future__ import annotations

import json
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


def test_a_package_gives_a_share_up_once_for_each_word_that_it_says(tmp_path: Path) -> None:
    # Given the part of a start that puts in place what a package gives, in folders of ours
    script = (HERE / "hosts/location/install").read_text()
    part = script.split("# What this package gives")[1].split("\ninstall -d /opt/sdt\n")[0].partition("\n")[2]
    home, package = tmp_path / "home", tmp_path / "package"
    (package / "given").mkdir(parents=True)
    (tmp_path / "systemctl").write_text('#!/bin/sh\necho "$*" >>"$(dirname "$0")/calls"\nexit 5\n')
    (tmp_path / "systemctl").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "home": str(home)}

    def start(kept: str, fresh: str, *given: str) -> list[str]:
        """Start with this on the disk and a package of this; return what is in the folder then."""
        for file in (package / "given").iterdir():
            file.unlink()
        for name in given:
            (package / "given" / name).touch()
        (package / "fresh").write_text(fresh) if fresh else (package / "fresh").unlink(missing_ok=True)
        if kept:
            (home / "kept.sealed").write_text(kept)
        subprocess.run(["bash", "-euo", "pipefail", "-c", part], cwd=package, env=environment, check=True, timeout=60)
        return sorted(file.name for file in (home / "given").iterdir())

    assert start("", "", "party", "tls.pem") == ["party", "tls.pem"]
    # When a package gives the share up, then it is out of the way, and so is the certificate that is not in the package
    assert start("the first", "2026-11-27", "party") == ["party"]
    assert not (home / "kept.sealed").exists() and (tmp_path / "calls").read_text() == "stop sdt-enclave\n"
    [given_up] = home.glob("given-up-*")
    assert given_up.read_text() == "the first"
    # And the one that is made then stays, however often the host starts with that package or one that says nothing
    for fresh in ("2026-11-27", "", "2026-11-27"):
        start("the second", fresh, "party", "tls.pem")
        assert (home / "kept.sealed").read_text() == "the second"
    # A new disk has nothing to give up, and its share stays as well
    (home / "kept.sealed").unlink()
    start("", "2026-12-01", "party")
    start("the third", "2026-12-01", "party")
    assert (home / "kept.sealed").read_text() == "the third"


NITRO_CLI = """#!/usr/bin/env bash
cd "$(dirname "${BASH_SOURCE[0]}")"
echo "$*" >>calls
case $1 in
  run-enclave) exit "$(cat starts)" ;;
  describe-enclaves)
    # One line of `looks` is one answer; the last stays.
    head -n 1 looks | tr '~' '\\n'
    [[ $(wc -l <looks) -eq 1 ]] || sed -i 1d looks
    ;;
  *) exit 1 ;;
esac
"""
"""A stand-in for Amazon's program, in what of it a host needs."""


AWS = """#!/usr/bin/env bash
cd "$(dirname "${BASH_SOURCE[0]}")"
echo "aws $*" >>calls
exit 255
"""
"""A stand-in for Amazon's command line that reaches nobody."""


def run_enclave(folder: Path, looks: list[int | None], starts: int = 0, *told_as: str) -> tuple[int, list[str]]:
    """Run a location's enclave while nitro-cli shows these CIDs, one a look; return how it ended, and the calls."""
    (folder / "aws").write_text(AWS)
    (folder / "aws").chmod(0o755)
    (folder / "nitro-cli").write_text(NITRO_CLI)
    (folder / "nitro-cli").chmod(0o755)
    shown = [json.dumps([{"EnclaveCID": cid, "State": "RUNNING"}] if cid else [], indent=2) for cid in looks]
    (folder / "looks").write_text("".join(text.replace("\n", "~") + "\n" for text in shown))
    (folder / "starts").write_text(f"{starts}\n")
    command = ["bash", str(HERE / "hosts/location/enclave"), "/opt/sdt/signer.eif", "2", "1024", "16", *told_as]
    environment = {"PATH": f"{folder}:{os.defpath}", "LOOK_S": "0.01"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, (folder / "calls").read_text().splitlines()


def test_a_location_runs_its_enclave_until_it_has_ended_and_then_fails_so_that_it_is_run_again(tmp_path: Path) -> None:
    # Given an enclave that is seen, is missed twice by a busy nitro-cli, is seen again and ends, beside another CID's
    status, calls = run_enclave(tmp_path, [16, None, None, 16, 160, None, None])
    # Then what was left of an earlier one went first, ours was run once, and its end took three looks in a row
    assert status == 1
    assert calls[:2] == [
        "terminate-enclave --all",
        "run-enclave --eif-path /opt/sdt/signer.eif --cpu-count 2 --memory 1024 --enclave-cid 16",
    ]
    assert calls[2:] == ["describe-enclaves"] * 7


def test_an_enclave_that_runs_for_a_minute_is_told_of_and_one_that_starts_again_and_again_is_not(
    tmp_path: Path,
) -> None:
    told = "aws cloudwatch put-metric-data --region us-east-1"
    told += " --namespace sdt/texas --metric-name location-2-enclave --value 1"
    metric = ("sdt/texas:location-2-enclave", "us-east-1")
    # Twelve looks five seconds apart are a minute; that nobody can be told ends nothing.
    for looks, times in (([16] * 25, 2), (([16] * 11 + [None]) * 2, 0)):
        status, calls = run_enclave(tmp_path, [*looks, None, None], 0, *metric)
        assert (status, calls.count(told), sum(call.startswith("aws") for call in calls)) == (1, times, times)
        (tmp_path / "calls").unlink()


def test_an_enclave_that_does_not_boot_is_not_waited_for(tmp_path: Path) -> None:
    status, calls = run_enclave(tmp_path, [16], starts=36)
    assert status == 36 and "describe-enclaves" not in calls


def test_the_hosts_unit_starts_an_enclave_again_however_it_ended() -> None:
    script = (HERE / "hosts/location/install").read_text()
    unit = script.split("/etc/systemd/system/sdt-enclave.service <<UNIT\n")[1].split("\nUNIT\n")[0].splitlines()
    assert {"Type=simple", "Restart=always", "StartLimitIntervalSec=0"} <= set(unit)
    assert not any(line.startswith("RemainAfterExit") for line in unit)
    [start] = [line.removeprefix("ExecStart=") for line in unit if line.startswith("ExecStart=")]
    # What it starts is the package's, and gets as much as it takes
    program, *arguments = start.split()
    assert f"install -m 0755 {Path(program).name} {program}" in script and len(arguments) == 6
    assert os.access(HERE / "hosts/location" / Path(program).name, os.X_OK)
