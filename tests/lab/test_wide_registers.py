from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab import wide_registers
from lab.place import Place


@pytest.mark.parametrize(
    ("flags", "needed"), [("fpu avx512f amx_bf16 amx_tile amx_int8", True), ("fpu avx512f", False)]
)
def test_it_is_needed_where_the_processor_has_tiles(tmp_path: Path, flags: str, needed: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")

    assert wide_registers.are_here(cpuinfo) is needed


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is installed only where a processor has tiles")
def test_the_library_stands_in_for_ptrace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide_registers, "are_here", lambda: True)

    built = wide_registers.library(Place(tmp_path))

    assert built is not None
    symbols = subprocess.run(["nm", "-D", "--defined-only", built], capture_output=True, text=True).stdout
    assert " T ptrace" in symbols
    assert wide_registers.library(Place(tmp_path)) == built, "and is not built again"
