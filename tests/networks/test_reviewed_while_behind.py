"""A Change is applied only while its servers have missed what they had missed at its review.

What they missed is in its plan. Errands are done once, and done by another Change they leave no revision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import head
from networks.domain.state import AddInterface, AddMember, Edit, Unassign
from networks.engine import planning, sweeper
from networks.engine.behind import brought_to
from networks.engine.runner import run_change
from networks.models import Behind, Change, Operation
from networks.services import changes
from networks.services.errors import Conflict
from networks.services.forward import bring_forward
from networks.state_json import dump_edits
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
ERRAND = "netif_add 4 202 eth1"
REFUSED = r"server2 was brought forward, or missed another change.*Review the draft again"
REPAIR_REFUSED = REFUSED.replace("Review the draft again", "Ask for the repair again")


def apply(user: Any, change: Change) -> None:
    changes.apply_change(user, change, {row["key"] for row in change.problems})


@pytest.fixture
def errand(missed: Callable[..., Change], scene: Scene, servers: Servers) -> Change:  # noqa: F811
    """A Change that server2 missed: container 202 was to get an adapter there."""
    change = missed(AddInterface(scene.key(scene.server2, "202", "eth1")))
    servers.facts = server2_as_before()
    return change


@pytest.fixture
def review(scene: Scene, operator: Any) -> Callable[..., Change]:
    """Has a Change of the operator's planned, of server2 if nothing else is said."""

    def planned(*edits: Edit) -> Change:
        words = dump_edits(edits or (AddMember(A, scene.key(scene.server2, "202")),))
        change = Change.objects.create(
            author=operator, base=head().number, state=ChangeState.PLANNING, edits=words
        )
        planning.plan(change.pk)
        change.refresh_from_db()
        return change

    return planned


def test_what_was_brought_forward_since_is_not_done_again(
    errand: Change,
    review: Callable[..., Change],
    scene: Scene,
    operator: Any,
    servers: Servers,  # noqa: F811
) -> None:
    change = review()
    assert ERRAND in change.operations.get().host_plan
    with later(10):
        sweeper.sweep()
        servers.work()
    assert not Behind.objects.exists()
    assert head().number == change.base, "no revision tells of it"

    with pytest.raises(Conflict, match=REFUSED):
        apply(operator, change)

    change.refresh_from_db()
    assert change.state == ChangeState.PLANNED
    again = review()
    assert ERRAND not in again.operations.get().host_plan
    apply(operator, again)
    run_change(again.pk)
    again.refresh_from_db()
    assert again.state == ChangeState.DONE


def test_a_person_who_brings_it_forward_does_not_repeat_what_the_panel_has_done(
    errand: Change,
    scene: Scene,
    operator: Any,
    servers: Servers,  # noqa: F811
) -> None:
    mine = bring_forward(operator, scene.server2)
    servers.work()
    mine.refresh_from_db()
    assert ERRAND in mine.operations.get().host_plan
    with later(10):
        sweeper.sweep()
        servers.work()
    assert not Behind.objects.exists()

    with pytest.raises(Conflict, match=REPAIR_REFUSED):
        apply(operator, mine)


def test_what_a_server_that_was_found_as_decided_had_missed_is_not_done(
    errand: Change, review: Callable[..., Change], scene: Scene, operator: Any
) -> None:
    """Somebody has done it by hand: no Change was committed there."""
    change = review()
    brought_to(scene.server2.pk, change, "It was found as it was decided.")

    with pytest.raises(Conflict, match=REFUSED):
        apply(operator, change)


def test_what_is_brought_forward_while_the_review_looks_is_not_done_again(
    errand: Change,
    review: Callable[..., Change],
    scene: Scene,
    operator: Any,
    fakes: Fakes,  # noqa: F811
) -> None:
    fakes.before["server2", "plan"] = lambda: brought_to(scene.server2.pk, Change(base=head().number), "")
    change = review()
    assert ERRAND in change.operations.get().host_plan

    with pytest.raises(Conflict, match=REFUSED):
        apply(operator, change)


def test_what_another_change_has_just_committed_there_is_not_done_again(
    errand: Change, review: Callable[..., Change], scene: Scene, operator: Any
) -> None:
    """Its worker, or one that takes over from it, has yet to write down that nothing is missed any more."""
    other = Change.objects.create(
        base=head().number, state=ChangeState.DECIDED, decided_at=timezone.now(), repairs=[scene.server2.pk]
    )
    Operation.objects.create(
        change=other, server=scene.server2, server_name="server2", state=OperationState.DONE
    )
    change = review()

    with pytest.raises(Conflict, match=REFUSED):
        apply(operator, change)


def test_a_server_that_is_still_behind_is_brought_forward_as_it_was_reviewed(
    errand: Change, review: Callable[..., Change], operator: Any
) -> None:
    change = review()

    apply(operator, change)
    run_change(change.pk)

    change.refresh_from_db()
    assert change.state == ChangeState.DONE
    assert not Behind.objects.exists()


def test_what_happens_to_other_servers_that_are_behind_does_not_matter(
    errand: Change, review: Callable[..., Change], scene: Scene, operator: Any
) -> None:
    change = review(Unassign(A, scene.server1.pk))
    brought_to(scene.server2.pk, change, "It was found as it was decided.")

    apply(operator, change)
