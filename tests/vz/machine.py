"""A physical server just big enough for containers: its own namespaces, the stand-ins in a folder.

One process holds a network and a mount namespace (its own /run and /sys); when it ends, all it had is gone.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STAND_INS = Path(__file__).parents[2] / "lab" / "vz"

SHELLS = ("dash", "busybox sh", "bash --posix")

# up0 has the server's address and default route, as a real one's eth0; its other end is a host on the LAN.
_HOLD = """
mount -t tmpfs run /run && mount -t sysfs sys /sys
ip netns add lan
ip link set lo up
ip link add up0 address 02:00:0a:09:00:01 type veth peer name lan0 netns lan
ip addr add 10.9.0.1/24 dev up0; ip addr add fd77::1/64 dev up0 nodad
ip link set up0 up
ip -n lan addr add 10.9.0.254/24 dev lan0; ip -n lan addr add fd77::254/64 dev lan0 nodad
ip -n lan link set lan0 up
ip route add default via 10.9.0.254 dev up0
ip route add ::/0 via fd77::254 dev up0
for bridge in br0 br1; do ip link add $bridge type bridge && ip link set $bridge up; done
echo ready
exec sleep 3600
"""


@dataclass(frozen=True)
class Answer:
    """What a command said: output lines, error lines, exit code."""

    out: tuple[str, ...]
    err: tuple[str, ...]
    rc: int


class Machine:
    """One server with the stand-ins of one generation, run by one shell."""

    def __init__(self, pid: int, root: Path, dialect: str, shell: str) -> None:
        self.pid, self.root, self.dialect, self.shell = pid, root, dialect, shell

    def run(self, *words: str, timeout_s: float = 60) -> Answer:
        """Run ``vzctl``, ``vzlist`` or any other program on the server."""
        if words[0] in {"vzctl", "vzlist"}:
            script = self.root / "usr/sbin" / words[0]
            words = (*self.shell.split(), str(script), *words[1:])
        done = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-n", "-m", "--", *words],
            capture_output=True, text=True, timeout=timeout_s,
            env={"VZ_ROOT": str(self.root), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        return Answer(tuple(done.stdout.splitlines()), tuple(done.stderr.splitlines()), done.returncode)

    def ok(self, *words: str) -> str:
        """Run, expect success, return standard output."""
        answer = self.run(*words)
        assert answer.rc == 0, (words, answer)
        return "\n".join(answer.out)

    def write(self, path: str, text: str) -> Path:
        """Write a file below the server's root."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def conf(self, ctid: str | int) -> str:
        """The conf file of a container, wherever its link points."""
        path = self.root / f"etc/vz/conf/{ctid}.conf"
        if path.is_symlink():
            path = self.root / str(path.readlink()).lstrip("/")
        return path.read_text() if path.exists() else ""

    def line(self, ctid: str | int, key: str) -> str:
        """The line of the conf file that begins with ``key=``, or nothing."""
        return next((one for one in self.conf(ctid).splitlines() if one.startswith(f"{key}=")), "")

    def links(self) -> set[str]:
        """Names of the server's links that belong to containers."""
        names = re.findall(r"(?m)^\d+: ([^:@]+)", self.ok("ip", "-o", "link", "show"))
        return set(names) - {"lo", "up0", "br0", "br1"}

    def ports(self) -> dict[str, str]:
        """Bridge ports and the bridge that each is in."""
        return dict(re.findall(r"(?m)^\d+: ([^:@]+).* master (\S+)", self.ok("ip", "-o", "link", "show")))

    def ping(self, address: str, asker: str = "") -> bool:
        """True if ``address`` answers the server, a container (its CTID) or the host on the LAN ("lan")."""
        words = ["ping", "-c1", "-W5", address]
        if asker == "lan":
            words = ["ip", "netns", "exec", "lan", *words]
        elif asker:
            words = ["vzctl", "exec", asker, *words]
        return self.run(*words).rc == 0


@contextmanager
def machine(root: Path, dialect: str, shell: str = "dash") -> Iterator[Machine]:
    """A server with stand-ins of generation ``"4"`` or ``"7"``; gone with everything when the block ends."""
    subprocess.run([STAND_INS / "install", dialect, root / "usr", root / "etc"], check=True)
    holder = subprocess.Popen(
        ["unshare", "-n", "-m", "--propagation", "private", "sh", "-c", _HOLD],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "ready"
        yield Machine(holder.pid, root, dialect, shell)
    finally:
        holder.kill()
        holder.communicate()


def masked(line: str, hide: Sequence[str] = ()) -> str:
    """A line without what differs from run to run: MACs, names made of MACs, process ids, trailing blanks."""
    line = re.sub(r"(?i)\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "MAC", line)
    line = re.sub(r"\bveth[0-9a-f]{8}\b", "vethMAC", line)
    line = re.sub(r"\bpid[ =]\d+", "pid N", line)
    for word in hide:
        line = line.replace(word, "")
    return line.rstrip()
