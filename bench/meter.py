"""Processor time and memory of a group of processes, whatever they start: one control group each.

Version 1 (cpuacct, memory) and version 2 of control groups are read; making one needs root.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class NoControlGroups(Exception):
    """This machine lets nobody make control groups; the text says what is missing."""


class Group:
    """One control group. A process started with `prefix` before its words is in it from its first moment."""

    def __init__(self, name: str) -> None:
        self.is_v1 = (ROOT / "cpuacct").is_dir()
        controllers = ("cpuacct", "memory") if self.is_v1 else ("unified",)
        base = ROOT / "unified" if (ROOT / "unified").is_dir() else ROOT
        self.folders = [(ROOT / one if self.is_v1 else base) / name for one in controllers]
        try:
            for folder in self.folders:
                folder.mkdir(exist_ok=True)
        except OSError as error:
            raise NoControlGroups(f"{self.folders[0]} cannot be made: {error.strerror}") from error

    @property
    def prefix(self) -> list[str]:
        """Words that put what follows them into the group."""
        files = " ".join(f"{folder}/cgroup.procs" for folder in self.folders)
        return ["sh", "-c", f'for f in {files}; do echo $$ >"$f"; done; exec "$@"', "sh"]

    def cpu_s(self) -> float:
        """Processor seconds of everything that ever ran in the group."""
        if self.is_v1:
            return int((self.folders[0] / "cpuacct.usage").read_text()) / 1e9
        for line in (self.folders[0] / "cpu.stat").read_text().splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        raise NoControlGroups(f"{self.folders[0]}/cpu.stat has no usage_usec")

    def pids(self) -> list[int]:
        """Processes in the group now."""
        return [int(word) for word in (self.folders[0] / "cgroup.procs").read_text().split()]

    def memory_mb(self) -> float:
        """Memory that the processes in the group have made their own, now, in MB.

        A page that forks share counts once, and files that are mapped not at all. 0 where nobody counts it.
        """
        if not (self.folders[-1] / "memory.stat").exists():
            return 0.0
        words = dict(line.split() for line in (self.folders[-1] / "memory.stat").read_text().splitlines())
        return int(words["total_rss" if self.is_v1 else "anon"]) / 1e6

    def remove(self) -> None:
        """Remove the group, whose processes have ended."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except OSError:
                    time.sleep(0.1)


def machine_cpu_s() -> float:
    """Busy processor seconds of the whole machine since it started."""
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = (int(word) for word in words[:7])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
