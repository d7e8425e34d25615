"""A draft stands on what is decided now, whatever was decided when its first edit was made."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    RemoveMember,
    Unassign,
)
from networks.models import Change
from networks.services import changes, drafts
from networks.services.changes import NothingToReview
from networks.state_json import load_edits
from tests.networks.changes import decide
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


def draft(user: Any) -> tuple[Any, ...]:
    return load_edits(drafts.draft_of(user).edits)


def shown(user: Any) -> str:
    client = Client()
    client.force_login(user)
    return client.get(reverse("networks:draft")).text


@pytest.fixture
def pending(scene: Scene, operator: Any) -> CreateNetwork:
    """The operator's draft holds an edit that has nothing to do with what others decide."""
    edit = CreateNetwork(B, "B")
    drafts.stage(operator, [edit])
    return edit


def test_what_others_decided_since_can_be_taken_back(
    scene: Scene, operator: Any, pending: CreateNetwork
) -> None:
    key = scene.key(scene.server1, "103")
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), AddMember(A, key))
    drafts.stage(operator, [RemoveMember(key)])
    drafts.stage(operator, [Unassign(A, scene.server1.pk)])
    drafts.stage(operator, [DescribeNetwork(A, "Front")])
    assert set(draft(operator)) == {
        pending,
        RemoveMember(key),
        Unassign(A, scene.server1.pk),
        DescribeNetwork(A, "Front"),
    }


def test_what_others_took_back_can_be_made_again(scene: Scene, operator: Any) -> None:
    key, server = scene.key(scene.server1, "102"), scene.server1.pk
    decide(CreateNetwork(A, "A"), Assign(A, server, "eth0"), AddMember(A, key))
    drafts.stage(operator, [CreateNetwork(B, "B")])
    decide(RemoveMember(key), Assign(A, server, None))
    drafts.stage(operator, [AddMember(A, key), Assign(A, server, "eth0")])
    assert {AddMember(A, key), Assign(A, server, "eth0")} < set(draft(operator))


def test_a_vlan_adapter_that_was_decided_since_is_the_panels(
    scene: Scene, operator: Any, pending: CreateNetwork
) -> None:
    decide(CreateVlan(scene.server1.pk, "eth0.7", "eth0", 7))
    drafts.stage(operator, [DeleteVlan(scene.server1.pk, "eth0.7")])
    assert set(draft(operator)) == {pending, DeleteVlan(scene.server1.pk, "eth0.7")}


def test_its_page_tells_edits_by_what_is_so_now(scene: Scene, operator: Any) -> None:
    drafts.stage(operator, [CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0")])
    decide(CreateNetwork(A, "A"))
    page = shown(operator)
    assert "Assign Virtual Network A to eth0 of physical server server1." in page
    assert "does not exist" not in page
    assert "1 edit of your draft is left out" in page


def test_what_is_so_already_is_not_reviewed(scene: Scene, operator: Any) -> None:
    edits = CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0")
    drafts.stage(operator, edits)
    decide(*edits)
    with pytest.raises(NothingToReview, match="is so already"):
        changes.start_review(operator, "")
    assert "Discard what is left out" in shown(operator)
    drafts.stage(operator, [AddMember(A, scene.key(scene.server1, "102"))])
    changes.start_review(operator, "")
    assert load_edits(Change.objects.get().edits) == (AddMember(A, scene.key(scene.server1, "102")),)


def test_one_edit_is_dropped_from_a_draft_that_was_overtaken(scene: Scene, operator: Any) -> None:
    key = scene.key(scene.server1, "102")
    drafts.stage(operator, [CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), AddMember(A, key)])
    decide(CreateNetwork(A, "A"))
    drafts.drop(operator, {drafts.key_of(AddMember(A, key))})
    assert draft(operator) == (Assign(A, scene.server1.pk, "eth0"),)


def test_joining_a_network_that_is_gone_is_refused_and_not_forgotten(scene: Scene, operator: Any) -> None:
    decide(CreateNetwork(A, "A"))
    joining = AddMember(A, scene.key(scene.server1, "102"))
    drafts.stage(operator, [joining])
    decide(DeleteNetwork(A))
    drafts.stage(operator, [CreateNetwork(B, "B")])
    assert set(draft(operator)) == {joining, CreateNetwork(B, "B")}
    assert "Refused" in shown(operator)
