"""A decided state becomes a revision and rows, or nothing at all."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, transaction

from networks.desired import MissingRow, at_revision, head, write_head
from networks.domain.inventory import Inventory
from networks.domain.rules import review
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DescribeNetwork,
    Desired,
    RemoveMember,
    Unassign,
)
from networks.models import Assignment, ManagedVlan, Member, Revision, VirtualNetwork
from tests.networks.changes import decide
from tests.networks.conftest import Scene

A, B = str(uuid.uuid4()), str(uuid.uuid4())


def test_it_stores_networks_assignments_members_and_vlans(scene: Scene) -> None:
    after = decide(
        CreateNetwork(A, "A"),
        Assign(A, scene.server1.pk, "eth0"),
        AddMember(A, scene.key(scene.server1, "102")),
        CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100),
    )
    assert head().number == 1
    assert head().state == after
    assert Assignment.objects.get().adapter == scene.eth0(scene.server1)
    assert Member.objects.get().interface.host_ifname == "veth102.0"
    assert ManagedVlan.objects.get().vid == 100


def test_a_network_is_assigned_to_a_vlan_adapter_that_no_look_has_seen(scene: Scene) -> None:
    """The servers hold their changes until the decision, and are looked at after it."""
    decide(
        CreateNetwork(A, "A"),
        CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100),
        Assign(A, scene.server2.pk, "eth0.100"),
    )
    adapter = Assignment.objects.get().adapter
    assert (adapter.kind, adapter.vlan_id, adapter.base) == ("vlan", 100, scene.eth0(scene.server2))
    assert adapter.gone_at is not None
    with pytest.raises(MissingRow):
        decide(CreateNetwork(B, "B"), Assign(B, scene.server2.pk, "eth0.200"))


def test_an_adapter_can_change_hands_within_one_revision(scene: Scene) -> None:
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"), Assign(A, scene.server1.pk, "eth0"))
    decide(Unassign(A, scene.server1.pk), Assign(B, scene.server1.pk, "eth0"))
    assert Assignment.objects.get().network.name == "B"


def test_an_interface_can_move_within_one_revision(scene: Scene) -> None:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"), AddMember(A, key))
    decide(RemoveMember(key), AddMember(B, key))
    assert Member.objects.get().network.name == "B"


def test_two_networks_can_swap_their_names(scene: Scene) -> None:
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"))
    decide(DescribeNetwork(A, "B"), DescribeNetwork(B, "A"))
    assert VirtualNetwork.objects.get(pk=A).name == "B"
    assert VirtualNetwork.objects.get(pk=B).name == "A"


@pytest.mark.parametrize("name", ["A", "a"])
def test_a_name_freed_by_renaming_is_taken_by_a_new_network(scene: Scene, name: str) -> None:
    decide(CreateNetwork(A, "A"))
    edits = DescribeNetwork(A, "renamed"), CreateNetwork(B, name)
    assert not review(head().state, edits, Inventory())
    decide(*edits)
    assert dict(VirtualNetwork.objects.values_list("pk", "name")) == {
        uuid.UUID(A): "renamed",
        uuid.UUID(B): name,
    }


def test_earlier_revisions_stay_as_they_were(scene: Scene) -> None:
    decide(CreateNetwork(A, "A"))
    decide(DescribeNetwork(A, "renamed"))
    assert [n.name for n in at_revision(1).networks] == ["A"]
    assert [n.name for n in at_revision(2).networks] == ["renamed"]
    assert at_revision(0) == Desired()


def test_nothing_is_stored_when_the_inventory_lacks_what_it_names(scene: Scene) -> None:
    with pytest.raises(MissingRow, match="eth9"):
        decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth9"))
    assert not Revision.objects.exists()
    assert not VirtualNetwork.objects.exists()


@pytest.mark.parametrize("name", ["A", "a"])
def test_the_database_refuses_a_second_network_of_the_name(scene: Scene, name: str) -> None:
    decide(CreateNetwork(A, "A"))
    with pytest.raises(IntegrityError):
        decide(CreateNetwork(B, name))
    assert head().number == 1


def test_the_database_refuses_an_adapter_for_two_networks(scene: Scene) -> None:
    with pytest.raises(IntegrityError):
        decide(
            CreateNetwork(A, "A"),
            CreateNetwork(B, "B"),
            Assign(A, scene.server1.pk, "eth0"),
            Assign(B, scene.server1.pk, "eth0"),
        )


def test_the_database_refuses_a_revision_number_twice(scene: Scene) -> None:
    decide(CreateNetwork(A, "A"))
    with pytest.raises(IntegrityError), transaction.atomic():
        write_head(1, Desired(), Desired(), author_id=None, reason="")
