"""A server in network namespaces of this machine: bridges, two containers, hostile conf files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodes.facts import ServerFacts
from nodes.probe import new_nonce, probe_command
from nodes.probe_output import parse_look


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True)
class Server:
    """The namespace of the server, its folder tree, and its two running containers."""

    name: str
    tree: Path
    ctids: tuple[str, str]

    def look(self, *shell: str, path: str = "", **environment: str) -> bytes:
        """What the probe prints here, run by `shell`; the nonce is NONCE."""
        command = probe_command(NONCE)
        words = (*(shell or ("sh",)), *command.argv[1:])
        return self.run(*words, stdin=command.stdin, path=path, **environment)

    def run(self, *words: str, stdin: bytes = b"", path: str = "", **environment: str) -> bytes:
        """What a program prints here that finds this server's trees where the probe looks."""
        env = {
            "PROBE_VZ": str(self.tree / "vz"),
            "PROBE_ETC": str(self.tree / "etc"),
            "PROBE_RUN": str(self.tree / "run"),
            "PROBE_PATH": path or f"{self.tree / 'bin'}:{os.defpath}:/usr/sbin:/sbin",
            "SSH_CONNECTION": "10.1.0.254 50000 10.1.0.11 22",
            "PATH": os.environ["PATH"],
            **environment,
        }
        argv = ["ip", "netns", "exec", self.name, *words]
        return subprocess.run(argv, input=stdin, capture_output=True, check=True, env=env, timeout=60).stdout

    def facts(self, *shell: str, path: str = "", **environment: str) -> ServerFacts:
        return parse_look(self.look(*shell, path=path, **environment), NONCE)


