"""What goes wrong in a run: each fault strikes once and is healed before the oracle asks."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chaos.edits import HOMES, VID
from chaos.panel import Panel
from lab.definition import server as definition
from lab.errors import LabError
from lab.lab import Lab

KILL_SCRIPT = (
    "for f in $(grep -alsE 'vnetpanel/transaction' /proc/[0-9]*/cmdline); do"
    " p=${f#/proc/}; p=${p%/cmdline}; [ $p = $$ ] || kill -9 $p 2>/dev/null; done; :"
)
KILL_ROLE = (
    'read -r t </run/vnetpanel/pending || exit 0; [ -n "$t" ] || exit 0;'
    ' while read -r k v; do [ "$k" = ROLE ] && kill -9 $v 2>/dev/null; done'
    " </run/vnetpanel/txn/$t/journal; :"
)
KILL_SSH = (
    "for f in $(grep -alsE '^sshd: root' /proc/[0-9]*/cmdline); do"
    " p=${f#/proc/}; kill -9 ${p%/cmdline} 2>/dev/null; done; :"
)
ADDRESS_BACK = (
    # Not while a transaction is being taken back: where the address belongs would change under our hands.
    "[ ! -d /run/vnetpanel ] || { exec 8>>/run/vnetpanel/decide.lock; flock 8; };"
    " d=eth0; for l in /sys/class/net/eth0/master; do [ -e $l ] && d=$(basename $(readlink -f $l)); done;"
    " ip -o addr show | grep -q ' ADDRESS/24' || ip addr add ADDRESS/24 dev $d;"
    " ip route show default | grep -q 10.77.0.1 || ip route add default via 10.77.0.1 dev $d;"
    # With the last address of a link the kernel forgets whom it answered for there, and a container that
    # starts while there is none is not answered for.
    ' for a in PROXIES; do ip neigh show proxy | grep -q "^$a " || ip neigh add proxy $a dev $d; done; :'
)


BOOTED_S = 60


@dataclass
class Strike:
    """One fault of a run: when it strikes after the start, what it does and how it is healed."""

    name: str
    server: str
    at_s: float
    do: Callable[[], object]
    heal: Callable[[], object] = field(default=lambda: None)
    heals_again: bool = False
    """Whether what ends the Change can undo the healing."""
    thread: threading.Thread | None = None

    def __str__(self) -> str:
        where = f" {self.server}" if self.server else ""
        return f"{self.name}{where} at {self.at_s:.1f} s"

    def start(self) -> None:
        """Let it strike when its time has come, in a thread of its own."""
        self.thread = threading.Thread(target=self._strike, daemon=True)
        self.thread.start()

    def _strike(self) -> None:
        time.sleep(self.at_s)
        # A console that a power cut took away, a broker that was killed: then this one misses.
        with contextlib.suppress(LabError, OSError, ConnectionError):
            self.do()

    def wait(self) -> None:
        """Until it has struck."""
        if self.thread is not None:
            self.thread.join(150)

    def end(self) -> None:
        """Heal it; on a server that is booting, as soon as that is up."""
        give_up_at = time.monotonic() + BOOTED_S
        while True:
            try:
                self.heal()
                return
            except LabError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(1)


def end_all(strikes: Sequence[Strike]) -> None:
    """Wait until all that were started have struck, then heal them: none while a power cut may come."""
    for strike in strikes:
        strike.wait()
    for strike in strikes:
        if strike.thread is not None:
            strike.end()


def end_again(strikes: Sequence[Strike]) -> None:
    """Heal once more what a rollback has undone.

    It goes back to what was there when the plan came: without the default route, if need be.
    """
    for strike in strikes:
        if strike.heals_again:
            strike.end()


class Faults:
    """Draws strikes for one lab and one panel."""

    def __init__(self, lab: Lab, panel: Panel, addresses: dict[str, str]) -> None:
        self.lab = lab
        self.panel = panel
        self.addresses = addresses

    def draw(self, dice: random.Random, servers: list[str], within_s: float, only: str = "") -> list[Strike]:
        """One to three faults in the first `within_s` seconds, most of them on servers of the Change.

        `only`: kinds whose name does not contain it are left out (to look for one finding again).
        """
        strikes: list[Strike] = []
        for _ in range(dice.choice([1, 1, 2, 3])):
            kind = dice.choice([*self._on_server, *self._on_server, *self._on_panel])
            server = dice.choice(servers)
            strike = kind(self, server, dice.uniform(0, within_s), dice)
            if strike is None or only not in strike.name:
                continue
            if all(one.name != strike.name for one in strikes):
                strikes.append(strike)
        return strikes

    def mend(self, server: str) -> None:
        """Whatever a run did to the server: cable in, VLAN carried, running, reachable, clock right."""
        self.lab.cable(server, plugged=True)
        self.lab.trunk(server, VID, carried=True)
        try:
            self._back(server)()
        except LabError:
            self.lab.powercut(server)
        for ctid in HOMES[server]:
            self.lab.execute(server, f"vzctl start {ctid}")
        self.lab.execute(server, f"date -s @{int(time.time())} >/dev/null")

    def _shell(self, server: str, command: str) -> Callable[[], object]:
        return lambda: self.lab.execute(server, command)

    def _part(self, part: str, at: float) -> Strike | None:
        if not self.panel.may_kill(part):
            return None
        self.panel.killed_at[part] = time.monotonic()
        return Strike(f"{part} killed", "", at, lambda: self.panel.kill(part))

    def _script(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike("script killed", server, at, self._shell(server, KILL_SCRIPT))

    def _worker_of_script(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike(
            "transaction's worker killed",
            server,
            at,
            self._shell(server, KILL_ROLE.replace("ROLE", "worker")),
        )

    def _deadman(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike(
            "dead-man killed", server, at, self._shell(server, KILL_ROLE.replace("ROLE", "deadman"))
        )

    def _ssh(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike("SSH killed", server, at, self._shell(server, KILL_SSH))

    def _cable(self, server: str, at: float, dice: random.Random) -> Strike:
        seconds = dice.choice([0.3, 1.0, 3.0, 6.0])

        def out() -> None:
            self.lab.cable(server, plugged=False)
            time.sleep(seconds)
            self.lab.cable(server, plugged=True)

        back = lambda: self.lab.cable(server, plugged=True)  # noqa: E731
        return Strike(f"cable out {seconds} s", server, at, out, back)

    def _trunk(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike(
            "trunk off",
            server,
            at,
            lambda: self.lab.trunk(server, VID, carried=False),
            lambda: self.lab.trunk(server, VID, carried=True),
        )

    def _back(self, server: str) -> Callable[[], object]:
        routed = [a for c in definition(server).containers for a in c.host_routed]
        command = ADDRESS_BACK.replace("ADDRESS", self.addresses[server])
        return self._shell(server, command.replace("PROXIES", " ".join(routed)))

    def _route(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike(
            "default route deleted",
            server,
            at,
            self._shell(server, "ip route del default"),
            self._back(server),
            heals_again=True,
        )

    def _address(self, server: str, at: float, dice: random.Random) -> Strike:
        address = self.addresses[server]
        command = (
            f"for d in eth0 vn-a br0 vn-a-{server}; do ip addr del {address}/24 dev $d 2>/dev/null; done; :"
        )
        delete = self._shell(server, command)
        return Strike("address deleted", server, at, delete, self._back(server), heals_again=True)

    def _power(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike(
            "power cut", server, at, lambda: self.lab.powercut(server), lambda: self.lab.wait_ready(server)
        )

    def _reboot(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike(
            "reboot", server, at, lambda: self.lab.reboot(server), lambda: self.lab.wait_ready(server)
        )

    def _clock(self, server: str, at: float, dice: random.Random) -> Strike:
        days = dice.choice([-400, -1, 1, 400])
        step = f"date -s @$(($(date +%s) + {days * 86400})) >/dev/null"
        return Strike(
            f"clock {days:+} days",
            server,
            at,
            self._shell(server, step),
            lambda: self.lab.execute(server, f"date -s @{int(time.time())} >/dev/null"),
        )

    def _container(self, server: str, at: float, dice: random.Random) -> Strike:
        ctid = dice.choice(HOMES[server])
        return Strike(
            f"container {ctid} stopped",
            server,
            at,
            self._shell(server, f"vzctl stop {ctid}"),
            self._shell(server, f"vzctl start {ctid}"),
        )

    def _restart(self, server: str, at: float, dice: random.Random) -> Strike:
        ctid = dice.choice(HOMES[server])
        return Strike(f"container {ctid} restarted", server, at, self._shell(server, f"vzctl restart {ctid}"))

    def _worker(self, server: str, at: float, dice: random.Random) -> Strike | None:
        return self._part("worker", at)

    def _scheduler(self, server: str, at: float, dice: random.Random) -> Strike | None:
        return self._part("scheduler", at)

    def _broker(self, server: str, at: float, dice: random.Random) -> Strike | None:
        return self._part("broker", at)

    def _web(self, server: str, at: float, dice: random.Random) -> Strike | None:
        return self._part("web", at)

    def _emptied(self, server: str, at: float, dice: random.Random) -> Strike:
        return Strike("broker emptied", "", at, self.panel.empty_broker)

    _on_server = (
        _script,
        _worker_of_script,
        _deadman,
        _ssh,
        _cable,
        _trunk,
        _route,
        _address,
        _power,
        _reboot,
        _clock,
        _container,
        _restart,
    )
    _on_panel = (_worker, _scheduler, _broker, _web, _emptied)
