"""What User-Mode Linux needs on processors with AMX, built on the machine itself (see wide_registers.c)."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.errors import LabUnavailable
from lab.place import Place

SOURCE = Path(__file__).with_name("wide_registers.c")
COMPILER = "gcc"


def are_here(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor's register state is larger than User-Mode Linux 6.1 can write back."""
    return " amx_tile" in cpuinfo.read_text()


def library(place: Place) -> Path | None:
    """The library to preload into the lab's kernels, built if it is missing; None where none is needed.

    Raises LabUnavailable if it cannot be built.
    """
    if not are_here():
        return None
    target = place.state / "kernel" / "wide_registers.so"
    if not target.exists() or target.stat().st_mtime < SOURCE.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_suffix(".new")
        argv = [COMPILER, "-O2", "-fPIC", "-shared", "-o", str(new), str(SOURCE)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            raise LabUnavailable(f"The lab could not build {SOURCE.name}: {done.stderr.strip()[:500]}")
        new.replace(target)
    return target
