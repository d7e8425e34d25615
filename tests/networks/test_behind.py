"""A server that misses a decision is shown as behind and brought forward by a plan made anew."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import head
from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    Assign,
    CreateNetwork,
    Edit,
    RemoveMember,
    Unassign,
)
from networks.engine import forward, planning, sweeper
from networks.engine import operation as steps
from networks.engine.behind import missed_errands
from networks.engine.runner import run_change
from networks.host.answers import Note
from networks.models import Behind, Change, Operation
from networks.services import changes
from networks.services import forward as by_hand
from networks.services.errors import Conflict, NotAllowed
from networks.services.forward import bring_forward
from networks.state_json import dump_edits
from nodes.choices import ServerState
from nodes.facts import Container, ContainerInterface, Link, ServerFacts, Transaction
from nodes.models import PhysicalServer
from nodes.observe import LookFailed
from tests.networks.changes import decide, planned, write
from tests.networks.conftest import Scene
from tests.networks.fleet_of_fakes import SILENT, Fakes, fake

pytestmark = pytest.mark.django_db(transaction=True)
A = "6f1c3a1e-0000-4000-8000-000000000001"
NAMED = {"bridges": {A: "vn-a"}}
OLD_PLAN = "vnetpanel-plan 1\nend\n"


class Servers:
    """What looks find on the servers, and the messages that would go to the worker."""

    def __init__(self) -> None:
        self.facts: ServerFacts | LookFailed = ServerFacts()
        self.sent: list[tuple[str, Any]] = []

    def look(self, *args: object) -> ServerFacts:
        if isinstance(self.facts, LookFailed):
            raise self.facts
        return self.facts

    def work(self) -> None:
        """Do what was sent, and what that sends, to its end."""
        while self.sent:
            task, pk = self.sent.pop(0)
            (planning.plan if task == "networks.plan_change" else run_change)(pk)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return fake(monkeypatch)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    found = Servers()
    monkeypatch.setattr(planning, "look_at", found.look)
    for module in (forward, sweeper, changes, by_hand):
        monkeypatch.setattr(module, "send", lambda task, pk: found.sent.append((task, pk)))
    return found


def later(seconds: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True)


@pytest.fixture
def missed(scene: Scene, operator: Any, fakes: Fakes, servers: Servers) -> Callable[..., Change]:
    """Network A on both servers, decided, of which server2 could not be told in time."""

    def change_of(*more: Edit) -> Change:
        edits = [
            CreateNetwork(A, "A"),
            Assign(A, scene.server1.pk, "eth0"),
            Assign(A, scene.server2.pk, "eth0"),
        ]
        change = planned(operator, *edits, *more, servers=(scene.server1, scene.server2), settled=NAMED)
        change.operations.update(is_guarded=True)
        changes.apply_change(operator, change, ())
        servers.sent.clear()
        own = change.operations.get(server=scene.server2).pk
        fakes.before["server2", "confirm2 and look"] = lambda: fakes.states.update({own: "rolledback"})
        run_change(change.pk)
        fakes.before.clear()
        change.refresh_from_db()
        return change

    return change_of


def test_it_is_shown_with_the_reason_and_what_it_follows(missed: Callable[..., Change], scene: Scene) -> None:
    change = missed()
    assert change.state == ChangeState.BEHIND
    row = Behind.objects.get()
    assert (row.server, row.change, row.followed, row.missed) == (scene.server2, change, 0, 1)
    assert "Missed the decision" in row.reason
    assert change.operations.get(server=scene.server2).state == OperationState.BEHIND


class Killed(BaseException):
    """The worker's process has ended, whatever it was at."""


@pytest.mark.parametrize("how", [Killed, OperationalError])
def test_it_is_brought_forward_though_its_miss_could_not_be_stored(
    missed: Callable[..., Change],
    fakes: Fakes,
    servers: Servers,
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    how: type[BaseException],
) -> None:
    def fails(*args: object) -> None:
        raise how

    with monkeypatch.context() as while_it_fails, suppress(Killed):
        while_it_fails.setattr(steps, "missed_decision", fails)
        missed()
    fakes.before.clear()
    change = Change.objects.get()
    Change.objects.update(lease_until=None)
    run_change(change.pk)
    for seconds in (100, 200):
        with later(seconds):
            sweeper.sweep()
            servers.work()
    assert change.operations.get(server=scene.server2).state == OperationState.DONE
    assert Change.objects.exclude(pk=change.pk).get().is_automatic


