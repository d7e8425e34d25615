"""A process that the machine has no room for just now is started a moment later, and the others go on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from vnetpanel import supervisor
from vnetpanel.supervisor import GIVE_UP_AFTER, Child, GaveUpError, Supervisor


class FullMachine:
    """In place of Popen: what it raises as long as there is no room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.refused = 0
        self.start = supervisor.subprocess.Popen
        monkeypatch.setattr(supervisor.subprocess, "Popen", self)

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.is_full:
            self.refused += 1
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return self.start(*args, **options)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FullMachine:
    return FullMachine(monkeypatch)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watching(machine: FullMachine, said: list[str], tmp_path: Path) -> Supervisor:
    """A supervisor whose only process has ended, and could not be started again just now."""
    made = Supervisor(None, said.append)
    made.start(Child("talker", ["true"], dict(os.environ), tmp_path)).wait()
    made.watch_once()
    machine.is_full = True
    watch_in_time(made)
    return made


def watch_in_time(made: Supervisor) -> None:
    """Watch once, when it is time to start the process again."""
    made.children[0].start_again_at = 0.0
    made.watch_once()


def test_it_is_tried_again_after_a_pause_and_said_why(
    watching: Supervisor, machine: FullMachine, said: list[str]
) -> None:
    assert "could not be started" in said[-1] and "Resource temporarily unavailable" in said[-1]
    child = watching.children[0]
    assert child.start_again_at is not None and machine.refused == 1
    machine.is_full = False
    before = child.process
    watch_in_time(watching)
    assert child.process is not None and child.process is not before
    assert child.process.wait() == 0


def test_it_is_given_up_when_there_is_no_room_time_and_again(
    watching: Supervisor, machine: FullMachine
) -> None:
    with pytest.raises(GaveUpError, match=r"talker.*Resource temporarily unavailable"):
        for _ in range(GIVE_UP_AFTER):
            watch_in_time(watching)
    assert machine.refused == GIVE_UP_AFTER - 1, "the end before counts as well"
