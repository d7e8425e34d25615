"""The lab as a whole: bring it up, take it down, and everything one can do to it in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lab import console, credentials, netns, processes, wide_registers, wiring
from lab.boot_files import GUEST
from lab.definition import SERVERS, ServerDefinition, server
from lab.disk import build_disk, stage_modules
from lab.errors import LabError, LabInUse
from lab.leftovers import clean_abandoned_labs, register, unregister
from lab.locks import changing, hold, users
from lab.place import CHECKOUT, Place, default_place
from lab.requirements import check_machine
from lab.shell import Completed, attempt

if TYPE_CHECKING:
    from collections.abc import Callable

READY_WITHIN_S = 120.0


def _say_nothing(sentence: str) -> None:
    pass


class Lab:
    """One lab of this checkout. Cheap to make; holds no state that is not on the machine.

    ``servers`` may leave some of the scheme's servers out, for tests of the lab itself.
    """

    def __init__(
        self,
        place: Place | None = None,
        report: Callable[[str], None] = _say_nothing,
        servers: tuple[ServerDefinition, ...] = SERVERS,
    ) -> None:
        self.place = place or default_place()
        self.report = report
        self.servers = servers

    def up(self) -> None:
        """Bring the lab up, or repair it: what runs is left alone, what is missing is made.

        Returns when every server has started its containers. Raises LabUnavailable or LabError.
        """
        check_machine()
        with changing(self.place, self.report):
            clean_abandoned_labs(self.report)
            register(self.place)
            credentials.make_credentials(self.place)
            wide_registers.library(self.place)
            for user in self.other_users():
                self.report(f"This lab is in use by {user} as well.")
            rewired = wiring.wire(self.place)
            with ThreadPoolExecutor(len(self.servers)) as pool:
                list(pool.map(lambda one: self._bring_up(one, one.name in rewired), self.servers))

    def down(self, *, keep_disks: bool = False, force: bool = False) -> None:
        """Stop and remove everything of the lab; with ``keep_disks`` servers shut down and their disks stay.

        Raises LabInUse if another process uses the lab, unless ``force``.
        """
        if not self.place.state.exists():
            return
        check_machine()
        with changing(self.place, self.report):
            try:
                held: IO[str] | None = hold(self.place, alone=True)
            except LabInUse:
                if not force:
                    raise
                held = None
            with ThreadPoolExecutor(len(self.servers)) as pool:
                list(pool.map(lambda one: self._take_down(one, keep_disks), self.servers))
            wiring.unwire(self.place)
            unregister(self.place)
            if not keep_disks:
                for path in self.place.state.iterdir():
                    # The lock files stay: a process may be waiting on them at this moment.
                    if path.is_dir():
                        shutil.rmtree(path)
            if held is not None:
                held.close()

    def use(self, *, alone: bool = False, wait: bool = False) -> IO[str]:
        """Say that this process uses the lab (see lab.locks.hold)."""
        return hold(self.place, alone=alone, wait=wait)

    def other_users(self) -> list[str]:
        """Other processes that use this lab, in words."""
        return users(self.place)

    def enter_panel(self) -> None:
        """Move this thread and what it starts into the panel's namespace (see lab.netns.enter)."""
        netns.enter_panel(self.place)

    def execute(self, name: str, command: str, stdin: str = "", timeout_s: float = 60) -> Completed:
        """Run a shell command line as root on a server's console, whatever state its network is in."""
        return console.execute(self._folder(name), command, stdin, timeout_s)

    def check(self, name: str, command: str, stdin: str = "", timeout_s: float = 60) -> str:
        """As execute, but return the standard output and raise LabError for an exit code that is not 0."""
        done = self.execute(name, command, stdin, timeout_s)
        if not done.ok:
            raise LabError(f"{name}: `{command}` ended with {done.exit_code}: {done.stderr.strip()}")
        return done.stdout

    def ssh(self, name: str, command: str, user: str = "root", timeout_s: float = 60) -> Completed:
        """Run a shell command line on a server over SSH from the panel's namespace, with the lab's key."""
        prefix = netns.exec_prefix(self.place)
        return attempt([*prefix, *self.ssh_argv(name, user), command], timeout_s=timeout_s)

    def ssh_argv(self, name: str, user: str = "root") -> list[str]:
        """The ssh command that reaches a server, to be run in the panel's namespace."""
        options = {
            "UserKnownHostsFile": self.place.known_hosts,
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "10",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        key = str(self.place.client_key)
        return ["ssh", "-F", "none", "-i", key, *words, f"{user}@{server(name).address}"]

    def root_password(self) -> str:
        """Root's password on every server."""
        return credentials.root_password(self.place)

    def reboot(self, name: str) -> None:
        """Shut a server down in order and start it again; returns when it is ready."""
        self._power(name, "reboot")
        self.wait_ready(name)

    def powercut(self, name: str, *, back: bool = True) -> None:
        """Cut a server's power. With ``back`` it returns at once, and so does this call when it is ready."""
        self._power(name, "powercut" if back else "cut")
        if back:
            self.wait_ready(name)

    def power_on(self, name: str) -> None:
        """Give a server its power back; returns when it is ready."""
        self._power(name, "on")
        self.wait_ready(name)

    def renew(self, *names: str) -> None:
        """Put servers (all, if none is named) back to how the lab first makes them.

        They get new disks, their cables are in, their ports carry every VLAN; their host keys stay.
        """

        def fresh(one: ServerDefinition) -> None:
            self.powercut(one.name, back=False)
            build_disk(self.place, one)
            self.cable(one.name, plugged=True)
            self.power_on(one.name)

        chosen = [one for one in self.servers if one.name in names or not names]
        with changing(self.place, self.report):
            wiring.carry_everything(self.place, {one.tap for one in chosen})
            with ThreadPoolExecutor(len(chosen)) as pool:
                list(pool.map(fresh, chosen))

    def cable(self, name: str, *, plugged: bool) -> None:
        """Put a server's cable into the switch, or pull it."""
        wiring.plug(self.place, server(name), plugged=plugged)

    def trunk(self, name: str, vlan: int, *, carried: bool) -> None:
        """Let the server's switch port carry a VLAN, or not."""
        if not 1 <= vlan <= 4094:
            raise ValueError(f"{vlan} is no VLAN id; they run from 1 to 4094.")
        wiring.carry(self.place, server(name), vlan, carried=carried)

    def is_ready(self, name: str) -> bool:
        """True if a server runs and has started everything that it starts at boot."""
        try:
            return bool(console.ask(self._folder(name), 5, op="ready", timeout_s=2).get("ready"))
        except LabError:
            return False

    def state(self, name: str) -> str:
        """A server's state: ``ready``, ``booting`` or ``off``."""
        try:
            is_on = console.ask(self._folder(name), 5, op="state")["on"]
        except LabError:
            return "off"
        if not is_on:
            return "off"
        return "ready" if self.is_ready(name) else "booting"

    def wait_ready(self, name: str, timeout_s: float = READY_WITHIN_S) -> None:
        """Wait until a server is ready; LabError with the end of its console log if it does not get there."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready(name):
            is_on = console.ask(self._folder(name), 5, op="state")["on"]
            if not is_on or time.monotonic() > deadline:
                log = (self._folder(name) / "console.log").read_text(errors="replace")
                raise LabError(f"{name} is not ready. Its console said last:\n{log[-1500:]}")
            time.sleep(0.1)

    def _folder(self, name: str) -> Path:
        return self.place.server(server(name).name)

    def _power(self, name: str, button: str) -> None:
        console.ask(self._folder(name), 60, op=button)

    def _bring_up(self, one: ServerDefinition, rewired: bool) -> None:
        """Bring up one server: keeper, kernel, containers."""
        folder = self.place.server(one.name)
        if rewired or not self._keeper_answers(folder):
            # Its keeper was killed or holds a cable that leads nowhere, or it never ran: what is left of it
            # would hold the disk.
            processes.kill([*processes.keepers(folder), *processes.kernels(folder)])
            if not (folder / "disk.ext4").exists():
                self.report(f"{one.name}: making its disk")
                build_disk(self.place, one)
            self._start_keeper(one)
        console.ask(folder, 20, op="on")
        self.wait_ready(one.name)
        self.report(f"{one.name} is ready at {one.address}")

    def _take_down(self, one: ServerDefinition, in_order: bool) -> None:
        """Stop one server and its keeper."""
        folder = self.place.server(one.name)
        if in_order and self._keeper_answers(folder):
            console.ask(folder, 60, op="off")
        keepers = processes.keepers(folder)
        for pid in keepers:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 5
        while any(map(processes.is_alive, keepers)) and time.monotonic() < deadline:
            time.sleep(0.02)
        processes.kill([*processes.keepers(folder), *processes.kernels(folder)])

    def _keeper_answers(self, folder: Path) -> bool:
        try:
            console.ask(folder, 5, op="state")
        except LabError:
            return False
        return True

    def _start_keeper(self, one: ServerDefinition) -> None:
        """Start the keeper of one server as a daemon and wait until it answers."""
        folder = self.place.server(one.name)
        stage_modules(self.place, one)
        settings = {
            "namespace": self.place.namespace("switch"),
            "argv": kernel_argv(folder, one),
            "memory_mb": one.memory_mb,
            "preload": str(wide_registers.library(self.place) or ""),
        }
        (folder / "keeper.json").write_text(json.dumps(settings))
        (folder / console.SOCKET).unlink(missing_ok=True)
        with (folder / "keeper.log").open("ab") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "lab.keeper", str(folder)],
                cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while not self._keeper_answers(folder):
            if keeper.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"The keeper of {one.name} did not start; see {folder / 'keeper.log'}.")
            time.sleep(0.05)


def kernel_argv(folder: Path, one: ServerDefinition) -> list[str]:
    """Command line of a server's kernel; the keeper adds the serial line."""
    init = {"sysv": "/sbin/init", "systemd": "/lib/systemd/systemd"}[one.init]
    return [
        "linux.uml", f"mem={one.memory_mb}M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
        f"init={GUEST / 'boot.sh'}", f"ubd0={folder / 'disk.ext4'}", "quiet",
        f"vec0:transport=tap,ifname={one.tap},mac={one.mac}",
        "con=null", "con0=null,fd:1", "ssl=null", f"umid={one.name}", f"uml_dir={folder}/",
        # A kernel that restarts itself finds its tap still taken; the keeper starts a new one instead.
        "noreboot",
        f"LAB_SERVER={folder}", f"LAB_INIT={init}",
    ]  # fmt: skip
