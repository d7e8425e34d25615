"""Keeps the panel's processes running together and ends them together.

Each process is a child in a session of its own, so that Ctrl-C in the terminal reaches only the supervisor,
which then ends them one after the other in the right order. The kernel ends them when the supervisor itself
is killed. One that ends by itself is started again, after a pause that grows while it keeps failing.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
#: A process that ran this long is taken to have worked: its next end is a new trouble.
STABLE_S = 30.0
LONGEST_PAUSE_S = 30.0
#: Ends in a row, each before STABLE_S, after which starting it again is given up.
GIVE_UP_AFTER = 6
LOG_BYTES = 10_000_000
"""A log file that has grown larger is put aside, in place of the one that was."""

_libc = ctypes.CDLL(None, use_errno=True)


class GaveUpError(Exception):
    """A process ends again and again, or cannot be started at all; the text names it, and its log."""


@dataclass
class Child:
    """One process to keep running: what to call it, how to start it, and how long it may take to end."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    folder: Path
    stop_s: float = 10.0
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_again_at: float | None = None


def die_with_parent() -> None:
    """Runs in the child before its program: SIGTERM when the supervisor dies, however it dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Supervisor:
    """Starts children in order, watches them, stops them in reverse order."""

    def __init__(self, log_dir: Path | None, say: Callable[[str], None]) -> None:
        """Children write to files in log_dir, or to our own standard error when it is None."""
        self.log_dir = log_dir
        self.say = say
        self.children: list[Child] = []
        self.stopping = False

    def start(self, child: Child) -> subprocess.Popen[bytes]:
        """Start one more process and keep it running from now on; GaveUpError if it cannot be started."""
        self.children.append(child)
        try:
            return self.spawn(child)
        except OSError as error:
            raise GaveUpError(f"{child.name} could not be started: {error}.") from None

    def spawn(self, child: Child) -> subprocess.Popen[bytes]:
        """Start the process of a child."""
        log = self.open_log(child.name)
        try:
            child.process = subprocess.Popen(
                child.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=child.environment,
                cwd=child.folder,
                pass_fds=child.pass_fds,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        finally:
            if log is not None:
                os.close(log)
        child.started_at, child.start_again_at = time.monotonic(), None
        return child.process

    def open_log(self, name: str) -> int | None:
        """A descriptor of the child's log file."""
        if self.log_dir is None:
            return None
        self.log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self.log_dir / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def shorten_log(self, name: str) -> None:
        """Put what a large log file holds aside; whoever writes to it goes on at its new beginning."""
        if self.log_dir is None:
            return
        path = self.log_dir / f"{name}.log"
        # Whatever its disk says: no log is worth the panel's end.
        with suppress(OSError):
            if path.stat().st_size > LOG_BYTES:
                # On a full disk there is no room for a copy: what is there must go all the same.
                with suppress(OSError):
                    shutil.copy(path, path.with_suffix(".log.1"))
                os.truncate(path, 0)

    def watch_once(self) -> None:
        """Look at every child and start again those that ended; GaveUpError when one ends too often."""
        now = time.monotonic()
        for child in self.children:
            self.shorten_log(child.name)
            if child.start_again_at is not None:
                if now >= child.start_again_at:
                    self.start_again(child, now)
            elif child.process is not None and (code := child.process.poll()) is not None:
                child.failures = 0 if now - child.started_at > STABLE_S else child.failures
                self.note_end(child, f"ended with code {code}", now)

    def start_again(self, child: Child, now: float) -> None:
        """Start a child that ended; a machine that has no room for it just now may have some in a moment."""
        try:
            self.spawn(child)
        except OSError as error:
            self.note_end(child, f"could not be started: {error}", now)

    def note_end(self, child: Child, what: str, now: float) -> None:
        """Decide when a child that ended, or could not be started, is started again."""
        child.failures += 1
        if child.failures >= GIVE_UP_AFTER:
            times = f"{child.failures} times in a row"
            raise GaveUpError(f"{child.name} failed {times}, the last time it {what}{self.where(child)}.")
        pause = min(LONGEST_PAUSE_S, 0.25 * 4 ** (child.failures - 1))
        child.start_again_at = now + pause
        self.say(f"{child.name} {what}; starting it again{self.where(child)}")

    def where(self, child: Child) -> str:
        """Where the child wrote why."""
        return f" (see {self.log_dir / child.name}.log)" if self.log_dir else ""

    def stop(self) -> None:
        """End all children, the last started first; one that does not end in its time is killed."""
        self.stopping = True
        for child in reversed(self.children):
            process = child.process
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            try:
                process.wait(child.stop_s)
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} did not end within {child.stop_s:.0f} s and is killed")
                # The whole session: a web server's workers would outlive their killed master.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
