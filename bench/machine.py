"""On what and of which version figures were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

__all__ = ["commit", "machine"]


def machine() -> str:
    """Return processor, cores, memory, kernel and Python of this machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    release = ".".join(platform.release().split(".")[:2])
    system = f"Linux {release}, Python {platform.python_version()}"
    return f"{model}, {cores} cores, {memory_gb:.0f} GB, {system}, load {os.getloadavg()[0]:.1f} at start"


def commit() -> str:
    """Return the commit that is checked out, marked when files differ from it."""
    git = ("git", "-C", str(Path(__file__).parent))
    try:
        found = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "src"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip() + ("+changes" if changed.stdout.strip() else "")