def test_it_is_brought_forward_by_a_change_of_its_own(
    missed: Callable[..., Change], scene: Scene, fakes: Fakes, servers: Servers
) -> None:
    change = missed()
    with later(10):
        sweeper.sweep()
        servers.work()
    own = Change.objects.exclude(pk=change.pk).get()
    assert (own.state, own.author, own.is_automatic) == (ChangeState.DONE, None, True)
    assert "Bring physical server server2 back to what was decided." in own.summary
    assert own.operations.get().server == scene.server2
    assert "keep bridge vn-a eth0" in own.operations.get().host_plan
    assert own.operations.get().host_plan != OLD_PLAN
    assert not Behind.objects.exists()
    assert head().number == 1
    change.refresh_from_db()
    assert (change.state, change.result) == (ChangeState.DONE, "")
    assert "Brought forward" in change.operations.get(server=scene.server2).events[-1]["text"]


def test_it_is_not_tried_while_it_does_not_answer(
    missed: Callable[..., Change], fakes: Fakes, servers: Servers
) -> None:
    missed()
    PhysicalServer.objects.update(state=ServerState.UNREACHABLE)
    with later(3600):
        sweeper.sweep()
    assert not servers.sent
    PhysicalServer.objects.update(state=ServerState.OK)
    with later(3600):
        sweeper.sweep()
    assert [task for task, _ in servers.sent] == ["networks.plan_change"]


def test_it_is_tried_less_and_less_often_and_leaves_no_trace_of_tries_that_came_to_nothing(
    missed: Callable[..., Change], servers: Servers
) -> None:
    change = missed()
    servers.facts = LookFailed(ServerState.UNREACHABLE, "no route to host")
    begun = 0
    for seconds in range(0, 600, 10):
        with later(seconds):
            begun += forward.bring_forward_due()
            servers.work()
    assert 3 <= begun <= 8
    assert list(Change.objects.all()) == [change]
    assert "no route to host" in Behind.objects.get().reason
    assert Behind.objects.get().reason.count("Tried again") == 1


def test_two_sweepers_begin_it_once(missed: Callable[..., Change], servers: Servers) -> None:
    missed()
    with later(10):
        assert forward.bring_forward_due() == 1
        assert forward.bring_forward_due() == 0


def test_a_try_that_fails_is_told_and_repeated(
    missed: Callable[..., Change], fakes: Fakes, servers: Servers
) -> None:
    missed()
    fakes.faults["server2", "apply"] = SILENT
    with later(10):
        sweeper.sweep()
        servers.work()
    assert Behind.objects.exists()
    assert Behind.objects.get().attempt is not None
    fakes.faults.clear()
    with later(300):
        sweeper.sweep()
        servers.work()
    assert not Behind.objects.exists()


def test_a_new_warning_waits_for_a_person(
    missed: Callable[..., Change], fakes: Fakes, servers: Servers, operator: Any, scene: Scene
) -> None:
    missed()
    fakes.warnings = (Note("rule-by-nic", "4 firewall rules name eth0"),)
    with later(10):
        sweeper.sweep()
        servers.work()
    assert "4 firewall rules" in Behind.objects.get().reason
    mine = bring_forward(operator, scene.server2)
    servers.work()
    mine.refresh_from_db()
    assert mine.state == ChangeState.PLANNED
    changes.apply_change(operator, mine, {row["key"] for row in mine.problems})
    servers.work()
    assert not Behind.objects.exists()


def test_only_who_may_operate_it_brings_it_forward_by_hand(
    missed: Callable[..., Change], viewer: Any, operator: Any, scene: Scene
) -> None:
    missed()
    with pytest.raises(NotAllowed):
        bring_forward(viewer, scene.server2)
    with pytest.raises(Conflict, match="nothing to bring forward"):
        bring_forward(operator, scene.server1)