NONCE = new_nonce()
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e"


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _tree(root: Path, first: str, second: str) -> None:
    """Conf files good, hostile and broken, and answers of vzctl and vzlist 4.11."""
    conf = root / "vz/conf"
    _write(
        conf / f"{first}.conf",
        f'ONBOOT="yes"\nNAME="{HOSTILE}"\nHOSTNAME="ct.example"\nIP_ADDRESS="10.1.0.101"\n'
        f'DESCRIPTION="$(touch {root}/owned) `touch {root}/owned`"\n'
        f'NETIF="ifname=eth0,bridge=br0,mac=00:18:51:00:00:01,host_ifname=pba{first[-6:]},'
        f'host_mac=00:18:51:00:00:02"\n',
    )
    _write(
        conf / f"{second}.conf",
        f'OSTEMPLATE="x"\nNAME="y\n@{NONCE} done\n@{NONCE} end conf\n"\nNETIF=""\n',
    )
    (conf / "7.conf").write_bytes(b'HOSTNAME="\xff\xfe"\nNETIF="ifname=eth0,bri')
    _write(conf / "8.conf", "")
    _write(conf / "0.conf", 'NAME="the server"\n')
    _write(conf / "ve-basic.conf-sample", 'NAME="sample"\n')
    _write(conf / "9.conf.destroyed", 'NAME="gone"\n')
    (conf / "10.conf").symlink_to(root / "not-mounted/ve.conf")
    _write(
        conf / "0123abcd-0000-4000-8000-00000000000a.conf", 'IP_ADDRESS="10.1.0.9/255.255.255.0 $(reboot)"\n'
    )
    _write(root / "etc/committed", "txid 01-ab\nkeep bridge br0 -\nend\n")
    _write(root / "run/pending", "02-cd\n")
    _write(
        root / "bin/vzlist",
        f'#!/bin/sh\nprintf "%10s running\\n%10s running\\n" {first} {second}\necho "         7 stopped"\n',
        0o755,
    )
    _write(
        root / "bin/vzctl",
        "#!/bin/sh\ncase $1 in --version) echo vzctl version 4.11.1 ;;\n"
        'exec) exec ip netns exec "$VZ_PREFIX$2" sh -c "$3" ;; esac\n',
        0o755,
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Names carry the process id, so workers do not meet."""
    tag = f"{os.getpid():07d}"[-7:]
    first, second = f"21{tag}", f"22{tag}"
    here, hidden = f"pb{tag}", f"pbct{second}"
    tree = tmp_path_factory.mktemp("probe")
    _tree(tree, first, second)
    names = (here, first, hidden)
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        # The first container is found by its namespace's name, as on 7+; the second only through vzctl exec.
        _containers(here, first, hidden, second)
        settle(names)
        yield Server(here, tree, (first, second))
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        shutil.rmtree(tree, ignore_errors=True)


def settle(names: tuple[str, ...]) -> None:
    """Carrier and link-local addresses come a moment after the links: wait until it is quiet."""
    seen, since = b"", time.monotonic()
    while time.monotonic() - since < 1.0:
        commands = [["ip", "-n", name, "-o", *what] for name in names for what in (["addr"], ["-6", "route"])]
        now = b"".join(subprocess.run(command, capture_output=True).stdout for command in commands)
        if now != seen or b"tentative" in now:
            seen, since = now, time.monotonic()
        time.sleep(0.1)


def _containers(here: str, first: str, hidden: str, second: str) -> None:
    ip("-n", here, "link", "add", "br0", "address", "02:00:00:00:00:0b", "type", "bridge", "stp_state", "0")
    ip("-n", here, "link", "add", "br-alone", "type", "bridge", "forward_delay", "0")
    ip("-n", here, "link", "add", "eth0", "type", "veth", "peer", "name", "wire0", "netns", first)
    ip("-n", here, "link", "set", "eth0", "master", "br0", "up")
    for ctid, namespace in ((first, first), (second, hidden)):
        end = f"pba{ctid[-6:]}" if ctid == first else f"pbb{ctid[-6:]}"
        ip("-n", here, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("-n", here, "link", "set", end, "master", "br0", "up")
        ip("-n", namespace, "link", "set", "eth0", "up")
        ip("-n", namespace, "addr", "add", f"10.1.0.{101 + (ctid == second)}/24", "dev", "eth0")
    ip("-n", hidden, "link", "add", "br1", "type", "bridge")
    ip("-n", hidden, "link", "set", "eth0", "master", "br1")
    ip("-n", hidden, "link", "set", "br1", "up")
    ip("netns", "exec", hidden, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    ip("-n", here, "link", "set", "br0", "up")
    for address in ("10.1.0.11/24", "10.1.0.12/24", "192.0.2.1/32"):
        ip("-n", here, "addr", "add", address, "dev", "br0")
    ip("-n", here, "addr", "add", "10.9.0.1", "peer", "10.9.0.2/32", "dev", "br0", "label", "br0:ptp")
    ip("-n", here, "addr", "add", "fd77::11/64", "dev", "br0", "nodad")
    ip("-n", here, "route", "add", "default", "via", "10.1.0.1")
    ip("-n", here, "-6", "route", "add", "default", "dev", "br0")
    ip("-n", here, "route", "add", "10.50.0.0/16", "via", "10.1.0.2", "table", "100", "metric", "7")
    ip("-n", here, "route", "add", "10.60.0.0/16", "nexthop", "via", "10.1.0.3", "nexthop", "via", "10.1.0.4")
    ip("-n", here, "route", "add", "blackhole", "10.70.0.0/16")
    ip("-n", here, "rule", "add", "from", "10.1.0.12", "lookup", "100", "priority", "500")
    ip("-n", here, "neigh", "add", "proxy", "10.1.0.101", "dev", "br0")
    ip("-n", here, "neigh", "add", "proxy", "fd77::65", "dev", "br0")
    ip("netns", "exec", here, "sysctl", "-qw", "net.ipv4.conf.br-alone.arp_ignore=8")
    ip("netns", "exec", here, "sysctl", "-qw", "net.ipv6.conf.br-alone.disable_ipv6=1")
    ip("netns", "exec", here, "sysctl", "-qw", "net.ipv4.conf.br0.proxy_arp=1")
