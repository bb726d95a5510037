"""Build the package of the functions: `python deploy/aws/build_functions.py [FOLDER]`, with pip alone.

What is installed stands with its hashes in functions.lock; wheels for Lambda's own system, nothing is compiled. What no
function imports stays out. The same sources make the same package, byte for byte, and its name is its digest, so that
the same code is no change to CloudFormation.
"""

from __future__ import annotations

import compileall
import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
UNZIPPED_BYTES_MAX = 250 * 1024 * 1024
"""Source: AWS Lambda Developer Guide, "Lambda quotas" (deployment package, unzipped, layers included)."""
RUNTIME = "3.13"
"""Python of the functions, as functions.yaml says."""
PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in range(34, 16, -1)), "manylinux2014_x86_64")
"""Wheels that run with glibc 2.34, Amazon Linux 2023."""
PARTS = (
    *(
        "adapters",
        "api",
        "config",
        "domain",
        "functions",
        "observing",
        "ports",
        "regions",
        "store",
        "worker",
        "workflows",
    ),
    *("__init__.py", "backends.py", "deployed.py", "vendors.py"),
)
"""Of sdt: what a function's handler reaches. A test imports every handler from a package and from nowhere else."""
LEFT_OUT = ("adapters/chain/embedded", "functions/local", "adapters/vendor/shipped/*/samples")
SERVICES = {"kms", "rds", "secretsmanager", "sqs", "ssm", "sts"}
"""Of botocore's descriptions of hundreds of services: those that some function makes a client of."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Package:
    """What was built. Units: bytes as Lambda counts them, before and after unzipping."""

    file: Path
    digest: str
    zipped_bytes: int
    unzipped_bytes: int

    @property
    def key(self) -> str:
        """Its name in the bucket, which is the parameter PackageKey."""
        return f"functions/{self.digest}.zip"


def install(target: Path, python: str) -> None:
    """Install what functions.lock lists, each file by its hash. Errors: CalledProcessError, with pip's own words."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--require-hashes", "--only-binary", ":all:", "--no-deps", "--python-version", python),
            *("--implementation", "cp", *platforms, "--target", str(target), "-r", str(HERE / "functions.lock")),
        ],
        check=True,
    )


def prune(target: Path) -> None:
    """Take away what no function reads: programs, tests, types, and services that are never called."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    for folder in [*target.rglob("tests"), *target.rglob("__pycache__")]:
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in ("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h"):
        for file in target.rglob(pattern):
            file.unlink()
    for described in (target / "botocore" / "data").iterdir():
        if described.is_dir() and described.name not in SERVICES:
            shutil.rmtree(described)
    for name in ("examples", "boto3/examples", "boto3/data"):
        shutil.rmtree(target / name, ignore_errors=True)


def copy_platform(target: Path) -> None:
    """Copy the part of the platform that functions reach, and the regions' files."""
    source, package = ROOT / "src" / "sdt", target / "sdt"
    package.mkdir()
    for part in PARTS:
        origin = ROOT / "regions" if part == "regions" else source / part
        if origin.is_file():
            shutil.copyfile(origin, package / part)
        else:
            shutil.copytree(origin, package / part, ignore=shutil.ignore_patterns("__pycache__"))
    for pattern in LEFT_OUT:
        for folder in package.glob(pattern):
            shutil.rmtree(folder)


def compile_ahead(target: Path, python: str) -> None:
    """Compile for the functions' own Python, if this is it: Lambda cannot keep what it compiles at a cold start."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        compileall.compile_dir(
            target,
            quiet=1,
            stripdir=str(target),
            prependdir="/var/task",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
    else:
        print(f"built by another Python than {python}: cold starts will compile", file=sys.stderr)


def pack(target: Path, folder: Path) -> Package:
    """Zip a folder in one order and with one time, and name the file by its digest."""
    made = folder / "functions.zip"
    unzipped = 0
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in _files(target):
            entry = zipfile.ZipInfo(str(file.relative_to(target)), _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            content = file.read_bytes()
            unzipped += len(content)
            archive.writestr(entry, content)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    named = made.rename(folder / f"{digest}.zip")
    return Package(named, digest, named.stat().st_size, unzipped)


def _files(target: Path) -> Iterator[Path]:
    yield from sorted(
        file for file in target.rglob("*") if file.is_file() and file.name not in ("RECORD", "direct_url.json")
    )


def build(folder: Path, python: str = RUNTIME) -> Package:
    """Build the package in a folder, which keeps what is in it under `package`.

    Errors: CalledProcessError; AssertionError for a package that Lambda would refuse.
    """
    target = folder / "package"
    shutil.rmtree(folder, ignore_errors=True)
    target.mkdir(parents=True)
    install(target, python)
    prune(target)
    copy_platform(target)
    compile_ahead(target, python)
    package = pack(target, folder)
    assert package.unzipped_bytes < UNZIPPED_BYTES_MAX, f"{package.unzipped_bytes} bytes are more than Lambda takes"
    return package


def main(argv: Sequence[str]) -> None:
    """Build, and say what the deployment is told."""
    package = build(Path(argv[0]) if argv else ROOT / "dist" / "functions")
    mib = 1024 * 1024
    print(f"{package.file}: {package.zipped_bytes / mib:.1f} MiB, unzipped {package.unzipped_bytes / mib:.1f} MiB")
    print(f"PackageKey = {package.key!r}".replace("'", '"'))


if __name__ == "__main__":
    main(sys.argv[1:])
