"""Several labs: every number is somebody's, and what they recorded is read as it was."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chaos.labs import read, shares, write
from chaos.verdict import Run, Verdict


@given(first=st.integers(1, 50), runs=st.integers(0, 60), labs=st.integers(1, 9))
def test_the_numbers_are_shared_out_without_a_gap(first: int, runs: int, labs: int) -> None:
    pieces = shares(first, runs, labs)
    assert [n for piece in pieces for n in piece] == list(range(first, first + runs))
    assert not pieces or max(map(len, pieces)) - min(map(len, pieces)) <= 1
    assert all(pieces)


def test_a_record_gives_its_runs_back(tmp_path: Path) -> None:
    ok = Run(1, 0, "Assign", ["server1"], ["web killed at 1.0 s"], "done", 9.5, {"review": 0.5})
    bad = Run(2, verdict=Verdict(lost=["an operation"]))
    for run in (ok, bad):
        write(run, tmp_path / "record")
    assert read(tmp_path / "record") == [ok, bad]
