"""Who may do what with one lab: one process at a time changes it, several may use it at once.

Both are flock(2) on files in the state folder, so that a killed process holds nothing.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from lab import processes
from lab.errors import LabInUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.place import Place


@contextmanager
def changing(place: Place, report: Callable[[str], None]) -> Iterator[None]:
    """Wait for the right to start, stop or repair the lab; tells ``report`` for whom it waits."""
    place.state.mkdir(parents=True, exist_ok=True)
    with (place.state / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            report(f"Waiting for {_holder(file.read())}, which is changing this lab.")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def hold(place: Place, *, alone: bool = False, wait: bool = False) -> IO[str]:
    """Say that this process uses the lab, until it ends or the returned file is closed.

    ``alone`` shuts out every other user; ``wait`` waits for them instead of raising LabInUse.
    """
    place.state.mkdir(parents=True, exist_ok=True)
    file = (place.state / "users").open("a+")
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        named = users(place)
        file.close()
        raise LabInUse(f"This lab is in use by {', '.join(named) or 'another process'}.") from None
    _note(place, os.getpid())
    return file


def users(place: Place) -> list[str]:
    """The living processes that said they use the lab, in words, this one not counted."""
    noted = {int(word) for word in _read(place).split() if word.isdigit()}
    return [processes.describe(pid) for pid in sorted(noted - {os.getpid()}) if processes.is_alive(pid)]


def _note(place: Place, pid: int) -> None:
    living = [word for word in _read(place).split() if word.isdigit() and processes.is_alive(int(word))]
    (place.state / "users-noted").write_text(" ".join({*living, str(pid)}))


def _read(place: Place) -> str:
    try:
        return (place.state / "users-noted").read_text()
    except OSError:
        return ""


def _holder(noted: str) -> str:
    return processes.describe(int(noted)) if noted.isdigit() else "another process"
