"""Problems are found anywhere, stand until they are mended, and keep their first time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from networks import problem_check
from networks.choices import OperationState
from networks.domain.state import AddMember, Assign, CreateNetwork
from networks.models import Drift, Operation, StandingProblem
from networks.problem_check import check, rules_version
from nodes.choices import ServerState
from nodes.models import Adapter, ContainerInterface, PhysicalSegment, PhysicalServer
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene

B = "6f1c3a1e-0000-4000-8000-00000000000b"


def causes() -> list[str]:
    return sorted(StandingProblem.objects.open().values_list("cause", flat=True))


def twins(scene: Scene, network: str) -> None:
    """A network whose two members have one address."""
    decide(
        CreateNetwork(network, "A"),
        Assign(network, scene.server1.pk, "eth0"),
        AddMember(network, scene.key(scene.server1, "102")),
        AddMember(network, scene.key(scene.server1, "103")),
    )
    ContainerInterface.objects.filter(container__ctid__in=("102", "103")).update(
        addresses_text="10.77.0.9/24"
    )


def test_an_installation_that_is_well_has_none(scene: Scene) -> None:
    assert check() == 0


def test_a_server_that_does_not_answer_is_one_until_it_answers(scene: Scene) -> None:
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(
        state=ServerState.UNREACHABLE, state_reason="No route to host."
    )
    check()
    problem = StandingProblem.objects.open().get()
    assert (problem.cause, problem.text) == ("server-unreachable", "server1: No route to host.")
    assert list(problem.servers.all()) == [scene.server1]
    first = problem.first_seen_at
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(state_reason="Timed out.")
    check()
    problem.refresh_from_db()
    assert (problem.text, problem.first_seen_at) == ("server1: Timed out.", first)
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(state=ServerState.OK)
    assert check() == 0
    problem.refresh_from_db()
    assert problem.ended_at is not None


def test_a_rule_that_is_broken_is_one_with_its_subjects(scene: Scene, network_id: str) -> None:
    twins(scene, network_id)
    check()
    problem = StandingProblem.objects.open().get(cause="duplicate-ip")
    assert {s["label"] for s in problem.subjects} >= {"container 102 on server1", "container 103 on server1"}


def test_the_rules_are_not_asked_again_while_nothing_has_changed(scene: Scene, network_id: str) -> None:
    twins(scene, network_id)
    check()
    before = causes()
    with CaptureQueriesContext(connection) as queries:
        check()
    assert causes() == before
    assert not any("containerinterface" in query["sql"] for query in queries)
    scene.eth0(scene.server1).refresh_from_db()
    PhysicalSegment.objects.update(name="another name")
    with CaptureQueriesContext(connection) as queries:
        check()
    assert any("containerinterface" in query["sql"] for query in queries)


def test_the_rules_are_asked_again_when_two_adapters_change_places(scene: Scene, network_id: str) -> None:
    """Each segment keeps its name and its number of adapters."""
    twins(scene, network_id)
    here, there = scene.eth0(scene.server1), scene.eth0(scene.server2)
    first, second = here.segment, PhysicalSegment.objects.create(name="second")
    Adapter.objects.filter(pk=there.pk).update(segment=second)
    check()
    version = rules_version()
    Adapter.objects.filter(pk=here.pk).update(segment=second)
    Adapter.objects.filter(pk=there.pk).update(segment=first)
    assert rules_version() != version
    with CaptureQueriesContext(connection) as queries:
        check()
    assert any("containerinterface" in query["sql"] for query in queries)


def test_after_asking_the_rules_for_long_the_worker_rests(
    scene: Scene, network_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_check, "REST", 1e9)
    check()
    twins(scene, network_id)
    assert check() == 0
    monkeypatch.setattr(problem_check._Rest, "until", 0.0)
    assert check() > 0


def test_drift_is_one_problem_a_server(scene: Scene) -> None:
    now = timezone.now()
    for name in ("MTU", "state"):
        Drift.objects.create(
            server=scene.server2,
            kind="adapter",
            name="eth0",
            property_name=name,
            first_seen_at=now,
            seen_at=now,
        )
    check()
    assert (
        StandingProblem.objects.open().get().text == "2 properties differ from what was decided on server2."
    )


def test_a_server_that_is_behind_is_one_until_a_later_change_is_done_there(admin: Any, scene: Scene) -> None:
    change = planned(admin, servers=(scene.server1,))
    now = timezone.now()
    Operation.objects.filter(change=change).update(state=OperationState.BEHIND, ended_at=now)
    check()
    problem = StandingProblem.objects.open().get()
    assert problem.cause == "behind"
    assert {"kind": "change", "change": str(change.pk), "label": "the change"} in problem.subjects
    later = planned(admin, servers=(scene.server1,))
    Operation.objects.filter(change=later).update(
        state=OperationState.DONE, ended_at=now + timedelta(minutes=1)
    )
    assert check() == 0


def test_one_that_was_reviewed_later_but_done_before_ends_no_problem(admin: Any, scene: Scene) -> None:
    """A repair was done while another Change waited for its author, whose part then went wrong."""
    waited, repair = (planned(admin, servers=(scene.server1,)) for _ in range(2))
    now = timezone.now()
    Operation.objects.filter(change=repair).update(state=OperationState.DONE, ended_at=now)
    Operation.objects.filter(change=waited).update(
        state=OperationState.NEEDS_ATTENTION, ended_at=now + timedelta(minutes=1)
    )
    check()
    assert causes() == ["needs-attention"]


def test_a_follow_up_that_failed_a_few_times_is_one(admin: Any, scene: Scene) -> None:
    change = planned(admin, servers=(scene.server1,))
    Operation.objects.filter(change=change).update(
        state=OperationState.DONE, must_follow=True, follow_attempts=problem_check.FOLLOW_TRIES
    )
    check()
    assert causes() == ["follow"]


def test_a_problem_that_comes_back_is_a_new_one(scene: Scene) -> None:
    for state in (ServerState.UNREACHABLE, ServerState.OK, ServerState.UNREACHABLE):
        PhysicalServer.objects.filter(pk=scene.server1.pk).update(state=state)
        check()
    assert StandingProblem.objects.count() == 2
    assert StandingProblem.objects.open().count() == 1


def test_ended_problems_are_forgotten_after_a_while(scene: Scene) -> None:
    long_ago = timezone.now() - problem_check.KEPT - timedelta(days=1)
    StandingProblem.objects.create(cause="x", key="x", text="x", first_seen_at=long_ago, ended_at=long_ago)
    check()
    assert not StandingProblem.objects.exists()


@pytest.mark.usefixtures("scene")
def test_a_removed_server_takes_its_problem_along(scene: Scene) -> None:
    PhysicalServer.objects.filter(pk=scene.windows.pk).update(state=ServerState.UNREACHABLE)
    assert check() == 1
    scene.windows.delete()
    assert check() == 0


def test_a_problem_whose_words_change_names_its_servers_anew(scene: Scene) -> None:
    now = timezone.now()
    one = problem_check.Found("breach", "refuse", "A breach.", also=frozenset({scene.server1.pk}))
    problem_check._store([one], {}, now)
    problem = StandingProblem.objects.get(cause="breach")
    assert set(problem.servers.all()) == {scene.server1}
    other = problem_check.Found("breach", "refuse", "Another way.", also=frozenset({scene.server2.pk}))
    problem_check._store([other], {problem.key: problem}, now)
    assert set(problem.servers.all()) == {scene.server2}


def test_a_problem_with_a_removed_server_is_told_to_nobody_before_it_is_found_again(scene: Scene) -> None:
    """It names its servers so that only who may see all of them sees it: without one, more people would."""
    twins(scene, B)
    check()
    problem = StandingProblem.objects.open().filter(servers=scene.server1).first()
    assert problem is not None
    problem.servers.add(scene.server2)
    scene.server2.delete()
    problem.refresh_from_db()
    assert problem.ended_at is not None
    check()
    assert StandingProblem.objects.open().filter(key=problem.key).exists()
