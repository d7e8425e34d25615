"""Pings, from where this process lives or from inside a server or container of the lab."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from lab.lab import Lab


def answers(address: str) -> bool:
    """True if ``address`` answers one ping of this process."""
    return subprocess.run(["ping", "-q", "-c1", "-W2", address], capture_output=True).returncode == 0


def reaches(lab: Lab, server: str, address: str, container: str = "") -> bool:
    """True if ``address`` answers one ping sent by a server, or by a container on it."""
    inside = f"ip netns exec ct{container} " if container else ""
    return lab.execute(server, f"{inside}ping -q -c1 -W2 {address}").ok


def within(seconds: float, question: Callable[[], bool]) -> bool:
    """Ask again until the answer is yes or the time is over."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