def test_an_unrelated_change_is_not_held_up(
    missed: Callable[..., Change], scene: Scene, operator: Any, fakes: Fakes
) -> None:
    missed()
    edit = AddMember(A, scene.key(scene.server1, "102"))
    change = planned(operator, edit, servers=(scene.server1,))
    changes.apply_change(operator, change, ())
    run_change(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.DONE
    assert Behind.objects.get().server == scene.server2


def test_a_later_change_of_the_server_brings_it_forward_as_well(
    missed: Callable[..., Change], scene: Scene, operator: Any, fakes: Fakes, servers: Servers
) -> None:
    """What the missed decision took away goes now: desired alone does not tell of it any more."""
    key = scene.key(scene.server2, "201")
    joined = planned(
        operator, CreateNetwork(A, "A"), AddMember(A, key), servers=(scene.server2,), settled=NAMED
    )
    changes.apply_change(operator, joined, ())
    run_change(joined.pk)
    first = planned(operator, RemoveMember(key), servers=(scene.server2,))
    first.operations.update(is_guarded=True)
    changes.apply_change(operator, first, ())
    own = first.operations.get().pk
    fakes.before["server2", "confirm2 and look"] = lambda: fakes.states.update({own: "rolledback"})
    run_change(first.pk)
    fakes.before.clear()
    servers.facts = server2_as_before()
    other = scene.key(scene.server2, "202")
    second = Change.objects.create(
        author=operator,
        base=head().number,
        state=ChangeState.PLANNING,
        edits=dump_edits([AddMember(A, other)]),
    )
    planning.plan(second.pk)
    operation = second.operations.get()
    assert any("brings it forward" in note for note in operation.notes)
    assert "step port veth201.0 -" in operation.host_plan
    second.refresh_from_db()
    changes.apply_change(operator, second, {row["key"] for row in second.problems})
    run_change(second.pk)
    second.refresh_from_db()
    assert second.state == ChangeState.DONE
    assert not Behind.objects.exists()
    first.refresh_from_db()
    assert first.state == ChangeState.DONE


@pytest.mark.parametrize("is_there", [True, False])
def test_what_was_to_be_done_once_is_done_when_it_is_brought_forward(
    missed: Callable[..., Change], scene: Scene, servers: Servers, is_there: bool
) -> None:
    """Unless it cannot be done any more: that must not keep the server behind."""
    new = scene.key(scene.server2, "202", "eth1")
    missed(AddInterface(new), AddMember(A, new), AddAddress(new, "10.9.0.5/24"))
    if not is_there:
        scene.server2.containers.filter(ctid="202").update(gone_at=timezone.now())
    servers.facts = server2_as_before()
    with later(10):
        sweeper.sweep()
        servers.work()
    operation = Operation.objects.filter(server=scene.server2).latest("started_at")
    assert ("netif_add 4 202 eth1 - veth202.1 vn-a\nipadd 4 202 eth1" in operation.host_plan) is is_there
    assert any("Add network adapter eth1" in note for note in operation.notes) is is_there
    assert not Behind.objects.exists()


def server2_as_before() -> ServerFacts:
    """Server 2 with container 201 still in the bridge of network A."""
    return ServerFacts(
        vzctl_dialect="4",
        links=(
            Link(name="eth0", kind="nic", up=True),
            Link(name="vn-a", kind="bridge", up=True),
            Link(name="veth201.0", kind="veth", up=True, master="vn-a"),
        ),
        containers=(
            Container(
                ctid="201",
                status="running",
                interfaces=(
                    ContainerInterface(
                        ifname="eth0",
                        mode="bridged",
                        host_ifname="veth201.0",
                        configured_bridge="vn-a",
                    ),
                ),
            ),
            Container(
                ctid="202",
                status="running",
                interfaces=(ContainerInterface(ifname="eth0", mode="bridged", host_ifname="veth202.0"),),
            ),
        ),
        transaction=Transaction(committed=("keep bridge vn-a -",)),
    )


def test_what_was_decided_after_its_plan_was_made_is_still_missed(
    missed: Callable[..., Change], scene: Scene, fakes: Fakes, servers: Servers
) -> None:
    """While the plan runs, another Change leaves the server out: it is behind that one."""
    missed()

    def left_out_again() -> None:
        decide(CreateNetwork("6f1c3a1e-0000-4000-8000-000000000002", "B"))
        Behind.objects.update(missed=head().number)

    fakes.before["server2", "apply"] = left_out_again
    with later(10):
        sweeper.sweep()
        servers.work()
    assert Behind.objects.get().missed == 2


def test_a_server_in_doubt_that_missed_the_decision_is_behind_when_it_answers(
    missed: Callable[..., Change], fakes: Fakes, servers: Servers, scene: Scene
) -> None:
    change = missed()
    Behind.objects.all().delete()
    change.operations.filter(server=scene.server2).update(state=OperationState.IN_DOUBT)
    with later(10):
        sweeper.settle_doubtful()
    assert Behind.objects.get().server == scene.server2
    assert "as before" in Behind.objects.get().reason


def test_a_plan_that_may_still_be_on_its_way_is_barred_before_its_operation_is_settled(
    scene: Scene, operator: Any, fakes: Fakes
) -> None:
    change = planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.FAILED, ended_at=timezone.now())
    change.operations.update(state=OperationState.IN_DOUBT)
    fakes.faults["server1", "bar"] = SILENT
    sweeper.settle_doubtful()
    assert change.operations.get().state == OperationState.IN_DOUBT
    fakes.faults.clear()
    with later(60):
        sweeper.settle_doubtful()
    assert fakes.states[change.operations.get().pk] == "rolledback"
    assert Operation.objects.get().state == OperationState.ROLLED_BACK


