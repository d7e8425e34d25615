"""Find the processes of one lab by what stands on their command line, never by a number noted somewhere."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def kernels(server_folder: Path) -> list[int]:
    """Process ids of the User-Mode Linux kernel (and its helpers) of one server."""
    return _with_argument(f"uml_dir={server_folder}/")


def keepers(server_folder: Path) -> list[int]:
    """Process ids of the keeper of one server."""
    return [pid for pid in _with_argument(str(server_folder)) if "lab.keeper" in _command_line(pid)]


def kill(pids: list[int], patience_s: float = 5) -> None:
    """SIGKILL ``pids`` and wait until they are gone (a zombie is gone)."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + patience_s
    while any(_command_line(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)


def describe(pid: int) -> str:
    """A process in words for a message: its id and the start of its command line."""
    return f"process {pid} ({' '.join(_command_line(pid))[:60]})"


def is_alive(pid: int) -> bool:
    """True if a process of that id runs and is no zombie."""
    return bool(_command_line(pid))


def _with_argument(argument: str) -> list[int]:
    return [int(p.name) for p in Path("/proc").glob("[0-9]*") if argument in _command_line(int(p.name))]


def _command_line(pid: int) -> list[str]:
    """Arguments of a process; empty for one that is gone, a zombie or a kernel thread."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
