"""A server that misses another decision while it is brought forward has missed only that one from then on.

What the plan under way carried is done, errands included, and must not be done by the next one again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from networks.choices import ChangeState, OperationState
from networks.desired import head
from networks.domain.state import AddInterface, AddMember, CreateNetwork, Edit, RemoveMember
from networks.engine import behind, runner, sweeper
from networks.engine.behind import followed_by, missed_errands, missed_on
from networks.engine.lease import MAX_ATTEMPTS
from networks.engine.runner import run_change
from networks.models import Behind, Change, Operation
from networks.services import changes
from tests.networks.changes import planned
from tests.networks.conftest import Scene
from tests.networks.fleet_of_fakes import Fakes
from tests.networks.test_behind import (
    A,
    Servers,
    fakes,  # noqa: F401 -- a fixture
    later,
    missed,  # noqa: F401 -- a fixture
    server2_as_before,
    servers,  # noqa: F401 -- a fixture
)

pytestmark = pytest.mark.django_db(transaction=True)
B = "6f1c3a1e-0000-4000-8000-000000000002"
ERRAND = "netif_add 4 202 eth1"
Forward = Callable[..., Change]


class Killed(BaseException):
    """A worker dies here."""


def missed_by(scene: Scene) -> dict[str, list[str]]:
    """What a review stores of server2."""
    return {str(server): operations for server, operations in missed_on([scene.server2.pk]).items()}


@pytest.fixture
def errand(missed: Callable[..., Change], scene: Scene, servers: Servers) -> Change:  # noqa: F811
    """A Change that server2 missed: 201 was to join network A, and 202 to get an adapter."""
    change = missed(
        AddMember(A, scene.key(scene.server2, "201")), AddInterface(scene.key(scene.server2, "202", "eth1"))
    )
    servers.facts = server2_as_before()
    return change


@pytest.fixture
def leave_out(scene: Scene, operator: Any) -> Callable[..., Change]:
    """Has another Change decided that leaves server2 out: it had not answered at the review."""

    def left_out(*edits: Edit) -> Change:
        here = (scene.server1, scene.server2)
        settled = {"bridges": {B: "vn-b"}, "missed": missed_by(scene)}
        change = planned(operator, CreateNetwork(B, "B"), *edits, servers=here, settled=settled)
        change.operations.filter(server=scene.server2).update(is_unreachable=True, refusals=["no route"])
        changes.apply_change(operator, change, (), leave_out=[scene.server2.pk])
        run_change(change.pk)
        change.refresh_from_db()
        assert change.state == ChangeState.BEHIND
        return change

    return left_out


@pytest.fixture
def forward(servers: Servers, fakes: Fakes) -> Forward:  # noqa: F811
    """Has the panel bring server2 forward; `meanwhile` happens when its plan is about to be applied there."""
    at = iter(range(10, 100_000, 1000))

    def brought(meanwhile: Callable[[], object] = lambda: None) -> Change:
        fakes.before["server2", "apply"] = meanwhile
        before = set(Change.objects.values_list("pk", flat=True))
        with later(next(at)):
            sweeper.sweep()
            servers.work()
        fakes.before.clear()
        return Change.objects.exclude(pk__in=before).get(is_automatic=True)

    return brought


def plan_for_server2(change: Change) -> str:
    return change.operations.get(server_name="server2").host_plan


def test_its_errands_are_not_done_again(
    errand: Change, leave_out: Callable[..., Change], forward: Forward, scene: Scene
) -> None:
    first = forward(leave_out)
    assert ERRAND in plan_for_server2(first)
    assert Behind.objects.get().missed == head().number > first.base
    assert not missed_errands(scene.server2.pk)

    second = forward()

    assert ERRAND not in plan_for_server2(second)
    assert not Behind.objects.exists()
    assert not Operation.objects.filter(state=OperationState.BEHIND).exists()


def test_the_change_that_it_has_now_is_done_and_the_other_is_not(
    errand: Change, leave_out: Callable[..., Change], forward: Forward, scene: Scene
) -> None:
    first = forward(leave_out)

    other = Change.objects.get(state=ChangeState.BEHIND)
    assert other.operations.get(server=scene.server2).state == OperationState.BEHIND
    assert Behind.objects.get().change == other
    errand.refresh_from_db()
    assert (errand.state, errand.result) == (ChangeState.DONE, "")
    assert f"Brought forward by “{first}”" in errand.operations.get(server=scene.server2).events[-1]["text"]

    forward()

    other.refresh_from_db()
    assert (other.state, other.result) == (ChangeState.DONE, "")


def test_it_follows_what_it_was_brought_to(
    errand: Change, leave_out: Callable[..., Change], forward: Forward, scene: Scene
) -> None:
    """Else a member that came with it, and that the other took out, would stay in the bridge for ever."""
    key = scene.key(scene.server2, "201")
    first = forward(lambda: leave_out(RemoveMember(key)))
    assert Behind.objects.get().followed == first.base
    assert key in {member.interface for member in followed_by([scene.server2.pk])[scene.server2.pk].members}

    assert "step port veth201.0 -" in plan_for_server2(forward())


def test_errands_of_a_try_that_is_taken_back_are_still_missed(
    errand: Change,
    leave_out: Callable[..., Change],
    forward: Forward,
    fakes: Fakes,  # noqa: F811
) -> None:
    fakes.faults["server2", "confirm1 and look"] = "refuses"
    first = forward(leave_out)
    assert first.state == ChangeState.FAILED
    assert Behind.objects.get().followed == 0
    fakes.faults.clear()

    assert ERRAND in plan_for_server2(forward())


def test_errands_of_one_that_answers_only_later_that_it_has_committed_are_not_done_again(
    errand: Change,
    leave_out: Callable[..., Change],
    forward: Forward,
    fakes: Fakes,  # noqa: F811
    scene: Scene,
) -> None:
    first = forward(leave_out)
    own = first.operations.get()
    Operation.objects.filter(pk=own.pk).update(state=OperationState.IN_DOUBT)
    Operation.objects.filter(change=errand, server=scene.server2).update(state=OperationState.BEHIND)
    fakes.states[own.pk] = "committed"

    with later(2000):
        sweeper.settle_doubtful()

    assert Operation.objects.get(pk=own.pk).state == OperationState.DONE
    assert not missed_errands(scene.server2.pk)


def test_a_change_that_was_reviewed_before_its_errands_were_told_ends_nothing_that_it_may_not_have_done(
    errand: Change, leave_out: Callable[..., Change], forward: Forward, scene: Scene
) -> None:
    """Applied by a panel that did not store what a review carried, and ended by one that does."""

    def meanwhile() -> None:
        leave_out()
        Change.objects.filter(is_automatic=True).update(settled={})

    forward(meanwhile)

    assert errand.operations.get(server=scene.server2).state == OperationState.BEHIND
    assert missed_errands(scene.server2.pk)


@pytest.mark.parametrize("misses_more", [True, False])
def test_a_worker_that_takes_over_tells_what_the_one_that_was_killed_there_had_not(
    errand: Change,
    leave_out: Callable[..., Change],
    forward: Forward,
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    misses_more: bool,
) -> None:
    def dies(change: Change) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(behind, "tell_change", dies)
        with pytest.raises(Killed):
            forward(leave_out if misses_more else lambda: None)
    own = Change.objects.get(is_automatic=True)
    Change.objects.filter(pk=own.pk).update(lease_until=None)

    run_change(own.pk)

    errand.refresh_from_db()
    assert errand.state == ChangeState.DONE
    assert errand.operations.get(server=scene.server2).state == OperationState.DONE
    assert Behind.objects.exists() is misses_more


def test_one_that_workers_keep_dying_of_between_two_waves_has_done_its_errands_too(
    errand: Change, operator: Any, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*args: object) -> None:
        raise Killed

    here = (scene.server1, scene.server2)
    change = planned(operator, CreateNetwork(B, "B"), servers=here, settled={"missed": missed_by(scene)})
    changes.apply_change(operator, change, (), width=1)
    change.operations.filter(server=scene.server2).update(wave=1)
    change.operations.filter(server=scene.server1).update(wave=2)
    with monkeypatch.context() as patched:
        patched.setattr(runner, "caught_up", dies)
        with pytest.raises(Killed):
            run_change(change.pk)
    Change.objects.filter(pk=change.pk).update(lease_until=None, attempts=MAX_ATTEMPTS)

    run_change(change.pk)

    change.refresh_from_db()
    assert change.state == ChangeState.PARTLY
    assert not missed_errands(scene.server2.pk)
    assert not Behind.objects.exists()
