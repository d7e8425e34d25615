"""Before a wave is decided, members that it joins over two servers must hear each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import head
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DescribeNetwork,
    Edit,
    RemoveMember,
    Unassign,
)
from networks.engine import members
from networks.engine import operation as steps
from networks.engine.runner import run_change
from networks.measure import Heard, Place
from networks.models import Behind, Change, Disagreement
from nodes.choices import ServerState
from nodes.models import PhysicalServer
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene
from tests.networks.fleet_of_fakes import Fakes, fake

pytestmark = pytest.mark.django_db(transaction=True)
A = "6f1c3a1e-0000-4000-8000-000000000001"


class Wire:
    """What joins the servers, and who was asked over it."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.answer = "0a:00:00:00:00:01"
        self.missing: set[str] = set()
        self.error: Any = None

    def ask(
        self, server: PhysicalServer, places: tuple[Place, ...], *rest: object
    ) -> Mapping[str, Heard] | str:
        self.asked.append(server.pk)
        if isinstance(self.error, Exception):
            raise self.error
        if self.error:
            return str(self.error)
        return {
            place.ctid: Heard(
                arps={} if self.missing else dict.fromkeys(place.arps, self.answer), missing=self.missing
            )
            for place in places
        }


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch, fakes: Fakes) -> Wire:
    found = Wire()
    monkeypatch.setattr(members, "ask", found.ask)
    return found


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return fake(monkeypatch)


def over_both(scene: Scene, adapter: str = "eth0") -> list[Edit]:
    one, two = scene.server1.pk, scene.server2.pk
    vlans = [CreateVlan(s, adapter, "eth0", 100) for s in (one, two)] if adapter != "eth0" else []
    joined = [AddMember(A, scene.key(scene.server1, "102")), AddMember(A, scene.key(scene.server2, "202"))]
    return [CreateNetwork(A, "A"), *vlans, Assign(A, one, adapter), Assign(A, two, adapter), *joined]


def run(user: Any, *edits: Edit, servers: tuple[PhysicalServer, ...], **columns: Any) -> Change:
    change = planned(user, *edits, servers=servers, settled={"bridges": {A: "vn-a"}}, **columns)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
    change.operations.update(state=OperationState.QUEUED)
    run_change(change.pk)
    change.refresh_from_db()
    return change


def test_members_that_hear_each_other_are_decided_on_after_one_command(
    scene: Scene, operator: Any, wire: Wire
) -> None:
    change = run(operator, *over_both(scene), servers=(scene.server1, scene.server2))
    assert change.state == ChangeState.DONE
    assert wire.asked == [scene.server1.pk]


@pytest.mark.parametrize(
    ("adapter", "cause"),
    [
        ("eth0.100", "the switch port of one of the two servers does not carry VLAN 100"),
        ("eth0", "a cable or a switch port of one of the two servers lets nothing through"),
    ],
)
def test_members_that_do_not_are_taken_back_and_named_with_the_likely_cause(
    scene: Scene, operator: Any, wire: Wire, fakes: Fakes, adapter: str, cause: str
) -> None:
    wire.answer = ""
    change = run(operator, *over_both(scene, adapter), servers=(scene.server1, scene.server2))
    assert change.state == ChangeState.FAILED and head().number == 0
    assert set(fakes.states.values()) == {"rolledback"}
    assert change.result.startswith(
        "Container 102 (ct102) on physical server server1 and Container 202 (ct202) on physical server "
        f"server2 do not hear each other in Virtual Network A. Most likely {cause}"
    )
    # Once more from both ends, so that a lost frame is no reason.
    assert sorted(wire.asked) == sorted([scene.server1.pk, scene.server1.pk, scene.server2.pk])


@pytest.mark.parametrize(
    "unknown", ["no arping", "it cannot be reached", "a bug"], ids=lambda text: text.replace(" ", "-")
)
def test_what_cannot_be_asked_stands_in_nobodys_way(
    scene: Scene, operator: Any, wire: Wire, unknown: str
) -> None:
    wire.missing = {"arping"} if unknown == "no arping" else set()
    wire.error = {"no arping": None, "a bug": RuntimeError("a bug")}.get(unknown, unknown)
    change = run(operator, *over_both(scene), servers=(scene.server1, scene.server2))
    assert change.state == ChangeState.DONE and len(wire.asked) == 1


