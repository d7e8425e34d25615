"""What can be applied, and what stands in the way of it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from networks.choices import ChangeState, OperationState
from networks.desired import head
from networks.domain.state import AddMember, Assign, CreateNetwork, DescribeNetwork
from networks.models import Change, VirtualNetwork
from networks.services import changes, drafts, steps
from networks.services.errors import Conflict, NotAllowed
from networks.state_json import load_edits
from tests.networks.changes import decide, planned, was_decided
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


@pytest.mark.django_db(transaction=True)
def test_a_change_that_touches_no_server_is_decided_at_once(scene: Scene, operator: Any) -> None:
    change = changes.apply_change(operator, planned(operator, CreateNetwork(A, "A")), ())
    assert change.state == ChangeState.DONE
    assert VirtualNetwork.objects.get().name == "A"
    assert head().number == 1
    assert change.revision_id == 1


def test_a_review_starts_from_the_draft_and_discards_the_one_before(scene: Scene, operator: Any) -> None:
    drafts.stage(operator, [CreateNetwork(A, "A")])
    first = changes.start_review(operator, "try")
    second = changes.start_review(operator, "again")
    first.refresh_from_db()
    assert (first.state, second.state) == (ChangeState.DISCARDED, ChangeState.PLANNING)
    assert second.reason == "again"


def test_an_empty_draft_has_no_review(scene: Scene, operator: Any) -> None:
    with pytest.raises(changes.NothingToReview):
        changes.start_review(operator)


def test_every_warning_must_be_ticked(scene: Scene, operator: Any) -> None:
    warning = {"key": "rule-0", "severity": "warn", "text": "No address.", "hint": "", "subjects": []}
    change = planned(operator, problems=[warning], servers=(scene.server1,))
    with pytest.raises(Conflict, match="Not ticked: No address"):
        changes.apply_change(operator, change, ())
    changes.apply_change(operator, change, {"rule-0"})
    change.refresh_from_db()
    assert change.state == ChangeState.QUEUED
    assert change.problems[0]["ticked"] is True


def test_a_refusal_cannot_be_ticked_away(scene: Scene, operator: Any) -> None:
    refusal = {"key": "rule-0", "severity": "refuse", "text": "eth0 is taken.", "hint": "", "subjects": []}
    change = planned(operator, problems=[refusal])
    with pytest.raises(Conflict, match="eth0 is taken"):
        changes.apply_change(operator, change, {"rule-0"})


def test_a_server_that_refused_the_plan_stands_in_the_way(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    change.operations.update(refusals=["server1: eth0 gets its address by DHCP."])
    with pytest.raises(Conflict, match="DHCP"):
        changes.apply_change(operator, change, ())


def test_two_changes_on_one_server_exclude_each_other(scene: Scene, operator: Any) -> None:
    first = planned(operator, CreateNetwork(A, "A"), servers=(scene.server1,))
    second = planned(operator, CreateNetwork(B, "B"), servers=(scene.server1,))
    changes.apply_change(operator, first, ())
    with pytest.raises(Conflict, match="server1"):
        changes.apply_change(operator, second, ())
    second.refresh_from_db()
    assert second.state == ChangeState.PLANNED
    assert second.operations.get().state == OperationState.PLANNED


def test_two_changes_of_one_network_exclude_each_other(scene: Scene, operator: Any) -> None:
    decide(CreateNetwork(A, "A"))
    first = planned(operator, Assign(A, scene.server1.pk, None), servers=(scene.server1,))
    second = planned(operator, Assign(A, scene.server2.pk, None), servers=(scene.server2,))
    changes.apply_change(operator, first, ())
    with pytest.raises(Conflict, match="same network"):
        changes.apply_change(operator, second, ())


def test_the_same_change_is_not_applied_twice(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    stale = Change.objects.get(pk=change.pk)
    changes.apply_change(operator, change, ())
    with pytest.raises(Conflict):
        changes.apply_change(operator, stale, ())


@pytest.mark.django_db(transaction=True)
def test_an_unrelated_decision_meanwhile_does_not_stand_in_the_way(scene: Scene, operator: Any) -> None:
    waiting = planned(operator, CreateNetwork(B, "B"))
    changes.apply_change(operator, planned(operator, CreateNetwork(A, "A")), ())
    assert changes.apply_change(operator, waiting, ()).state == ChangeState.DONE
    assert head().number == 2


@pytest.mark.django_db(transaction=True)
def test_a_decision_about_the_same_network_meanwhile_is_a_conflict(scene: Scene, operator: Any) -> None:
    changes.apply_change(operator, planned(operator, CreateNetwork(A, "A")), ())
    waiting = planned(operator, DescribeNetwork(A, "A", "mine"))
    changes.apply_change(operator, planned(operator, DescribeNetwork(A, "A", "theirs")), ())
    with pytest.raises(Conflict, match="decided since this review"):
        changes.apply_change(operator, waiting, ())
    assert VirtualNetwork.objects.get().description == "theirs"


@pytest.mark.django_db(transaction=True)
def test_a_name_taken_meanwhile_is_refused_and_nothing_is_stored(scene: Scene, operator: Any) -> None:
    waiting = planned(operator, CreateNetwork(B, "a"))
    changes.apply_change(operator, planned(operator, CreateNetwork(A, "A")), ())
    with pytest.raises(Conflict, match="already"):
        changes.apply_change(operator, waiting, ())
    assert VirtualNetwork.objects.count() == 1


def test_only_the_author_applies_it_and_only_with_her_role(scene: Scene, operator: Any, viewer: Any) -> None:
    decide(CreateNetwork(A, "A"))
    change = planned(operator, AddMember(A, scene.key(scene.server1, "102")), servers=(scene.server1,))
    with pytest.raises(NotAllowed):
        changes.apply_change(viewer, change, ())


def test_an_undecided_change_can_be_cancelled_a_decided_one_not(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    changes.apply_change(operator, change, ())
    changes.cancel_change(operator, change)
    change.refresh_from_db()
    assert change.cancel_requested_at is not None
    Change.objects.update(decided_at=change.cancel_requested_at)
    with pytest.raises(Conflict, match="Revert"):
        changes.cancel_change(operator, change)


def test_a_failed_change_goes_back_to_the_draft(scene: Scene, operator: Any) -> None:
    change = planned(operator, CreateNetwork(A, "A"))
    Change.objects.update(state=ChangeState.FAILED)
    change.refresh_from_db()
    changes.mend(operator, change)
    assert load_edits(drafts.draft_of(operator).edits) == (CreateNetwork(A, "A"),)


def test_what_was_drafted_meanwhile_stays_beside_it(scene: Scene, operator: Any) -> None:
    assign, later = Assign(A, scene.server1.pk, "eth0"), CreateNetwork(B, "B")
    change = planned(operator, CreateNetwork(A, "A"), assign)
    Change.objects.update(state=ChangeState.FAILED)
    change.refresh_from_db()
    drafts.stage(operator, [later])
    changes.mend(operator, change)
    assert set(load_edits(drafts.draft_of(operator).edits)) == {CreateNetwork(A, "A"), assign, later}
    steps.undo(operator)
    assert load_edits(drafts.draft_of(operator).edits) == (later,)


@pytest.mark.parametrize("state", [ChangeState.APPLYING, ChangeState.DONE])
def test_a_change_that_is_decided_or_will_be_does_not_go_back_to_the_draft(
    scene: Scene, operator: Any, state: ChangeState
) -> None:
    change = planned(operator, CreateNetwork(A, "A"), servers=(scene.server1,))
    if state == ChangeState.DONE:
        was_decided(change)
    Change.objects.update(state=state)
    change.refresh_from_db()
    drafts.stage(operator, [CreateNetwork(B, "B")])
    with pytest.raises(Conflict, match="Nothing of this change"):
        changes.mend(operator, change)
    assert load_edits(drafts.draft_of(operator).edits) == (CreateNetwork(B, "B"),)


def test_the_row_waits_when_the_broker_is_away(scene: Scene, operator: Any) -> None:
    changes.send("networks.run_change", uuid.uuid4())
