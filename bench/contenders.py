"""What people use today, doing the same work on the same servers: Ansible, OpenSSH, paramiko, and `ip` alone.

Each is set up as well as its documentation knows how: forks, pipelining, connections kept open, the key
exchange that costs least. All of it runs where the panel's worker runs, in a control group of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.farm import Farm, run
from bench.meter import Group
from nodes.probe import new_nonce, probe_script

BRIDGE = "peer0"
WIDTHS = (8, 20, 50)
FORKS = 50

# OpenSSH's default key exchange costs a client 60 ms per connection; this one costs 2.
SSH_OPTIONS = (
    "BatchMode=yes", "KexAlgorithms=curve25519-sha256", "Ciphers=aes128-gcm@openssh.com",
    "GSSAPIAuthentication=no", "LogLevel=ERROR",
)  # fmt: skip

SETTINGS = ("ipv6/conf/{}/disable_ipv6=1", "ipv4/conf/{}/arp_ignore=8", "ipv4/conf/{}/rp_filter=1",
            "ipv4/conf/{}/forwarding=0", "ipv4/conf/{}/proxy_arp=0")  # fmt: skip


def tasks(adapter: str = "eth1") -> list[str]:
    """The Change of the benchmark as six shell tasks: what the panel's plan does, without its protection."""
    # A bridge without an address of the server is kept silent; one with it must answer.
    wanted = [one.format(BRIDGE).split("=") for one in SETTINGS if adapter != "eth0"]
    settings = "; ".join(f"echo {value} >/proc/sys/net/{name}" for name, value in wanted) or "true"
    return [
        f"ip link add name {BRIDGE} type bridge stp_state 0 forward_delay 0",
        f"{settings}; ip link set dev {BRIDGE} up",
        move(adapter),
        f"ip link set dev veth101.0 master {BRIDGE}",
        f"vzctl set 101 --ifname eth0 --host_ifname veth101.0 --bridge {BRIDGE} --save",
        "ip -j -d addr show",
    ]


def move(adapter: str) -> str:
    """The adapter joins the bridge; with eth0 the server's address and route go with it, in one batch."""
    if adapter != "eth0":
        return f"ip link set dev {adapter} master {BRIDGE}"
    return (
        "a=$(ip -4 -o addr show dev eth0 | tr -s ' ' | cut -d' ' -f4); "
        f"printf 'addr add %s dev {BRIDGE}\\nlink set dev eth0 master {BRIDGE}\\n"
        f"route replace default via 10.76.0.1 dev {BRIDGE}\\naddr del %s dev eth0\\n' $a $a | ip -batch -"
    )


