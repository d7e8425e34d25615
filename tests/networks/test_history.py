"""Every Change is kept whole: compared, seen as of then, reverted while the later ones stay."""

from __future__ import annotations

from typing import Any

import pytest

from networks.choices import ChangeState
from networks.desired import at_revision, head
from networks.domain.history import items
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    DeleteNetwork,
    DescribeNetwork,
    Edit,
    RemoveMember,
    Unassign,
)
from networks.engine.runner import run_change
from networks.models import Assignment, Change, Member, VirtualNetwork
from networks.services import changes, drafts, history
from networks.services.errors import Conflict, NotAllowed
from networks.state_json import dump_edits, load_edits
from nodes.choices import Role
from nodes.models import ServerGroup
from tests.networks.changes import planned
from tests.networks.conftest import Scene, make_server, with_role
from tests.networks.fleet_of_fakes import fake

pytestmark = pytest.mark.django_db(transaction=True)
A, B, C = (f"6f1c3a1e-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


@pytest.fixture(autouse=True)
def servers_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)


def made(user: Any, *edits: Edit, servers: Any = ()) -> Change:
    """A Change of these edits, applied and done."""
    change = planned(user, *edits, servers=servers)
    change.operations.update(is_guarded=True)
    Change.objects.filter(pk=change.pk).update(summary=f"Change {Change.objects.count()}.")
    changes.apply_change(user, change, ())
    run_change(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.DONE, change.result
    return change


@pytest.fixture
def twelve(scene: Scene, operator: Any) -> list[Change]:
    """Twelve Changes; the seventh put 102 and 202 into B and assigned it on server 2."""
    one, two = scene.server1, scene.server2
    key = scene.key
    steps: list[tuple[list[Edit], Any]] = [
        ([CreateNetwork(A, "A")], ()),
        ([Assign(A, one.pk, "eth0")], (one,)),
        ([CreateNetwork(B, "B", "beginning")], ()),
        ([AddMember(A, key(one, "103"))], (one,)),
        ([Assign(B, one.pk, None)], (one,)),
        ([CreateNetwork(C, "C")], ()),
        ([AddMember(B, key(one, "102")), DescribeNetwork(B, "B", "seventh")], (one,)),
        ([Assign(C, two.pk, "eth0")], (two,)),
        ([AddMember(C, key(two, "201"))], (two,)),
        ([DescribeNetwork(C, "C", "tenth")], ()),
        ([AddMember(C, key(two, "202"))], (two,)),
        ([DescribeNetwork(A, "A", "twelfth")], ()),
    ]
    return [made(operator, *edits, servers=servers) for edits, servers in steps]


@pytest.fixture
def second(scene: Scene, operator: Any) -> Change:
    """The second of three Changes: it put 102 into B and described it."""
    made(operator, CreateNetwork(B, "B", "beginning"))
    edits = [AddMember(B, scene.key(scene.server1, "102")), DescribeNetwork(B, "B", "second")]
    change = made(operator, *edits, servers=(scene.server1,))
    made(operator, CreateNetwork(C, "C"))
    return change


def test_the_seventh_of_twelve_is_reverted_and_the_others_stay(
    twelve: list[Change], operator: Any, scene: Scene
) -> None:
    assert [change.decisions.get().revision_id for change in twelve] == list(range(1, 13))
    seventh = twelve[6]
    before = items(head().state)
    draft = history.stage_revert(operator, seventh, replace=False)
    assert load_edits(draft.edits) == (
        RemoveMember(scene.key(scene.server1, "102")),
        DescribeNetwork(B, "B", "beginning"),
    )
    assert draft.reason.startswith("Revert “Change")
    made(operator, *load_edits(draft.edits), servers=(scene.server1,))
    assert head().number == 13
    undone = items(at_revision(6))
    touched = {item for item in before if items(at_revision(7)).get(item) != undone.get(item)}
    assert items(head().state) == {
        item: undone[item] if item in touched else value
        for item, value in before.items()
        if item not in touched or item in undone
    }
    # The rows that the pages show say the same.
    assert not Member.objects.filter(network=B).exists()
    assert VirtualNetwork.objects.get(pk=B).description == "beginning"
    assert Assignment.objects.count() == 3 and Member.objects.count() == 3


def test_a_later_change_of_the_same_thing_is_a_conflict_that_is_named(
    second: Change, operator: Any, scene: Scene
) -> None:
    made(operator, DescribeNetwork(B, "Bee", "later"))
    undoing = history.how_to_revert(second)
    assert undoing.edits == (RemoveMember(scene.key(scene.server1, "102")),)
    told = history.told(undoing.conflicts, head().state, operator)
    assert told.sentences == ("Rename Virtual Network Bee to B and change its description.",)


def test_pending_edits_are_replaced_only_if_she_says_so(second: Change, operator: Any) -> None:
    drafts.stage(operator, [CreateNetwork("6f1c3a1e-0000-4000-8000-000000000009", "Mine")])
    with pytest.raises(Conflict, match="pending edits"):
        history.stage_revert(operator, second, replace=False)
    history.stage_revert(operator, second, replace=True)
    assert len(load_edits(drafts.draft_of(operator).edits)) == 2


def test_a_revert_can_be_reverted(second: Change, operator: Any, scene: Scene) -> None:
    before = items(head().state)
    draft = history.stage_revert(operator, second, replace=False)
    undone = made(operator, *load_edits(draft.edits), servers=(scene.server1,))
    draft = history.stage_revert(operator, undone, replace=False)
    made(operator, *load_edits(draft.edits), servers=(scene.server1,))
    assert items(head().state) == before


def test_what_is_undone_already_is_not_reverted_again(second: Change, operator: Any, scene: Scene) -> None:
    draft = history.stage_revert(operator, second, replace=False)
    made(operator, *load_edits(draft.edits), servers=(scene.server1,))
    with pytest.raises(Conflict, match="Nothing of this change is left"):
        history.stage_revert(operator, second, replace=False)


def test_a_viewer_reverts_nothing(second: Change, viewer: Any) -> None:
    with pytest.raises(NotAllowed):
        history.stage_revert(viewer, second, replace=False)


def test_a_change_that_failed_has_nothing_to_revert(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.FAILED)
    with pytest.raises(Conflict, match="decided nothing"):
        history.how_to_revert(change)


def test_the_difference_of_two_revisions_is_told_in_sentences(second: Change, operator: Any) -> None:
    before, edits = history.difference(1, 3)
    told = history.told(edits, before, operator)
    assert told.sentences == (
        "Change the description of Virtual Network B.",
        "Create Virtual Network C.",
        "Add eth0 of Container 102 (ct102) on physical server server1 to Virtual Network B.",
    )
    before, edits = history.difference(3, 1)
    assert len(history.told(edits, before, operator).sentences) == 3
    assert history.difference(2, 2)[1] == ()


def test_what_a_reader_may_not_see_counts_but_is_not_named(
    scene: Scene, operator: Any, django_user_model: Any, admin: Any
) -> None:
    secret = ServerGroup.objects.create(name="Secret")
    segment = scene.eth0(scene.server1).segment
    assert segment
    hidden = make_server(secret, segment, "hidden1", "10.77.9.1")
    made(admin, CreateNetwork(A, "A"), Assign(A, hidden.pk, "eth0"), servers=(hidden,))
    reader = with_role(django_user_model, "rita", scene.group, Role.VIEWER)
    before, edits = history.difference(0, 1)
    told = history.told(edits, before, reader)
    assert (told.sentences, told.hidden_count) == (("Create Virtual Network A.",), 1)
    assert len(history.told(edits, before, admin).sentences) == 2
    made(admin, Unassign(A, hidden.pk), servers=(hidden,))
    hidden.delete()
    told = history.told(edits, before, reader)
    assert (told.sentences, told.hidden_count) == (("Create Virtual Network A.",), 1)
    assert len(history.told(edits, before, admin).sentences) == 2


def test_a_deleted_network_comes_back_under_its_own_id(scene: Scene, operator: Any) -> None:
    made(operator, CreateNetwork(A, "A", "web"))
    gone = made(operator, DeleteNetwork(A))
    draft = history.stage_revert(operator, gone, replace=False)
    assert draft.edits == dump_edits([CreateNetwork(A, "A", "web")])


def test_a_server_that_was_left_behind_is_part_of_what_is_reverted(scene: Scene, operator: Any) -> None:
    change = made(
        operator,
        CreateNetwork(A, "A"),
        Assign(A, scene.server1.pk, "eth0"),
        Assign(A, scene.server2.pk, "eth0"),
        servers=(scene.server1, scene.server2),
    )
    undoing = history.how_to_revert(change)
    assert set(undoing.edits) == {
        Unassign(A, scene.server1.pk),
        Unassign(A, scene.server2.pk),
        DeleteNetwork(A),
    }
