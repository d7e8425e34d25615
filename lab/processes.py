"""Find the processes of one lab by what stands on their command line, never by a number noted somewhere."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_ROUNDS = 5


def kernels(server_folder: Path) -> list[int]:
    """Process ids of the User-Mode Linux kernel (and its helpers) of one server."""
    return _with_argument(f"uml_dir={server_folder}/")


def keepers(server_folder: Path) -> list[int]:
    """Process ids of the keeper of one server."""
    return [pid for pid in _with_argument(str(server_folder)) if "lab.keeper" in _command_line(pid)]


def kill(pids: list[int], patience_s: float = 5) -> None:
    """SIGKILL ``pids`` and wait until they are gone (a zombie is gone).

    Of a kernel the processes of its server go first, while it is stopped. It carries out their system calls
    (ptrace(2)); were it gone before them, they would go on as processes of this machine: a command that is
    about to start in the server would start here.
    """
    tracers = {_status(pid, "TracerPid") for pid in pids} - {0}
    for _ in range(_ROUNDS):  # one may have been made while the kernel was about to stop
        _signal(tracers, signal.SIGSTOP)
        traced = [pid for pid in _all() if _status(pid, "PPid") in tracers and is_alive(pid)]
        if not traced:
            break
        _end(traced, patience_s)
    _end(pids, patience_s)


def _end(pids: Iterable[int], patience_s: float) -> None:
    _signal(pids, signal.SIGKILL)
    deadline = time.monotonic() + patience_s
    while any(_command_line(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def describe(pid: int) -> str:
    """A process in words for a message: its id and the start of its command line."""
    return f"process {pid} ({' '.join(_command_line(pid))[:60]})"


def is_alive(pid: int) -> bool:
    """True if a process of that id runs and is no zombie."""
    return bool(_command_line(pid))


def _with_argument(argument: str) -> list[int]:
    return [pid for pid in _all() if argument in _command_line(pid)]


def _all() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _status(pid: int, name: str) -> int:
    """A number of ``/proc/PID/status``; 0 for a process that is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _command_line(pid: int) -> list[str]:
    """Arguments of a process; empty for one that is gone, a zombie or a kernel thread."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