def look_command() -> str:
    """The probe as the panel runs it where it has looked before: servers of one kernel, no bridge yet."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"sh -s {new_nonce()} {boot} modules ip-version vzctl-version"


def batch() -> str:
    """The same as input of one `ip -batch`, for servers that have no SSH between."""
    return (
        f"link add name {BRIDGE} type bridge stp_state 0 forward_delay 0\n"
        f"link set dev {BRIDGE} up\nlink set dev eth1 master {BRIDGE}\n"
        f"link set dev veth101.0 master {BRIDGE}\naddr show\n"
    )


class Contenders:
    """The rivals, ready to run. `ansible` is the folder of its programs."""

    def __init__(self, farm: Farm, group: Group, ansible: Path) -> None:
        self.farm = farm
        self.group = group
        self.ansible = ansible
        self.folder = farm.folder
        self.log = self.folder / "contenders.log"

    def start(self, *words: str, stdin: str = "", env: dict[str, str] | None = None) -> None:
        """Run a program beside the controller, in the contenders' group, to its end."""
        with self.log.open("a") as log:
            done = subprocess.run(
                [*self.group.prefix, *self.farm.inside, *words], input=stdin, text=True, stdout=log,
                stderr=log, env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, timeout=1200,
            )  # fmt: skip
        if done.returncode:
            raise RuntimeError(
                f"{words[0]} gave {done.returncode}; see {self.log}: {self.log.read_text()[-600:]}"
            )

    # -- Ansible

    def ansible_runs(self, size: int, kind: str, adapter: str = "eth1") -> None:
        """The Change as six tasks, as one shell task, or as one raw task; or the probe as a task ("look")."""
        commands = tasks(adapter)
        match kind:
            case "six":
                found = [{"shell": command} for command in commands]
            case "shell" | "raw":
                found = [{kind: " && ".join(commands)}]
            case "look":
                script = self.folder / "probe.sh"
                script.write_text(probe_script())
                # Ansible's own templates would read ${#word} as the beginning of a comment.
                text = f"{{% raw %}}{probe_script()}{{% endraw %}}"
                found = [{"shell": {"cmd": look_command(), "stdin": text}}]
            case _:
                found = [{"raw": "true"}]
        play = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": kind, **one} for one in found]}]
        book = self.folder / f"{kind}.json"
        book.write_text(json.dumps(play))
        self.start(str(self.ansible / "ansible-playbook"), "-i", str(self._hosts(size)), str(book),
                   env=self._ansible_environment())  # fmt: skip

    def _hosts(self, size: int) -> Path:
        path = self.folder / f"hosts-{size}"
        common = f"ansible_user=root ansible_ssh_private_key_file={self.farm.key}"
        common += " ansible_python_interpreter=/usr/bin/python3"
        path.write_text("".join(f"{address} {common}\n" for address in self.farm.addresses(size)))
        return path

    def _ansible_environment(self) -> dict[str, str]:
        options = " ".join(f"-o {one}" for one in SSH_OPTIONS)
        keep = f"-o ControlMaster=auto -o ControlPersist=900 -o UserKnownHostsFile={self.folder}/known_hosts"
        return {
            "ANSIBLE_FORKS": str(FORKS),
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_SSH_ARGS": f"{keep} {options}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "a"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_STDOUT_CALLBACK": "default",
        }

    # -- OpenSSH

    def ssh_words(self) -> list[str]:
        words = ["ssh", "-i", str(self.farm.key), "-o", f"UserKnownHostsFile={self.folder}/known_hosts",
                 "-o", f"ControlPath={self.folder}/m/%h"]  # fmt: skip
        return [*words, *(word for one in SSH_OPTIONS for word in ("-o", one))]

    def open_masters(self, size: int) -> None:
        """One connection to each server that stays open."""
        (self.folder / "m").mkdir(exist_ok=True)
        options = " ".join((*self.ssh_words(), "-o", "ControlMaster=auto", "-o", "ControlPersist=900"))
        self.start("xargs", "-P", "20", "-I{}", "sh", "-c", f"{options} {{}} true >/dev/null 2>&1 </dev/null",
                   stdin=self._list(size))  # fmt: skip

    def over_masters(self, size: int, width: int, command: str, stdin: Path | None = None) -> None:
        """The command on every server over its open connection, so many at a time."""
        source = f"<{stdin}" if stdin else "-n"
        line = f"{' '.join(self.ssh_words())} {{}} '{command}' {source} >/dev/null"
        self.start("xargs", "-P", str(width), "-I{}", "sh", "-c", line, stdin=self._list(size))

    def look_over_masters(self, size: int, width: int) -> None:
        """The panel's own probe over open connections."""
        script = self.folder / "probe.sh"
        script.write_text(probe_script())
        self.over_masters(size, width, look_command(), script)

    def change_over_masters(self, size: int, width: int) -> None:
        """The Change over open connections, one command a server."""
        script = self.folder / "change.sh"
        script.write_text("set -e\n" + "\n".join(tasks()) + "\n")
        self.over_masters(size, width, "sh -s", script)

    def _list(self, size: int) -> str:
        return "".join(f"{address}\n" for address in self.farm.addresses(size))

    # -- without SSH

    def batches(self, size: int) -> None:
        """`ip -batch` in every server's namespace, as many at a time as there are processors, without SSH."""
        script = self.folder / "change.batch"
        script.write_text(batch())
        names = "".join(f"{self.farm.name(number)}\n" for number in range(size))
        line = f"ip -n {{}} -j -d -batch {script} >/dev/null"
        self.start("xargs", "-P", str(os.cpu_count() or 2), "-I{}", "sh", "-c", line, stdin=names)

    # -- afterwards

    def undo(self, size: int) -> None:
        """Every server as it was before; from outside, and not measured."""

        def one(number: int) -> None:
            name = self.farm.name(number)
            run("ip", "-n", name, "link", "del", BRIDGE, check=False)
            pid = self.farm.processes[number].pid
            run("nsenter", "-t", str(pid), "-m", "sed", "-i", 's/,bridge=[^,;"]*//', "/etc/vz/conf/101.conf")

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(one, range(size)))

    def undo_move(self, size: int) -> None:
        """As `undo`, where eth0 was moved."""
        for number in range(size):
            lines = f"link set dev eth0 nomaster\naddr add {self.farm.address(number)}/16 dev eth0\n"
            lines += f"link del {BRIDGE}\nroute replace default via 10.76.0.1 dev eth0\n"
            run("ip", "-n", self.farm.name(number), "-batch", "-", stdin=lines)
        # The controller has learnt the hardware address of the bridge, which is gone.
        run("ip", "-n", self.farm.hub, "neigh", "flush", "dev", "hub")
        self.undo(size)

    def close(self) -> None:
        """End what stays open."""
        for pid in self.group.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 5
        while self.group.pids() and time.monotonic() < end:
            time.sleep(0.05)


def attached(farm: Farm, size: int, bridge: str, ports: Sequence[str]) -> list[int]:
    """Servers, by number, on which a port is not in the bridge: what was done, looked at from outside."""
    wrong = []
    for number in range(size):
        links = farm.links(number)
        if any(links.get(port) != bridge for port in ports):
            wrong.append(number)
    return wrong
