"""Namespaces that stand for a panel, a router, a switch and a server, with a real sshd on the server.

    panel 10.78.0.254 -- 10.78.0.1 router 10.77.0.1 -- switch -- eth0 10.77.0.11 server

The panel is behind the router, so that a lost default route of the server is a lost panel. The server has
what real ones have: secondary addresses, a label, a policy table, proxied neighbours, several IPv6 addresses.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from networks.host import transaction_script
from networks.host.answers import Answer, parse_answer
from networks.host.grammar import HostPlan

_numbers = itertools.count()

SERVER_LAYER_3 = """
addr add 10.77.0.11/24 brd + dev eth0
addr add 10.77.0.12/24 dev eth0 label eth0:1
addr add 192.0.2.5/32 dev eth0
addr add fd77::10/64 dev eth0 nodad
addr add fd77::11/64 dev eth0 nodad
route add default via 10.77.0.1 dev eth0
route add 198.51.100.0/24 via 10.77.0.1 dev eth0 table 100 src 10.77.0.12
route add ::/0 via fd77::1 dev eth0 metric 512
route add fd99::/64 via fd77::1 dev eth0 table 100
neigh add proxy 10.77.0.101 dev eth0
neigh add proxy fd77::101 dev eth0
"""


def run(
    *argv: str, stdin: str = "", check: bool = True, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"{argv} gave {done.returncode}: {done.stderr or done.stdout}")
    return done


@dataclass
class Result:
    """What the script answered: exit code and parsed answer."""

    code: int
    answer: Answer
    raw: str

    @property
    def state(self) -> str:
        return self.answer.get("state")


@dataclass
class Server:
    """The server's namespace and the script in it. `env` is passed to the script (faults, roots)."""

    prefix: str
    root: Path
    shell: tuple[str, ...] = ("/bin/sh",)
    env: dict[str, str] = field(default_factory=dict)
    guests: list[str] = field(default_factory=list)
    noisy: bool = False
    """Expect words on standard error (a full disk), which are a fault otherwise."""
    keeper: subprocess.Popen[bytes] | None = None
    """Holds a mount namespace with the server's /sys: what runs there can make namespaces too."""

    def ns(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def inside(self, where: str = "s") -> tuple[str, ...]:
        if where == "s" and self.keeper:
            return ("nsenter", "-t", str(self.keeper.pid), "-m", "-n")
        return ("ip", "netns", "exec", self.ns(where))

    def run(self, *argv: str, stdin: str = "", where: str = "s", check: bool = True) -> str:
        return run(*self.inside(where), *argv, stdin=stdin, check=check).stdout

    def batch(self, lines: str, where: str = "s") -> None:
        run("ip", "-n", self.ns(where), "-batch", "-", stdin=lines)

    @property
    def script(self) -> Path:
        return self.root / "transaction.sh"

    @property
    def run_dir(self) -> Path:
        return self.root / "run"

    @property
    def committed(self) -> str:
        path = self.root / "etc/committed"
        return path.read_text() if path.exists() else ""

    def environment(self, **more: str) -> dict[str, str]:
        places = {
            "VNP_RUN": str(self.run_dir),
            "VNP_ETC": str(self.root / "etc"),
            "VNP_LIB": str(self.root / "lib"),
            "VNP_SYS": str(self.root / "sys"),
            "VNP_LEAST": "2",
            "VNP_POLL": "0.2",
            "VNP_GAP": "20",
            "VNP_SHELL": self.shell[0] if len(self.shell) == 1 else str(self.root / "shell"),
        }
        return places | self.env | more

    def call(self, *words: str, stdin: str = "", check: bool = False, **env: str) -> Result:
        """The script run at the server's console (no SSH)."""
        argv = (*self.inside(), *self.shell, str(self.script), *words)
        whole = {k: v for k, v in os.environ.items() if not k.startswith("SSH_")} | self.environment(**env)
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=120, env=whole)
        return self._result(words, done, check)

    def _result(self, words: tuple[str, ...], done: subprocess.CompletedProcess[str], check: bool) -> Result:
        if done.returncode < 0 or (not done.stdout and done.returncode == 137):
            return Result(-9, Answer(), done.stdout)
        if done.returncode == 255 and not done.stdout:
            return Result(255, Answer(), done.stderr)
        assert self.noisy or not done.stderr, f"{words}: {done.stderr}"
        result = Result(done.returncode, parse_answer(done.stdout.encode()), done.stdout)
        assert result.answer.get("done") == str(done.returncode)
        assert not check or result.code == 0, f"{words}: {done.stdout}"
        return result

    def plan(self, plan: HostPlan) -> Result:
        return self.call("plan", stdin=plan.render())

    def apply(self, txid: str, plan: HostPlan, seconds: int = 15, digest: str = "", **env: str) -> Result:
        digest = digest or self.plan(plan).answer.digest
        return self.call("apply", txid, str(seconds), digest, stdin=plan.render(), **env)

    def confirm(self, txid: str, check: bool = True, gap: float = 0.25) -> Result:
        """Both confirmations, as if from two new connections."""
        first = self.call("confirm", txid, "1", f"10.78.0.254 {next(_numbers) + 20000} 10.77.0.11 22")
        if first.code or first.state == "committed":
            assert not check or first.code == 0, first.raw
            return first
        time.sleep(gap)
        second = self.call("confirm", txid, "2", f"10.78.0.254 {next(_numbers) + 20000} 10.77.0.11 22")
        assert not check or second.code == 0, second.raw
        return second

    def wait_for(self, txid: str, *states: str, seconds: float = 20) -> str:
        end = time.monotonic() + seconds
        while (state := self.call("status", txid).state) not in states:
            assert time.monotonic() < end, f"{txid} is still {state}: {self.log(txid)}"
            time.sleep(0.1)
        return state

    def log(self, txid: str) -> str:
        found = [self.run_dir / "txn" / txid / name for name in ("journal", "log", "stuck")]
        return "\n".join(path.read_text() for path in found if path.exists())

    def quiet(self, seconds: float = 8) -> None:
        """Waits until both watchers are gone."""
        end = time.monotonic() + seconds
        for lock in [*self.run_dir.glob("txn/*/*.lock"), self.run_dir / "transaction.lock"]:
            while lock.exists() and run("flock", "-n", str(lock), "true", check=False).returncode:
                assert time.monotonic() < end, f"{lock} is still held"
                time.sleep(0.05)

    def reboot(self) -> None:
        """What a power cut leaves: the disk, and what the operating system configures at boot."""
        kill_watchers(self)
        for line in self.run("ip", "-o", "link", "show", "type", "bridge").splitlines():
            self.batch(f"link del {line.split()[1].rstrip(':')}")
        self.batch("addr flush dev eth0\nlink set eth0 down")
        shutil.rmtree(self.run_dir)
        configure(self)

    def wait_for_local_routes(self, seconds: float = 8) -> None:
        """The kernel gives an IPv6 address its local route from a work queue, so a moment later."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lines = self.run("ip", "-6", "-o", "addr", "show", "up", "scope", "global").splitlines()
            wanted = {f"local {words[3].split('/')[0]} dev {words[1]} " for words in map(str.split, lines)}
            routes = self.run("ip", "-6", "-o", "route", "show", "table", "local")
            if all(route in routes for route in wanted):
                return
            time.sleep(0.05)

    def state(self) -> str:
        """The server's network in canonical words: the oracle of every test. Volatile things left out."""
        self.wait_for_local_routes()
        out = []
        for line in self.run("ip", "-o", "link").splitlines():
            words = line.split()
            name = words[1].split("@")[0].rstrip(":")
            if name == "lo":
                continue
            keep = [w for key in ("mtu", "master", "link/ether") for w in _after(words, key)]
            flags = "UP" if "UP" in words[2].strip("<>").split(",") else "DOWN"
            out.append(f"link {name} {flags} {' '.join(keep)}")
        for family in ("-4", "-6"):
            for line in self.run("ip", family, "-o", "addr").splitlines():
                if "scope link" not in line:
                    words = line.split("\\")[0].replace(" nodad", "").replace(" tentative", "").split()
                    out.append(f"addr {' '.join(words[1:])}")
            routes = self.run("ip", family, "-o", "route", "show", "table", "all").splitlines()
            out += sorted(
                f"route{family} {' '.join(line.replace(' linkdown', '').split())}"
                for line in routes
                if "ff00::" not in line and "fe80::" not in line
            )
            out += sorted(f"rule{family} {line}" for line in self.run("ip", family, "rule").splitlines())
            out += sorted(
                f"proxy{family} {line.strip()}"
                for line in self.run("ip", family, "neigh", "show", "proxy").splitlines()
            )
        files = "cd /proc/sys/net; grep -s '' ipv4/conf/*/{rp_filter,arp_ignore,arp_announce,proxy_arp}"
        files += " ipv4/conf/*/forwarding ipv6/conf/*/{disable_ipv6,forwarding,proxy_ndp,accept_ra}"
        files += "; cd /sys/class/net; grep -s '' */bridge/{stp_state,forward_delay}; :"
        out += self.run("bash", "-c", files).splitlines()
        return "\n".join(out) + "\n"

    def reaches(self, address: str, where: str = "p", tries: int = 1) -> bool:
        argv = ("ip", "netns", "exec", self.ns(where), "ping", "-c", "1", "-W", "1", address)
        return any(run(*argv, check=False).returncode == 0 for _ in range(tries))

    def add_guest(self, ctid: int, address: str, n: int = 0) -> str:
        """A container stand-in: namespace, veth pair named as vzctl names it, not in any bridge."""
        name, host = self.ns(f"g{ctid}"), f"veth{ctid}.{n}"
        if name not in self.guests:
            run("ip", "netns", "add", name)
            self.guests.append(name)
        self.batch(f"link add {host} type veth peer name ge{n} netns {name}\nlink set {host} up")
        run("ip", "-n", name, "link", "set", f"ge{n}", "name", f"eth{n}")
        lines = f"link set lo up\nlink set eth{n} up\naddr add {address} dev eth{n}\n"
        run("ip", "-n", name, "-batch", "-", stdin=lines)
        return host

    def remove_guest(self, ctid: int) -> None:
        self.guests.remove(self.ns(f"g{ctid}"))
        run("ip", "netns", "del", self.ns(f"g{ctid}"))