def test_a_server_found_as_decided_has_missed_nothing_and_its_errands_are_not_done_later(
    missed: Callable[..., Change], scene: Scene, servers: Servers
) -> None:
    """Somebody has done by hand what it missed: the next miss must not repeat it."""
    new = scene.key(scene.server2, "202", "eth1")
    change = missed(AddInterface(new))
    scene.server2.containers.filter(ctid="202").update(gone_at=timezone.now())
    decide(*(Unassign(A, scene.server2.pk),))
    Behind.objects.update(followed=head().number)
    with later(10):
        sweeper.sweep()
        servers.work()
    assert not Behind.objects.exists()
    assert not missed_errands(scene.server2.pk)
    assert change.operations.get(server=scene.server2).state == OperationState.DONE
    change.refresh_from_db()
    assert change.state == ChangeState.DONE
    assert Change.objects.get() == change


def test_what_is_missed_while_nothing_is_found_to_do_stays_missed(
    missed: Callable[..., Change], scene: Scene
) -> None:
    missed()
    change = Change.objects.create(
        state=ChangeState.PLANNED, base=head().number, repairs=[scene.server2.pk], is_automatic=True
    )
    Behind.objects.update(attempt=change, missed=head().number + 1)
    forward.go_on(change)
    assert Behind.objects.get().missed == head().number + 1


def test_a_server_whose_watchers_are_dead_is_told_to_take_it_back(
    scene: Scene, operator: Any, fakes: Fakes
) -> None:
    change = planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.FAILED, ended_at=timezone.now())
    change.operations.update(state=OperationState.IN_DOUBT)
    own = change.operations.get().pk
    fakes.states[own] = "applied"
    fakes.before["server1", "recover"] = lambda: fakes.states.update({own: "rolledback"})
    sweeper.settle_doubtful()
    assert Operation.objects.get().state == OperationState.ROLLED_BACK


def test_a_repair_that_a_server_misses_is_made_again_when_it_answers(
    scene: Scene, operator: Any, fakes: Fakes, servers: Servers
) -> None:
    """Nothing new was decided, so no revision tells of it; shown as behind it must not stay so for ever."""
    after = decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    write(replace(after, networks=tuple(replace(n, bridge="vn-a") for n in after.networks)))
    before = head().number
    repair = Change.objects.create(
        author=operator, repairs=[scene.server1.pk], base=head().number, state=ChangeState.PLANNING
    )
    planning.plan(repair.pk)
    repair.refresh_from_db()
    changes.apply_change(operator, repair, ())
    servers.sent.clear()
    own = repair.operations.get().pk
    fakes.before["server1", "confirm2 and look"] = lambda: fakes.states.update({own: "rolledback"})
    run_change(repair.pk)
    fakes.before.clear()
    assert repair.operations.get().state == OperationState.BEHIND
    with later(10):
        sweeper.sweep()
        servers.work()
    assert repair.operations.get().state == OperationState.DONE
    assert not Behind.objects.exists()
    assert head().number == before
