"""A process of the panel that cannot be started at all ends the start with a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vnetpanel.supervisor import Child, GaveUpError, Supervisor

from .conftest import RunningPanel


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def not_executable(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o600)


def no_program(path: Path) -> None:
    path.write_bytes(b"\x00\x01\x02\x03")
    path.chmod(0o700)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (missing, "No such file or directory"),
        (not_executable, "Permission denied"),
        (no_program, "Exec format error"),
    ],
)
def test_it_is_named_with_the_reason(made: Callable[[Path], None], why: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    made(program)
    supervisor = Supervisor(tmp_path / "log", print)
    with pytest.raises(GaveUpError, match=rf"^talker could not be started: .*{why}.*{program}.*\.$"):
        supervisor.start(Child("talker", [str(program)], dict(os.environ), tmp_path))
    supervisor.stop()


def test_so_is_one_whose_folder_is_gone(tmp_path: Path) -> None:
    supervisor = Supervisor(None, print)
    with pytest.raises(GaveUpError, match=r"talker could not be started: .*nowhere"):
        supervisor.start(Child("talker", ["true"], dict(os.environ), tmp_path / "nowhere"))


@pytest.mark.xdist_group("panel")
def test_the_whole_panel_ends_with_one_sentence_and_without_a_traceback(
    start_panel: Callable[..., RunningPanel], tmp_path: Path
) -> None:
    for name in ("valkey-server", "redis-server"):
        no_program(tmp_path / name)
    panel = start_panel(PATH=f"{tmp_path}:{os.environ['PATH']}")
    panel.said(r"broker could not be started: .*Exec format error")
    assert panel.process.wait(60) == 1
    assert not any("Traceback" in line for line in panel.lines)
