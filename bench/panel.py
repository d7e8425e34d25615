"""A panel of the benchmark's own: its database, broker and worker, used through the services that pages call.

What is called here is what `USED` names, and a test compares it with what the pages call: a short cut that
only the benchmark takes would measure nothing.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

from bench.farm import Farm, prefix
from bench.meter import Group
from networks.choices import ChangeState, MeasurementState, OperationState
from networks.domain.state import Edit
from networks.domain.waves import ALL_AT_ONCE, default_width, widths_offered
from networks.models import Change, Measurement
from networks.services.changes import apply_change, start_review
from networks.services.drafts import stage
from nodes.choices import HostKeyState, ServerState
from nodes.models import HostKey, PhysicalServer
from nodes.services import (
    Secrets,
    add_server,
    approve_host_key,
    create_credential,
    create_group,
    request_looks,
)
from vnetpanel.launch import Launcher

USED = (
    stage,
    start_review,
    apply_change,
    create_group,
    create_credential,
    add_server,
    approve_host_key,
    request_looks,
)

POLL_S = 0.005
"""How often the database is asked whether something has ended: contenders end by themselves."""
SETTLE_S = 0.3
"""So long after a Change has ended its measurement may take to be asked for."""


@dataclass(frozen=True)
class Cost:
    """One measured piece of work: wall seconds, processor seconds of the controller and of the servers."""

    wall_s: float
    controller_s: float
    servers_s: float
    machine_s: float
    memory_mb: float = 0.0

    @property
    def other_s(self) -> float:
        """Processor seconds that something else on the machine took meanwhile."""
        return max(0.0, self.machine_s - self.controller_s - self.servers_s)


def widest(servers: int) -> int:
    """The fewest waves that the page of a Change offers for so many servers."""
    offered = widths_offered(servers)
    return ALL_AT_ONCE if ALL_AT_ONCE in offered or not offered else max(offered)


class Panel:
    """The running panel. `user` may do everything."""

    def __init__(self, farm: Farm, group: Group, launcher: Launcher) -> None:
        self.farm = farm
        self.group = group
        self.launcher = launcher
        self.user: Any = get_user_model().objects.create_superuser("bench", password="bench-bench-bench")  # noqa: S106
        self.home: Any = None

    # -- inventory

    def register(self, size: int) -> None:
        """Add the servers that are not there yet, approve their keys, and look at all of them."""
        if self.home is None:
            self.home = create_group(self.user, name="Benchmark", parent=None)
            key = Secrets(private_key=self.farm.key.read_text())
            self.login = create_credential(self.user, name="Benchmark", username="root", secrets=key)
        known = PhysicalServer.objects.count()
        for number in range(known, size):
            add_server(
                self.user,
                name=f"node{number:04}",
                group=self.home,
                address=self.farm.address(number),
                credential=self.login,
            )
        _wait("host keys", lambda: HostKey.objects.count() >= size)
        for key in HostKey.objects.filter(state=HostKeyState.OFFERED).select_related("server__group"):
            approve_host_key(self.user, key)
        _wait("first looks", lambda: self.servers(size).filter(state=ServerState.OK).count() == size)

    def servers(self, size: int) -> Any:
        """The first so many servers, as a queryset."""
        pks = PhysicalServer.objects.order_by("name").values_list("pk", flat=True)[:size]
        return PhysicalServer.objects.filter(pk__in=list(pks))

    # -- what is measured

    def look(self, size: int) -> None:
        """Look at so many servers, from the service call to the last stored look."""
        servers = self.servers(size)
        waiting = rows_of(servers.exclude(look_requested_at=None).values_list("pk")[:1])
        request_looks(self.user, servers)
        _wait("looks", lambda: not waiting())
        bad = servers.exclude(state=ServerState.OK).values_list("name", "state_reason")
        if bad:
            raise RuntimeError(f"looks failed: {list(bad)[:3]}")

    def review(self, edits: Iterable[Edit]) -> Change:
        """Stage the edits and have them reviewed, to the stored review."""
        stage(self.user, edits)
        change = start_review(self.user, "benchmark")
        return settled(change, lambda one: one.state != ChangeState.PLANNING)

    def apply(self, change: Change, usual: bool = False) -> Change:
        """Apply a reviewed Change, every warning accepted, to its stored result.

        In the widest waves, or in those that the page offers first (`usual`).
        """
        ticked = {row["key"] for row in change.problems if row["severity"] == "warn"}
        servers = change.operations.count()
        width = default_width(servers) if usual else widest(servers)
        apply_change(self.user, change, ticked, width=width)
        done = settled(change, lambda one: one.is_terminal)
        if done.state != ChangeState.DONE:
            told = done.operations.exclude(state=OperationState.DONE).values_list("server_name", "message")[
                :3
            ]
            raise RuntimeError(f"the Change ended as {done.state}: {done.result[:500]} {list(told)}")
        return done

    def rest(self) -> None:
        """Wait until what the panel does by itself after a Change, measuring who answers whom, has ended."""
        time.sleep(SETTLE_S)
        under_way = Measurement.objects.filter(state__in=(MeasurementState.WAITING, MeasurementState.RUNNING))
        _wait("measurements", lambda: not under_way.exists())

    def measured(self, work: Callable[[], object]) -> Cost:
        """Do the work; the service call counts as the controller's, waiting for its end does not."""
        return measure(work, self.group, self.farm.servers, caller=True)


