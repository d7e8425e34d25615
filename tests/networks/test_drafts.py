"""A draft keeps what a user's edits add up to, and only edits that she may make."""

from __future__ import annotations

from typing import Any

import pytest

from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    RemoveMember,
    Unassign,
)
from networks.models import Draft
from networks.services import changes, drafts
from networks.services.errors import NotAllowed, Refused
from networks.slices import draft_edits
from networks.state_json import load_edits
from nodes.choices import Role
from nodes.models import ServerGroup
from tests.networks.changes import planned
from tests.networks.conftest import Scene, make_server, with_role


def test_it_keeps_edits_in_the_users_own_draft(scene: Scene, operator: Any, network_id: str) -> None:
    drafts.stage(operator, [CreateNetwork(network_id, "A")])
    drafts.stage(operator, [Assign(network_id, scene.server1.pk, "eth0")])
    assert load_edits(drafts.draft_of(operator).edits) == (
        CreateNetwork(network_id, "A"),
        Assign(network_id, scene.server1.pk, "eth0"),
    )
    assert drafts.drafted(operator).network(network_id) is not None


def test_it_keeps_what_edits_add_up_to(scene: Scene, operator: Any, network_id: str) -> None:
    key = scene.key(scene.server1, "102")
    drafts.stage(operator, [CreateNetwork(network_id, "A"), Assign(network_id, scene.server1.pk, "eth0")])
    drafts.stage(operator, [Assign(network_id, scene.server1.pk, None), AddMember(network_id, key)])
    drafts.stage(operator, [RemoveMember(key), Unassign(network_id, scene.server1.pk)])
    assert load_edits(drafts.draft_of(operator).edits) == (CreateNetwork(network_id, "A"),)
    drafts.stage(operator, [DeleteNetwork(network_id)])
    assert load_edits(drafts.draft_of(operator).edits) == ()


def test_it_refuses_edits_on_servers_that_the_user_may_only_see(
    scene: Scene, viewer: Any, network_id: str
) -> None:
    with pytest.raises(NotAllowed, match="operator role on server1"):
        drafts.stage(viewer, [Assign(network_id, scene.server1.pk, "eth0")])
    assert not load_edits(drafts.draft_of(viewer).edits)


def test_it_does_not_name_a_server_that_the_user_may_not_see(
    scene: Scene, operator: Any, network_id: str
) -> None:
    segment = scene.eth0(scene.server1).segment
    assert segment
    hidden = make_server(ServerGroup.objects.create(name="Secret"), segment, "hidden1", "10.77.9.1")
    with pytest.raises(NotAllowed) as refusal:
        drafts.stage(operator, [Assign(network_id, hidden.pk, "eth0")])
    assert "hidden1" not in str(refusal.value)


def test_a_viewer_cannot_make_a_network(scene: Scene, viewer: Any, network_id: str) -> None:
    with pytest.raises(NotAllowed, match="operator role on a server group"):
        drafts.stage(viewer, [CreateNetwork(network_id, "A")])


def test_a_role_holds_in_the_groups_below(scene: Scene, django_user_model: Any, network_id: str) -> None:
    top = ServerGroup.objects.create(name="Top")
    scene.group.parent = top
    scene.group.save()
    user = with_role(django_user_model, "tina", top, Role.OPERATOR)
    drafts.stage(user, [CreateNetwork(network_id, "A"), Assign(network_id, scene.server1.pk, None)])
    assert len(load_edits(drafts.draft_of(user).edits)) == 2


def test_a_draft_can_be_discarded(scene: Scene, operator: Any, network_id: str) -> None:
    drafts.stage(operator, [CreateNetwork(network_id, "A"), Assign(network_id, scene.server1.pk, None)])
    drafts.discard(operator)
    assert not load_edits(drafts.draft_of(operator).edits)


def test_a_draft_that_cannot_be_read_any_more_stands_in_nobodys_way(
    scene: Scene, operator: Any, network_id: str
) -> None:
    Draft.objects.create(user=operator, edits='[{"edit": "Reboot"}]')
    assert draft_edits(operator) == ()
    drafts.stage(operator, [CreateNetwork(network_id, "A")])
    assert load_edits(drafts.draft_of(operator).edits) == (CreateNetwork(network_id, "A"),)


@pytest.mark.django_db(transaction=True)
def test_what_was_added_since_the_review_stays_pending_when_it_is_applied(
    scene: Scene, operator: Any, network_id: str
) -> None:
    create, assign = CreateNetwork(network_id, "A"), Assign(network_id, scene.server1.pk, "eth0")
    drafts.stage(operator, [create])
    reviewed = planned(operator, create)
    drafts.stage(operator, [assign])
    changes.apply_change(operator, reviewed, ())
    assert load_edits(drafts.draft_of(operator).edits) == (assign,)
    drafts.stage(operator, [AddMember(network_id, scene.key(scene.server1, "102"))])
    assert len(load_edits(drafts.draft_of(operator).edits)) == 2


def test_it_says_that_a_vlan_adapter_of_somebody_elses_is_not_deleted(scene: Scene, operator: Any) -> None:
    """A state has no place for that edit: it would be out of the draft again without a word."""
    base = scene.eth0(scene.server1)
    scene.server1.adapters.create(name="eth0.9", kind="vlan", base=base, vlan_id=9)
    with pytest.raises(Refused, match="not made by the panel"):
        drafts.stage(operator, [DeleteVlan(scene.server1.pk, "eth0.9")])
    drafts.stage(operator, [CreateVlan(scene.server1.pk, "eth0.8", "eth0", 8)])
    drafts.stage(operator, [DeleteVlan(scene.server1.pk, "eth0.8")])
    assert load_edits(drafts.draft_of(operator).edits) == ()
