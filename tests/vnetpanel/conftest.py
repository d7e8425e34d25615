"""A whole panel as `manage.py up` starts it: its processes, its broker, its port, in a var/ of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class RunningPanel:
    """One `manage.py up`, with what it has said so far."""

    def __init__(self, var_dir: Path, **environment: str) -> None:
        self.var_dir = var_dir
        self.environment = {
            **{key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}},
            "DJANGO_SETTINGS_MODULE": "vnetpanel.settings",
            "VNETPANEL_VAR": str(var_dir),
            "VNETPANEL_WEB_PROCESSES": "1",
            "VNETPANEL_WEB_THREADS": "4",
            "VNETPANEL_WORKER_THREADS": "2",
            **environment,
        }
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--listen", "127.0.0.1:0"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        """Collect what it says."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, pattern: str) -> re.Match[str]:
        """The first line that matches; fails with all it said if there is none within a minute."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            found[:] = [match for line in self.lines if (match := re.search(pattern, line))]
            return bool(found) or self.process.poll() is not None

        until(look, 90)
        assert found, f"the panel never said {pattern!r}:\n" + "\n".join([*self.lines, *self.logs()])
        return found[0]

    def logs(self) -> list[str]:
        """The ends of all log files."""
        return [f"{path}: {path.read_text()[-2000:]}" for path in self.var_dir.glob("log/*.log")]

    @property
    def url(self) -> str:
        """Its address, once it is ready."""
        return self.said(r"panel is ready: +(http://\S+)/")[1]

    @property
    def password(self) -> str:
        """The first login's password, as printed."""
        return self.said(r"First login: +admin +(\S+)")[1]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another management command beside it."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def children(self) -> dict[int, str]:
        """Process ids and command lines of all processes under it, however deep."""
        listing = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
        family, grown = {self.process.pid}, True
        while grown:
            more = {int(pid) for pid, parent, _ in rows if int(parent) in family} - family
            family |= more
            grown = bool(more)
        return {int(pid): args for pid, _, args in rows if int(pid) in family - {self.process.pid}}

    def running(self, part: str) -> list[int]:
        """Process ids under it whose command line has that text, lowest first."""
        return sorted(pid for pid, args in self.children().items() if part in args)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return met


@pytest.fixture
def start_panel() -> Iterator[Callable[..., RunningPanel]]:
    """Starts panels that end with the test."""
    started: list[RunningPanel] = []

    def start(**environment: str) -> RunningPanel:
        started.append(RunningPanel(Path(tempfile.mkdtemp(prefix="vnp-")), **environment))
        return started[-1]

    yield start
    for panel in started:
        panel.stop()
        shutil.rmtree(panel.var_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def panel() -> Iterator[RunningPanel]:
    """One panel for all tests that only look at it (mark them `xdist_group("panel")`)."""
    folder = Path(tempfile.mkdtemp(prefix="vnp-"))
    running = RunningPanel(folder)
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)