@pytest.mark.parametrize("adapter", ["eth0", "eth0.100"])
@pytest.mark.parametrize("silent", [{"is_up": False}, {"has_carrier": False}], ids=["off", "no-cable"])
def test_behind_an_adapter_that_was_silent_nobody_is_asked(
    scene: Scene, operator: Any, wire: Wire, adapter: str, silent: dict[str, bool]
) -> None:
    """The Change has just switched it on, and a switch port says nothing for some seconds after that."""
    scene.server2.adapters.filter(name="eth0").update(**silent)
    change = run(operator, *over_both(scene, adapter), servers=(scene.server1, scene.server2))
    assert change.state == ChangeState.DONE and wire.asked == []


def test_a_container_that_does_not_run_is_not_asked(scene: Scene, operator: Any, wire: Wire) -> None:
    scene.server2.containers.update(status="stopped")
    change = run(operator, *over_both(scene), servers=(scene.server1, scene.server2))
    assert change.state == ChangeState.DONE and wire.asked == []


def test_a_change_that_joins_nobody_over_two_servers_costs_nothing(
    scene: Scene, operator: Any, wire: Wire
) -> None:
    """One server alone, another name, one that leaves, one more where the network is already."""
    one, more = scene.key(scene.server1, "102"), scene.key(scene.server1, "103")
    new = [CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), AddMember(A, one)]
    assert run(operator, *new, servers=(scene.server1,)).state == ChangeState.DONE
    decide(Assign(A, scene.server2.pk, "eth0"), AddMember(A, scene.key(scene.server2, "202")))
    for edits in ([DescribeNetwork(A, "B", "")], [AddMember(A, more)], [RemoveMember(more)]):
        assert run(operator, *edits, servers=(scene.server1,)).state == ChangeState.DONE
    leaves = [RemoveMember(scene.key(scene.server2, "202")), Unassign(A, scene.server2.pk)]
    assert run(operator, *leaves, servers=(scene.server2,)).state == ChangeState.DONE
    assert wire.asked == []


def test_a_server_that_comes_to_a_network_hears_one_that_has_it(
    scene: Scene, operator: Any, wire: Wire, fakes: Fakes
) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server2.pk, "eth0"))
    decide(AddMember(A, scene.key(scene.server2, "202")))
    wire.answer = ""
    comes = [Assign(A, scene.server1.pk, "eth0"), AddMember(A, scene.key(scene.server1, "102"))]
    change = run(operator, *comes, servers=(scene.server1,))
    assert change.state == ChangeState.FAILED and scene.server2.pk in wire.asked


@pytest.mark.parametrize("ailing", ["unreachable", "behind", "known"])
def test_one_of_which_something_is_known_is_not_asked_for(
    scene: Scene, operator: Any, wire: Wire, ailing: str
) -> None:
    """What stood before must not stop an edit for ever."""
    now, two = timezone.now(), scene.server2
    decide(CreateNetwork(A, "A"), Assign(A, two.pk, "eth0"), AddMember(A, scene.key(two, "202")))
    if ailing == "unreachable":
        PhysicalServer.objects.filter(pk=two.pk).update(state=ServerState.UNREACHABLE)
    elif ailing == "behind":
        Behind.objects.create(server=two, followed=0, missed=1, reason="-", since=now)
    else:
        Disagreement.objects.create(
            key="trunk", text="-", servers=[two.pk], first_seen_at=now, last_seen_at=now
        )
    wire.answer = ""
    comes = [Assign(A, scene.server1.pk, "eth0"), AddMember(A, scene.key(scene.server1, "102"))]
    assert run(operator, *comes, servers=(scene.server1,)).state == ChangeState.DONE
    assert wire.asked == []


def test_time_that_asking_took_is_given_back_before_the_decision(
    scene: Scene, operator: Any, wire: Wire, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = steps.seconds_left
    monkeypatch.setattr(steps, "seconds_left", lambda op: left(op) - (40 if wire.asked else 0))
    monkeypatch.setattr(steps, "LEAST_LEFT_S", 0)
    change = run(operator, *over_both(scene), servers=(scene.server1, scene.server2))
    assert change.state == ChangeState.DONE
    assert sorted(fakes.verbs("extend")) == ["server1", "server2"]