def measure(work: Callable[[], object], controller: Group, servers: Group, caller: bool = False) -> Cost:
    """What the work cost. `caller`: this thread's own processor time is part of the controller's."""
    from bench.meter import machine_cpu_s

    peak = _Peak(controller)
    before = controller.cpu_s(), servers.cpu_s(), machine_cpu_s()
    _waited.seconds = 0.0
    mine, started = time.thread_time(), time.monotonic()
    with peak:
        work()
    wall = time.monotonic() - started
    own = max(0.0, time.thread_time() - mine - _waited.seconds) if caller else 0.0
    after = controller.cpu_s(), servers.cpu_s(), machine_cpu_s()
    spent = [now - then for now, then in zip(after, before, strict=True)]
    return Cost(wall, spent[0] + own, spent[1], spent[2], peak.mb)


class _Peak:
    """The most memory that a group had, looked at now and then."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.mb = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *exc: object) -> None:
        self.ended.set()
        self.thread.join()

    def _watch(self) -> None:
        while True:
            self.mb = max(self.mb, self.group.memory_mb())
            if self.ended.wait(0.25):
                return


_waited = threading.local()


def _wait(what: str, holds: Callable[[], bool], seconds: float = 300.0) -> None:
    """Ask the database until it holds; that time is nobody's."""
    end = time.monotonic() + seconds
    mine = time.thread_time()
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not there after {seconds:.0f} s")
        time.sleep(POLL_S)
    _waited.seconds = getattr(_waited, "seconds", 0.0) + time.thread_time() - mine


def rows_of(queryset: Any) -> Callable[[], list[Any]]:
    """What the queryset finds, at each call anew; its SQL is made once, as waiting must cost nothing."""
    sql, parameters = queryset.query.sql_with_params()

    def rows() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    return rows


def settled(change: Change, holds: Callable[[Change], bool]) -> Change:
    """The Change as it is when that holds of its state."""
    state = rows_of(Change.objects.filter(pk=change.pk).values_list("state"))
    _wait("the Change", lambda: holds(Change(state=state()[0][0])))
    return Change.objects.get(pk=change.pk)


@contextmanager
def panel(farm: Farm, say: Callable[[str], None]) -> Iterator[Panel]:
    """The panel's database, broker and worker, without its schedule; ended afterwards."""
    call_command("migrate", interactive=False, verbosity=0)
    group = Group(f"{prefix()}-panel")
    launcher = Launcher("127.0.0.1:0", False, farm.folder, say)
    launcher.prefix = [*group.prefix, *farm.inside]
    try:
        launcher.start_broker()
        for pid in (child.process.pid for child in launcher.supervisor.children if child.process):
            for folder in group.folders:
                (folder / "cgroup.procs").write_text(str(pid))
        launcher.start_worker()
        yield Panel(farm, group, launcher)
    finally:
        old = signal.getsignal(signal.SIGINT)
        launcher.supervisor.stop()
        signal.signal(signal.SIGINT, old)
        group.remove()
