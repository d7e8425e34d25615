"""The measurements on servers: looks and Changes by the panel, and the same by its contenders."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
from django.conf import settings

from bench.contenders import BRIDGE, WIDTHS, Contenders, attached
from bench.farm import Farm
from bench.panel import Cost, Panel, measure
from bench.report import Row, against, alone, exponent, median
from bench.script import AWAY, WHOLE, script_costs
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    DeleteNetwork,
    Edit,
    InterfaceKey,
    RemoveMember,
    Unassign,
)
from networks.models import Change
from vnetpanel.broker import connect

CONFIRM_WAIT_S = 3.0
"""The fixed wait between the two confirmations of a guarded change, once a wave (networks/host/README.md)."""
WARM_LOOKS = 4
"""Looks before the first that counts, as a panel has had that has run for some minutes."""


SSH_WIDTH = 20
PER_SERVER = "ms/server"


def both(cost: Cost) -> float:
    """Processor time of controller and servers: what wall time follows where they share the processors."""
    return cost.controller_s + cost.servers_s


@dataclass(frozen=True)
class Done:
    """One Change of the panel: its costs, and what was counted. `after`: measuring who answers whom now."""

    review: Cost
    applied: Cost
    after: Cost
    messages: int
    connections: int
    waves: int


@dataclass
class Bench:
    """One run over all sizes."""

    farm: Farm
    panel: Panel
    rivals: Contenders
    runs: int
    ansible_at_most: int
    guarded_at_most: int
    say: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)
    walls: dict[tuple[str, int], float] = field(default_factory=dict)
    noise_s: float = 0.0
    measured_s: float = 0.0
    number: int = 0

    # -- parts

    def size(self, size: int) -> None:
        """Everything with so many servers."""
        self.say(f"{size} servers: looks")
        self.panel.register(size)
        self.rivals.open_masters(size)
        if size <= self.ansible_at_most:
            self.rivals.ansible_runs(size, "warm")
        self.looks(size)
        self.say(f"{size} servers: Changes")
        self.changes(size, "eth1")
        if size <= self.guarded_at_most:
            self.say(f"{size} servers: Changes that move the management address")
            self.changes(size, "eth0")

    def looks(self, size: int) -> None:
        """The panel's looks, the same probe over ssh, and the same probe by Ansible."""
        for _ in range(WARM_LOOKS):
            self.panel.look(size)
        ours = self.ours(size, lambda: self.panel.look(size))

        def over_ssh(width: int, runs: int) -> Cost:
            return self.rival(size, lambda: self.rivals.look_over_masters(size, width), runs)

        width = min(WIDTHS, key=lambda one: over_ssh(one, 1).wall_s)
        ssh = over_ssh(width, self.runs)
        self.walls["look", size] = ours.wall_s
        about, peer = f"look, N={size}", f"ssh ControlMaster -P{width}"
        self.rows += [
            against(f"{about}: wall, {peer}", ours.wall_s, ssh.wall_s, "s", 1.0),
            against(f"{about}: CPU of both sides, {peer}", both(ours), both(ssh), PER_SERVER, 1.0),
            against(f"{about}: controller CPU, {peer}", ours.controller_s, ssh.controller_s, PER_SERVER, 0.5),
            against(f"{about}: server CPU, {peer}", ours.servers_s, ssh.servers_s, PER_SERVER),
            against(f"{about}: memory, {peer}", ours.memory_mb, ssh.memory_mb, "MB"),
        ]
        if size > self.ansible_at_most:
            return
        ansible = self.rival(size, lambda: self.rivals.ansible_runs(size, "look"), self.runs)
        self.rows += [
            against(f"{about}: {name}, Ansible one shell task", *figures)
            for name, *figures in (
                ("wall", ours.wall_s, ansible.wall_s, "s", 1 / 15),
                ("CPU of both sides", both(ours), both(ansible), PER_SERVER),
                ("controller CPU", ours.controller_s, ansible.controller_s, PER_SERVER),
            )
        ]

    def changes(self, size: int, adapter: str) -> None:
        """A bridge on the adapter, a container in it: reviewed, applied, and taken away again."""
        runs = [self.change(size, adapter) for _ in range(self.runs)]
        ours, seen = median([run.applied for run in runs], size), median([run.review for run in runs], size)
        after = median([run.after for run in runs], size)
        kind = "guarded Change" if adapter == "eth0" else "Change"
        self.walls[kind, size] = ours.wall_s
        about = f"{kind}, N={size}"
        messages, opened = ([getattr(run, name) for run in runs] for name in ("messages", "connections"))
        self.rows += [
            alone(f"{about}: review, wall", seen.wall_s, "s"),
            alone(f"{about}: applying, wall", ours.wall_s, "s"),
            alone(f"{about}: applying, controller CPU", ours.controller_s, PER_SERVER),
            alone(f"{about}: applying, server CPU with SSH", ours.servers_s, PER_SERVER),
            alone(f"{about}: review, CPU of both sides", both(seen), PER_SERVER),
            alone(f"{about}: measuring afterwards, CPU of both sides", both(after), PER_SERVER),
            alone(f"{about}: waves", runs[0].waves, ""),
            alone(f"{about}: new connections of applying", statistics.median(opened) / size, "per server"),
            alone(f"{about}: broker messages, review to measured", statistics.median(messages), "", 4),
        ]
        if kind == "Change":
            usual = self.change(size, adapter, usual=True)
            self.rows += [
                alone(f"{about}: applying in the waves offered first, wall", usual.applied.wall_s, "s"),
                alone(f"{about}: waves offered first", usual.waves, ""),
            ]
            self._beside_ssh(about, size, ours)
        if size <= self.ansible_at_most and kind == "Change":
            self._beside_ansible(about, size, ours, seen)
        elif size <= self.ansible_at_most:
            six = self._rival_change(size, "six", adapter, self.runs)
            wall = ours.wall_s - CONFIRM_WAIT_S * runs[0].waves
            self.rows += [
                against(f"{about}: wall without its wait, Ansible six tasks", wall, six.wall_s, "s", 1 / 10),
                against(
                    f"{about}: CPU of both sides, Ansible six tasks",
                    both(ours),
                    both(six),
                    PER_SERVER,
                    1 / 10,
                ),
            ]

    def _beside_ssh(self, about: str, size: int, ours: Cost) -> None:
        ssh = self._rival_change(size, "ssh", "eth1", self.runs, SSH_WIDTH)
        floor = self._rival_change(size, "batch", "eth1", self.runs)
        peer = f"unprotected over ssh ControlMaster -P{SSH_WIDTH}"
        self.rows += [
            against(f"{about}: wall, {peer}", ours.wall_s, ssh.wall_s, "s"),
            against(f"{about}: wall, the same ip -batch without SSH", ours.wall_s, floor.wall_s, "s"),
        ]

    def _beside_ansible(self, about: str, size: int, ours: Cost, seen: Cost) -> None:
        six = self._rival_change(size, "six", "eth1", self.runs)
        shell = self._rival_change(size, "shell", "eth1", self.runs)
        raw = self._rival_change(size, "raw", "eth1", self.runs)
        bar = None if size < 50 else 1 / 30
        self.rows += [
            against(f"{about}: {name}", *figures)
            for name, *figures in (
                ("wall, Ansible six tasks", ours.wall_s, six.wall_s, "s", bar),
                ("CPU of both sides, Ansible six tasks", both(ours), both(six), PER_SERVER, bar),
                (
                    "controller CPU, Ansible six tasks",
                    ours.controller_s,
                    six.controller_s,
                    PER_SERVER,
                    bar and 1 / 60,
                ),
                ("wall with its review, Ansible six tasks", ours.wall_s + seen.wall_s, six.wall_s, "s"),
                ("wall, Ansible one shell task", ours.wall_s, shell.wall_s, "s", bar and 1 / 8),
                (
                    "CPU of both sides, Ansible one shell task",
                    both(ours),
                    both(shell),
                    PER_SERVER,
                    bar and 1 / 8,
                ),
                ("wall, Ansible one raw task", ours.wall_s, raw.wall_s, "s"),
                ("memory, Ansible six tasks", ours.memory_mb, six.memory_mb, "MB"),
            )
        ]

    def growth(self, small: int, large: int) -> None:
        """How wall time grows from the smallest to the largest number."""
        for kind in ("look", "Change", "guarded Change"):
            if small == large or (kind, large) not in self.walls:
                continue
            walls = self.walls[kind, small], self.walls[kind, large]
            bar = None if kind == "guarded Change" else 1.10
            self.rows.append(
                alone(
                    f"{kind}: growth from N={small} to {large}",
                    exponent((small, large), walls),
                    "exponent",
                    bar,
                )
            )

    def cold(self) -> None:
        """A new connection and its first command, one after the other: ours and stock paramiko's."""
        words = [
            *self.farm.inside,
            sys.executable,
            "-m",
            "bench.cold",
            str(self.farm.folder),
            str(min(self.farm.size, 10)),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        self.rows.append(
            against(
                "connection and first command: wall, stock paramiko",
                found["ours"],
                found["stock"],
                "ms",
                0.45,
            )
        )

    def script(self) -> None:
        """Processor time of the transaction script on a server, without SSH: a short change."""
        self.rows += [
            alone(f"transaction script: CPU of {verb}", cost, "ms", 30 if verb in (WHOLE, AWAY) else None)
            for verb, cost in script_costs(self.farm, self.runs).items()
        ]

    # -- how

    def ours(self, size: int, work: Callable[[], object], runs: int | None = None) -> Cost:
        return median([self._noted(self.panel.measured(work)) for _ in range(runs or self.runs)], size)

    def rival(self, size: int, work: Callable[[], object], runs: int | None = None) -> Cost:
        found = [
            self._noted(measure(work, self.rivals.group, self.farm.servers)) for _ in range(runs or self.runs)
        ]
        return median(found, size)

    def _noted(self, cost: Cost) -> Cost:
        self.noise_s += cost.other_s
        self.measured_s += cost.machine_s
        return cost

    def change(self, size: int, adapter: str, usual: bool = False) -> Done:
        """One Change of the panel, looked at from outside, and taken away again."""
        self.number += 1
        network = str(uuid.uuid4())
        servers = list(self.panel.servers(size))
        ports = [InterfaceKey(server.pk, "101", "eth0") for server in servers]
        edits: list[Edit] = [CreateNetwork(network, f"bench {self.number}")]
        for server, port in zip(servers, ports, strict=True):
            edits += [Assign(network, server.pk, adapter), AddMember(network, port)]
        held: list[Change] = []
        self.panel.rest()
        sent = self._messages()
        review = self._noted(self.panel.measured(lambda: held.append(self.panel.review(edits))))
        opened = self._connections(size)
        applied = self._noted(self.panel.measured(lambda: held.append(self.panel.apply(held[0], usual))))
        opened = self._connections(size) - opened
        after = self._noted(self.panel.measured(self.panel.rest))
        sent = self._messages() - sent
        bridge = held[1].settled["bridges"][network]
        if wrong := attached(self.farm, size, bridge, (adapter, "veth101.0")):
            raise RuntimeError(f"the panel said done, but not so on servers {wrong[:5]}")
        back: list[Edit] = [RemoveMember(port) for port in ports]
        back += [Unassign(network, server.pk) for server in servers]
        self.panel.apply(self.panel.review([*back, DeleteNetwork(network)]))
        waves = len(set(held[1].operations.values_list("wave", flat=True)))
        return Done(review, applied, after, sent, opened, waves)

    def _rival_change(self, size: int, kind: str, adapter: str, runs: int, width: int = 0) -> Cost:
        def once() -> None:
            if kind == "batch":
                self.rivals.batches(size)
            elif kind == "ssh":
                self.rivals.change_over_masters(size, width)
            else:
                self.rivals.ansible_runs(size, kind, adapter)

        costs = []
        for _ in range(runs):
            costs.append(self._noted(measure(once, self.rivals.group, self.farm.servers)))
            if wrong := attached(self.farm, size, BRIDGE, (adapter, "veth101.0")):
                raise RuntimeError(f"{kind} did not do it on servers {wrong[:5]}")
            (self.rivals.undo_move if adapter == "eth0" else self.rivals.undo)(size)
        return median(costs, size)

    def _messages(self) -> int:
        """Messages that the broker has taken so far."""
        client: redis.Redis = connect(settings.CELERY_BROKER_URL, 5)
        with client:
            return int(client.info("commandstats").get("cmdstat_lpush", {}).get("calls", 0))

    def _connections(self, size: int) -> int:
        """TCP connections that servers have taken so far."""
        return sum(self.farm.connections_taken(number) for number in range(size))
