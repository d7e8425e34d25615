"""The panel under test, as `manage.py up` starts it, and how its parts are killed."""

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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"worker": "celery -A vnetpanel worker", "scheduler": "celery -A vnetpanel beat", "web": "gunicorn"}
STABLE_S = 32.0
"""A part that ran so long may be killed: its supervisor gives up on one that ends again and again."""


class PanelDied(Exception):
    """The panel itself gave up; the text is the end of what it said."""


class Panel:
    """One `manage.py up` in a folder of its own; this process uses the same database and broker."""

    def __init__(self) -> None:
        self.var = Path(tempfile.mkdtemp(prefix="vnp-chaos-"))
        self.lines: list[str] = []
        self.killed_at: dict[str, float] = {}
        os.environ |= {
            "VNETPANEL_VAR": str(self.var),
            "VNETPANEL_LOG_LEVEL": "WARNING",
            "VNETPANEL_WEB_PROCESSES": "1",
            "VNETPANEL_WEB_THREADS": "2",
            "VNETPANEL_WORKER_THREADS": "8",
            "VNETPANEL_MEASURE_AFTER_CHANGES": "off",
            "DJANGO_SETTINGS_MODULE": "vnetpanel.settings",
        }
        os.environ.pop("DATABASE_URL", None)
        os.environ.pop("REDIS_URL", None)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--listen", "127.0.0.1:0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.lines.append(line.rstrip("\n"))

    def again(self) -> None:
        """Start it again on the same database after it has ended; PanelDied if it does not come up."""
        self.lines = []
        self.killed_at = {}
        self.process = self._start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until it says so; PanelDied with all it said otherwise."""
        deadline = time.monotonic() + 300
        while not any(re.search("panel is ready", line) for line in self.lines):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise PanelDied("\n".join(self.lines[-30:]))
            time.sleep(0.2)

    def check(self) -> None:
        """PanelDied if it has ended."""
        if self.process.poll() is not None:
            raise PanelDied("\n".join(self.lines[-30:]))

    def may_kill(self, part: str) -> bool:
        """Whether the part has run long enough since it was killed last."""
        return time.monotonic() - self.killed_at.get(part, -STABLE_S) > STABLE_S

    def kill(self, part: str) -> None:
        """SIGKILL to the worker, the scheduler, the web server or the broker."""
        self.killed_at[part] = time.monotonic()
        for pid, arguments in self._children().items():
            if PARTS.get(part, "unixsocket" if part == "broker" else part) in arguments:
                os.kill(pid, signal.SIGKILL)

    def empty_broker(self) -> None:
        """Everything that the broker holds is lost."""
        import redis
        from django.conf import settings

        url = settings.CELERY_BROKER_URL.replace("redis+socket", "unix")
        redis.Redis.from_url(url, socket_timeout=5).flushall()

    def _children(self) -> dict[int, str]:
        """Process ids and command lines of the processes right under it."""
        listing = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
        return {int(pid): arguments for pid, parent, arguments in rows if int(parent) == self.process.pid}

    def stop(self) -> None:
        """End it, and its folder goes."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.process.kill()
        shutil.rmtree(self.var, ignore_errors=True)
