"""A Change over many servers goes in waves: each decides for itself, a failed one stops the rest."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db.backends.signals import connection_created
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import at_revision, head
from networks.domain.state import Assign, CreateNetwork, CreateVlan, DescribeNetwork, Edit
from networks.engine.runner import run_change
from networks.models import Behind, Change
from networks.services import changes, queueing
from networks.services.drafts import draft_of
from networks.services.errors import Conflict
from networks.state_json import load_edits
from nodes.models import PhysicalServer
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene, make_server
from tests.networks.fleet_of_fakes import REFUSES, SILENT, Fakes, fake

pytestmark = pytest.mark.django_db(transaction=True)
A = "6f1c3a1e-0000-4000-8000-000000000001"


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return fake(monkeypatch)


@pytest.fixture
def servers(scene: Scene) -> tuple[PhysicalServer, ...]:
    """Seven servers, of which server1 has the fewest containers."""
    segment = scene.eth0(scene.server1).segment
    assert segment
    more = [make_server(scene.group, segment, f"server{n}", f"10.77.0.{20 + n}") for n in range(3, 8)]
    PhysicalServer.objects.exclude(pk=scene.server1.pk).update(running_count=3)
    return (scene.server1, scene.server2, *more)


def assigned(servers: tuple[PhysicalServer, ...]) -> list[Edit]:
    return [CreateNetwork(A, "A"), *(Assign(A, server.pk, "eth0") for server in servers)]


def applied(
    user: Any, servers: tuple[PhysicalServer, ...], width: int, *leave_out: PhysicalServer, runs: bool = True
) -> Change:
    change = planned(user, *assigned(servers), servers=servers)
    change.operations.update(is_guarded=True)
    change.operations.filter(server__in=leave_out).update(is_unreachable=True, refusals=["no route"])
    changes.apply_change(user, change, (), width=width, leave_out=[s.pk for s in leave_out])
    if runs:
        run_change(change.pk)
    change.refresh_from_db()
    return change


def states(change: Change) -> dict[str, str]:
    return dict(change.operations.values_list("server_name", "state"))


def test_each_wave_is_decided_by_itself(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    change = applied(operator, servers, 5)
    assert change.state == ChangeState.DONE
    assert [len(list(g)) for g in waves_of(change)] == [1, 5, 1]
    rows = list(change.decisions.all())
    assert [(row.wave, row.revision_id) for row in rows] == [(1, 1), (2, 2), (3, 3)]
    assert [len(at_revision(n).assignments) for n in (1, 2, 3)] == [1, 6, 7]
    assert change.revision_id == 3 and change.decided_at == rows[-1].decided_at


def test_its_servers_need_no_database_connection_each(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    """PostgreSQL allows a hundred: one is the worker's, one the lease's."""
    opened: list[str] = []

    def count(**kwargs: Any) -> None:
        opened.append(threading.current_thread().name)

    connection_created.connect(count)
    try:
        assert applied(operator, servers, 6).state == ChangeState.DONE
    finally:
        connection_created.disconnect(count)
    assert set(opened) <= {threading.current_thread().name, "lease-heartbeat"}


def waves_of(change: Change) -> list[list[str]]:
    found: dict[int, list[str]] = {}
    for wave, name in change.operations.order_by("wave", "server_name").values_list("wave", "server_name"):
        found.setdefault(wave, []).append(name)
    return list(found.values())


def test_the_first_server_goes_alone_and_the_others_wait_for_its_end(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    fakes.before["server2", "apply"] = lambda: at_that_time.append(fakes.verbs("confirm2 and look"))
    at_that_time: list[list[str]] = []
    change = applied(operator, servers, 10)
    assert waves_of(change)[0] == ["server1"]
    assert at_that_time == [["server1"]]


def test_a_failed_wave_stops_the_rest_and_says_which_servers_are_how(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    fakes.faults["server4", "apply"] = REFUSES
    change = applied(operator, servers, 5)
    assert change.state == ChangeState.PARTLY
    assert states(change) == {
        "server1": OperationState.DONE,
        "server2": OperationState.ROLLED_BACK,
        "server3": OperationState.ROLLED_BACK,
        "server4": OperationState.FAILED,
        "server5": OperationState.ROLLED_BACK,
        "server6": OperationState.ROLLED_BACK,
        "server7": OperationState.CANCELLED,
    }
    for words in ("server4 will not", "Done: server1.", "Not begun: server7.", "Rolled back: server2"):
        assert words in change.result
    assert head().number == 1
    assert [a.server for a in head().state.assignments] == [servers[0].pk]
    assert "server7" not in fakes.verbs("apply")


def test_what_was_not_decided_goes_back_into_the_draft(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    fakes.faults["server4", "apply"] = REFUSES
    change = applied(operator, servers, 5)
    changes.mend(operator, change)
    edits = load_edits(draft_of(operator).edits)
    assert CreateNetwork(A, "A") not in edits
    assert {e.server for e in edits if isinstance(e, Assign)} == {s.pk for s in servers[1:]}


def test_a_canary_that_fails_leaves_everything_as_it_was(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    fakes.faults["server1", "confirm1 and look"] = SILENT
    fakes.faults["server1", "extend"] = SILENT
    fakes.seconds = 2
    change = planned(operator, *assigned(servers), servers=servers)
    change.operations.update(is_guarded=True)
    changes.apply_change(operator, change, (), width=5)
    run_change(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.FAILED
    assert head().number == 0
    assert set(fakes.verbs("apply")) == {"server1"}


def test_a_server_that_misses_the_decision_stops_the_rest_too(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    def dies() -> None:
        change = Change.objects.get()
        fakes.states.update({op.pk: "rolledback" for op in change.operations.filter(server_name="server1")})

    fakes.before["server1", "confirm2 and look"] = dies
    change = applied(operator, servers, 5)
    assert change.state == ChangeState.PARTLY
    assert states(change)["server1"] == OperationState.BEHIND
    assert states(change)["server2"] == OperationState.CANCELLED
    behind = Behind.objects.get()
    assert (behind.server, behind.followed, behind.missed) == (servers[0], 0, 1)
    assert "server1 did not follow" in change.result


def test_a_cancel_between_two_waves_keeps_what_was_decided(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    fakes.before["server2", "apply"] = lambda: Change.objects.update(cancel_requested_at=timezone.now())
    change = applied(operator, servers, 1)
    assert change.state == ChangeState.PARTLY
    assert "Cancelled" in change.result
    assert states(change)["server1"] == OperationState.DONE
    assert len(head().state.assignments) == 1


def test_another_worker_goes_on_where_the_first_one_died(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        del fakes.before["server3", "follow"]
        raise Killed

    fakes.before["server3", "follow"] = die
    change = applied(operator, servers, 1, runs=False)
    with pytest.raises(Killed):
        run_change(change.pk)
    run_change(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.DONE
    assert sorted(fakes.verbs("apply")) == sorted(server.name for server in servers)
    assert head().number == 7


def test_other_decisions_between_the_waves_are_kept(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    other = "6f1c3a1e-0000-4000-8000-000000000002"
    decide(CreateNetwork(other, "B"))
    fakes.before["server5", "apply"] = lambda: decide(DescribeNetwork(other, "B", "changed meanwhile"))
    change = applied(operator, servers, 10)
    assert change.state == ChangeState.DONE
    found = head().state.network(other)
    assert found and found.description == "changed meanwhile"
    assert len(head().state.assignments) == 7


def test_an_unreachable_server_stands_in_the_way_until_it_is_left_out(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    change = planned(operator, *assigned(servers[:2]), servers=servers[:2])
    change.operations.filter(server=servers[1]).update(is_unreachable=True, refusals=["no route"])
    with pytest.raises(Conflict, match="no route"):
        changes.apply_change(operator, change, ())
    with pytest.raises(Conflict, match="no route"):
        changes.apply_change(operator, change, (), leave_out=[servers[0].pk])


def test_a_server_that_is_left_out_is_behind_from_the_decision_on(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    change = applied(operator, servers, 5, servers[2])
    assert change.state == ChangeState.BEHIND
    assert states(change)["server3"] == OperationState.BEHIND
    assert not [verb for name, verb in fakes.told if name == "server3"]
    assert len(head().state.assignments) == 7
    assert (Behind.objects.get().server, Behind.objects.get().followed) == (servers[2], 1)


def test_a_server_that_refuses_cannot_be_left_out(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    change = planned(operator, *assigned(servers[:2]), servers=servers[:2])
    change.operations.filter(server=servers[1]).update(refusals=["eth0 gets its address by DHCP"])
    with pytest.raises(Conflict, match="DHCP"):
        changes.apply_change(operator, change, (), leave_out=[servers[1].pk])


def test_nobody_is_left_behind_by_a_change_that_failed(
    operator: Any, servers: tuple[PhysicalServer, ...], fakes: Fakes
) -> None:
    fakes.faults["server1", "apply"] = REFUSES
    change = applied(operator, servers[:3], 0, servers[2])
    assert change.state == ChangeState.FAILED
    assert states(change)["server3"] == OperationState.LEFT_OUT
    assert not Behind.objects.exists()


def test_more_servers_than_a_wave_may_have_do_not_go_at_once(
    operator: Any, servers: tuple[PhysicalServer, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "MOST", 3)
    change = planned(operator, *assigned(servers), servers=servers)
    with pytest.raises(Conflict, match="At most 3 servers"):
        changes.apply_change(operator, change, (), width=0)
    with pytest.raises(Conflict, match="At most 3 servers"):
        changes.apply_change(operator, change, (), width=4)


def test_a_server_that_is_to_get_a_vlan_adapter_cannot_be_left_out(
    operator: Any, servers: tuple[PhysicalServer, ...]
) -> None:
    change = planned(operator, CreateVlan(servers[1].pk, "eth0.100", "eth0", 100), servers=servers[:2])
    change.operations.filter(server=servers[1]).update(is_unreachable=True, refusals=["no route"])
    with pytest.raises(Conflict, match="server2 cannot be left out: its new VLAN adapters"):
        changes.apply_change(operator, change, (), leave_out=[servers[1].pk])
