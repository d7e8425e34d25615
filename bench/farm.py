"""Many servers on one machine: a network namespace and a real sshd each, joined by one bridge.

    controller 10.76.0.1 on bridge `hub` -- eth0 10.76.X.Y of server 0, 1, 2, ...
                              bridge `lan` -- eth1 of each, free, on a wire of its own

Real kernels and real disks are the lab's business (lab/); here it is the number that counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.meter import Group

HERE = Path(__file__).resolve().parent
CONTROLLER = "10.76.0.1"


class FarmInUse(Exception):
    """Another process has servers of these names."""


SSHD_CONFIG = """\
HostKey {folder}/host_ed25519
AuthorizedKeysFile /root/.ssh/authorized_keys
PidFile none
LogLevel ERROR
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 1000
"""


def prefix() -> str:
    """What names of namespaces and groups begin with: another checkout's benchmark is not touched."""
    return "vb" + hashlib.sha256(str(HERE).encode()).hexdigest()[:5]


def run(*argv: str, stdin: str = "", check: bool = True, timeout: float = 120) -> str:
    """Standard output of a program; RuntimeError with its last words if it failed."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)} gave {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    return done.stdout


@dataclass
class Farm:
    """The servers, by number. All of them share one host key and one login key."""

    size: int
    folder: Path
    servers: Group
    prefix: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def hub(self) -> str:
        return f"{self.prefix}hub"

    @property
    def inside(self) -> list[str]:
        """Words that run a command where the controller is."""
        return ["ip", "netns", "exec", self.hub]

    @property
    def key(self) -> Path:
        return self.folder / "client_ed25519"

    @property
    def host_key(self) -> tuple[str, str]:
        """Type and base64 of the host key of every server."""
        kind, text, *_ = (self.folder / "host_ed25519.pub").read_text().split()
        return kind, text

    def name(self, number: int) -> str:
        """The network namespace of a server."""
        return f"{self.prefix}s{number}"

    def address(self, number: int) -> str:
        return f"10.76.{1 + number // 250}.{1 + number % 250}"

    def addresses(self, size: int) -> list[str]:
        return [self.address(number) for number in range(size)]

    def links(self, number: int) -> dict[str, str]:
        """Link to its master ("" for none) on a server, looked at from outside."""
        found = {}
        for line in run("ip", "-n", self.name(number), "-o", "link").splitlines():
            words = line.split()
            link = words[1].rstrip(":").partition("@")[0]
            found[link] = words[words.index("master") + 1] if "master" in words else ""
        return found

    def connections_taken(self, number: int) -> int:
        """TCP connections that the server has accepted since it started."""
        lines = Path(f"/proc/{self.processes[number].pid}/net/snmp").read_text().splitlines()
        names, values = (line.split() for line in lines if line.startswith("Tcp:"))
        return int(values[names.index("PassiveOpens")])

    def answers(self, how: Literal["at once", "late", "late and recorded"]) -> None:
        """How root's shell there answers: late is half a second later, whatever it is asked.

        Recorded: a look is what the first one found, so that it takes hardly any processor time.
        """
        shells = {"at once": "real-shell", "late": "slow-shell", "late and recorded": "recorded-shell"}
        new = self.folder / "tools" / "shell.new"
        new.symlink_to(shells[how])
        new.replace(self.folder / "tools" / "shell")

    def start(self) -> None:
        """Everything, from keys to the last sshd that answers."""
        self._keys()
        shutil.copytree(HERE / "tools", self.folder / "tools")
        (self.folder / "tools" / "real-shell").symlink_to(pwd.getpwuid(0).pw_shell)
        self.answers("at once")
        run("ip", "netns", "add", self.hub)
        run(
            "ip",
            "-n",
            self.hub,
            "-batch",
            "-",
            stdin=f"link set lo up\nlink add hub type bridge forward_delay 0\n"
            f"link set hub up\naddr add {CONTROLLER}/16 dev hub\n"
            "link add lan type bridge forward_delay 0 mcast_snooping 0\nlink set lan up\n",
        )
        for first in range(0, self.size, 25):
            for number in range(first, min(first + 25, self.size)):
                self._start(number)
            for number in range(first, min(first + 25, self.size)):
                self._wait(number)

    def _keys(self) -> None:
        for name in ("host_ed25519", "client_ed25519"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.folder / name))
        shutil.copy(self.folder / "client_ed25519.pub", self.folder / "authorized_keys")
        (self.folder / "sshd_config").write_text(SSHD_CONFIG.format(folder=self.folder))
        kind, text = self.host_key
        lines = [f"{address} {kind} {text}\n" for address in self.addresses(self.size)]
        (self.folder / "known_hosts").write_text("".join(lines))

    def _start(self, number: int) -> None:
        name = self.name(number)
        run("ip", "netns", "add", name)
        run(
            "ip",
            "-n",
            self.hub,
            "-batch",
            "-",
            stdin=f"link add p{number} type veth peer name eth0 netns {name}\n"
            f"link set p{number} master hub up\nlink add q{number} type veth peer name eth1 netns {name}\n"
            f"link set q{number} master lan up\n",
        )
        words = (
            "sh",
            str(HERE / "server.sh"),
            str(self.folder),
            self.address(number),
            str(self.folder / "tools"),
        )
        log = (self.folder / "sshd.log").open("ab")
        with log:
            self.processes.append(
                subprocess.Popen(
                    [*self.servers.prefix, "ip", "netns", "exec", name, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                )
            )

    def _wait(self, number: int) -> None:
        end = time.monotonic() + 60
        while not run("ip", "netns", "exec", self.name(number), "ss", "-Hltn", "sport = :22"):
            if time.monotonic() > end or self.processes[number].poll() is not None:
                raise RuntimeError(
                    f"server {number} did not start: {(self.folder / 'sshd.log').read_text()[-800:]}"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """End the sshds and all that they started, and remove the namespaces."""
        for pid in self.servers.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self.processes.clear()
        remove_namespaces(self.prefix)


def remove_namespaces(beginning: str) -> None:
    """Remove what a benchmark of this checkout left, however it ended."""
    names = [
        line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.startswith(beginning)
    ]
    for name in sorted(names, key=lambda name: name.endswith("hub")):
        run("ip", "netns", "del", name, check=False)


@contextmanager
def alone(beginning: str) -> Iterator[None]:
    """Nobody else has these names; an abstract socket leaves no file, and ends with its process."""
    with socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind(f"\0vnetpanel-{beginning}")
        except OSError as error:
            raise FarmInUse(beginning) from error
        yield


@contextmanager
def farm(size: int, folder: Path, beginning: str = "") -> Iterator[Farm]:
    """So many servers, all of it removed afterwards. Names begin as said, or with `prefix()`. Needs root.

    FarmInUse while another process has servers of these names, which this one would remove.
    """
    beginning = beginning or prefix()
    with alone(beginning):
        remove_namespaces(beginning)
        group = Group(f"{beginning}-servers")
        made = Farm(size, folder, group, beginning)
        try:
            made.start()
            yield made
        finally:
            made.stop()
            group.remove()
