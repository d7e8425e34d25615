"""A log file does not grow for ever while the panel runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vnetpanel import supervisor
from vnetpanel.supervisor import Child, Supervisor


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """A supervisor with one process that writes line after line."""
    monkeypatch.setattr(supervisor, "LOG_BYTES", 500)
    made = Supervisor(tmp_path / "log", lambda _: None)
    command = ["sh", "-c", "n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.01; done"]
    made.start(Child("talker", command, dict(os.environ), tmp_path))
    yield made
    made.stop()


def test_what_a_large_one_holds_is_put_aside_and_its_writer_goes_on(running: Supervisor) -> None:
    assert running.log_dir is not None
    log, aside = running.log_dir / "talker.log", running.log_dir / "talker.log.1"
    until = time.monotonic() + 20
    while not aside.exists() and time.monotonic() < until:
        running.watch_once()
        time.sleep(0.05)
    before = aside.read_text().splitlines()
    assert before[0] == "line 1" and len(before) > 30
    while not log.stat().st_size and time.monotonic() < until:
        time.sleep(0.05)
    now = log.read_bytes()
    assert now.startswith(b"line ") and len(now) < 500, "no hole where the old lines were"
    assert aside.stat().st_mode & 0o077 == 0


def test_one_that_is_small_is_left_alone(running: Supervisor) -> None:
    assert running.log_dir is not None
    for _ in range(3):
        running.watch_once()
    assert not (running.log_dir / "talker.log.1").exists()