def _after(words: list[str], key: str) -> list[str]:
    return [key, words[words.index(key) + 1]] if key in words else []


@contextmanager
def server(shell: tuple[str, ...] = ("/bin/sh",)) -> Iterator[Server]:
    """A server with its surroundings, all of it removed afterwards."""
    prefix = f"vh{os.getpid():x}n{next(_numbers):x}"
    root = Path(tempfile.mkdtemp(prefix="vnp-host-"))
    rig = Server(prefix, root, shell)
    for name in ("run", "etc", "lib", "sys"):
        (root / name).mkdir()
    rig.script.write_text(transaction_script())
    (root / "shell").write_text(f'#!/bin/sh\nexec {" ".join(shell)} "$@"\n')
    (root / "shell").chmod(0o755)
    try:
        _wire(rig)
        yield rig
    finally:
        _tear_down(rig)


def _wire(rig: Server) -> None:
    for name in "prws":
        run("ip", "netns", "add", rig.ns(name))
        rig.batch("link set lo up", name)
        # A router whose fe80:: is still being checked for duplicates asks for no neighbour: a second lost.
        rig.run("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad", where=name)
    rig.keeper = subprocess.Popen(("ip", "netns", "exec", rig.ns("s"), "sleep", "infinity"))
    while "sleep" not in Path(f"/proc/{rig.keeper.pid}/comm").read_text():
        time.sleep(0.01)
    rig.batch(
        f"""
        link add sw type bridge forward_delay 0
        link set sw up
        link add p1 type veth peer name eth0 netns {rig.ns("s")}
        link add p2 type veth peer name eth0 netns {rig.ns("r")}
        link set p1 master sw up
        link set p2 master sw up
        """,
        "w",
    )
    rig.batch(f"link add eth1 type veth peer name eth0 netns {rig.ns('p')}", "r")
    rig.batch(
        """
        link set eth0 up
        link set eth1 up
        addr add 10.77.0.1/24 dev eth0
        addr add fd77::1/64 dev eth0 nodad
        addr add 10.78.0.1/24 dev eth1
        addr add fd78::1/64 dev eth1 nodad
        """,
        "r",
    )
    rig.run(
        "sh",
        "-c",
        "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
        where="r",
    )
    rig.batch(
        """
        link set eth0 up
        addr add 10.78.0.254/24 dev eth0
        addr add fd78::254/64 dev eth0 nodad
        route add default via 10.78.0.1
        route add ::/0 via fd78::1
        """,
        "p",
    )
    rig.run(
        "sh",
        "-c",
        "for f in /proc/sys/net/bridge/bridge-nf-call-*; do echo 0 >$f; done 2>/dev/null; :",
        where="w",
    )
    configure(rig)
    rig.batch("rule add from 10.77.0.12 lookup 100")


def configure(rig: Server) -> None:
    """As the server's operating system does at boot."""
    rig.batch("link set eth0 address 02:00:00:77:00:11\nlink set eth0 up")
    rig.batch(SERVER_LAYER_3)
    rig.reaches("10.77.0.1", "s")


def kill_watchers(rig: Server) -> None:
    watchers = set()
    for journal in rig.run_dir.glob("txn/*/journal"):
        for line in journal.read_text().splitlines():
            if line.startswith(("worker ", "deadman ")):
                watchers.add(line.split()[1])
    for pid in watchers:
        cmdline = Path(f"/proc/{pid}/cmdline")
        if cmdline.exists() and str(rig.script).encode() in cmdline.read_bytes():
            os.kill(int(pid), 9)


def _tear_down(rig: Server) -> None:
    kill_watchers(rig)
    if rig.keeper:
        rig.keeper.kill()
        rig.keeper.wait()
    for name in [rig.ns(n) for n in "spwr"] + rig.guests:
        run("ip", "netns", "del", name, check=False)
    shutil.rmtree(rig.root, ignore_errors=True)
