"""Each refusal holds against drafts made by hand, two requests at once, and servers that change.

Which test breaks which rule in which way: tests/networks/test_every_rule_every_way.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from networks.choices import ChangeState
from networks.desired import head
from networks.domain.rules import problems_of
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    Edit,
    Unassign,
)
from networks.engine.decide import DecisionRefused
from networks.engine.decide import decide as decide_change
from networks.engine.lease import claim
from networks.inventory_rows import inventory, servers_named
from networks.models import Assignment, Change, VirtualNetwork
from networks.services import changes
from networks.services.errors import Conflict
from nodes.models import Adapter, Bridge, Container, ContainerInterface, PhysicalServer
from tests.networks.changes import at_once, decide, planned
from tests.networks.conftest import Scene
from tests.pages.conftest import logged_in

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"
Edits = tuple[Edit, ...]
Case = Callable[[Scene], tuple[Edits, Edits, Edits]]
"""What was decided, and two drafts of which each is right by itself but not both."""


def names(scene: Scene) -> tuple[Edits, Edits, Edits]:
    return (), (CreateNetwork(A, "A"),), (CreateNetwork(B, " a "),)


def one_interface(scene: Scene) -> tuple[Edits, Edits, Edits]:
    key = scene.key(scene.server1, "102")
    return (CreateNetwork(A, "A"), CreateNetwork(B, "B")), (AddMember(A, key),), (AddMember(B, key),)


def one_adapter(scene: Scene) -> tuple[Edits, Edits, Edits]:
    one = scene.server1.pk
    both = (CreateNetwork(A, "A"), CreateNetwork(B, "B"))
    return both, (Assign(A, one, "eth0"),), (Assign(B, one, "eth0"),)


def one_bridge(scene: Scene) -> tuple[Edits, Edits, Edits]:
    one = scene.server1
    found = Bridge.objects.create(server=one, name="br0")
    Adapter.objects.create(server=one, name="eth1", bridge=found)
    Adapter.objects.filter(server=one, name="eth0").update(bridge=found)
    both = (CreateNetwork(A, "A"), CreateNetwork(B, "B"))
    return both, (Assign(A, one.pk, "eth0"),), (Assign(B, one.pk, "eth1"),)


def vlan_ids(scene: Scene) -> tuple[Edits, Edits, Edits]:
    one = scene.server1.pk
    return (), (CreateVlan(one, "eth0.5", "eth0", 5),), (CreateVlan(one, "storage", "eth0", 5),)


def vlan_names(scene: Scene) -> tuple[Edits, Edits, Edits]:
    one = scene.server1.pk
    return (), (CreateVlan(one, "storage", "eth0", 5),), (CreateVlan(one, "storage", "eth0", 6),)


def local_on_two(scene: Scene) -> tuple[Edits, Edits, Edits]:
    one, two = scene.server1, scene.server2
    before = (
        CreateNetwork(A, "A"),
        Assign(A, one.pk, "eth0"),
        Assign(A, two.pk, "eth0"),
        AddMember(A, scene.key(one, "102")),
    )
    return before, (AddMember(A, scene.key(two, "202")),), (Unassign(A, two.pk),)


def ring(scene: Scene) -> tuple[Edits, Edits, Edits]:
    two = scene.server2
    Adapter.objects.create(server=two, name="eth1", segment=scene.eth0(two).segment)
    Container.objects.filter(server=two, ctid="201").update(joined=[["eth0", "eth1"]])
    before = (
        CreateNetwork(A, "A"),
        CreateNetwork(B, "B"),
        Assign(A, two.pk, "eth0"),
        Assign(B, two.pk, "eth1"),
    )
    return before, (AddMember(A, scene.key(two, "201")),), (AddMember(B, scene.key(two, "201", "eth1")),)


def network_in_use(scene: Scene) -> tuple[Edits, Edits, Edits]:
    return (CreateNetwork(A, "A"),), (DeleteNetwork(A),), (AddMember(A, scene.key(scene.server1, "102")),)


def vlan_in_use(scene: Scene) -> tuple[Edits, Edits, Edits]:
    one = scene.server1
    Adapter.objects.create(server=one, name="eth0.5", kind="vlan", base=scene.eth0(one), vlan_id=5)
    before = (CreateNetwork(A, "A"), CreateVlan(one.pk, "eth0.5", "eth0", 5))
    return before, (DeleteVlan(one.pk, "eth0.5"),), (Assign(A, one.pk, "eth0.5"),)


CASES: dict[str, Case] = {
    "1 a network's name": names,
    "3 an interface's network": one_interface,
    "4 an adapter's network": one_adapter,
    "4 a bridge's networks": one_bridge,
    "6 a VLAN id on a base": vlan_ids,
    "6 a VLAN adapter's name": vlan_names,
    "7 local on one server": local_on_two,
    "8 a ring through a container": ring,
    "9 a network in use": network_in_use,
    "9 a VLAN adapter in use": vlan_in_use,
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def refused_now() -> set[str]:
    """Codes of what is refused in the newest desired as it is."""
    state = head().state
    found = problems_of(state, inventory(servers_named(state)))
    return {problem.code for problem in found if problem.severity == "refuse"}


@cases
@pytest.mark.django_db(transaction=True)
def test_two_decisions_at_once_do_not_break_it(scene: Scene, operator: Any, case: Case) -> None:
    before, one, other = case(scene)
    decide(*before)
    leases = []
    for edits in (one, other):
        change = planned(operator, *edits)
        Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
        lease = claim(change.pk)
        assert lease
        leases.append((lease, change))
    results = at_once(*(lambda pair=pair: decide_change(*pair) for pair in leases))
    assert sorted(type(result).__name__ for result in results) == ["DecisionRefused", "NoneType"], results
    assert head().number == 2
    assert not refused_now()


@cases
def test_a_draft_that_breaks_it_is_not_applied_however_it_came_about(
    scene: Scene, operator: Any, case: Case
) -> None:
    before, one, other = case(scene)
    decide(*before)
    # As if the review had found nothing: by a crafted request, an older version, an edited row.
    change = planned(operator, *one, *other, problems=[])
    with pytest.raises(Conflict, match="cannot be applied any more"):
        changes.apply_change(operator, change, ())
    response = logged_in(operator).post(reverse("networks:apply_change", args=[change.pk]), follow=True)
    assert "cannot be applied any more" in response.text
    assert head().number == 1


def turned_host_routed(scene: Scene) -> Edits:
    ContainerInterface.objects.filter(container__ctid="102").update(mode="host-routed")
    return (AddMember(A, scene.key(scene.server1, "102")),)


def interface_gone(scene: Scene) -> Edits:
    ContainerInterface.objects.filter(container__ctid="102").update(gone_at=timezone.now())
    return (AddMember(A, scene.key(scene.server1, "102")),)


def adapter_gone(scene: Scene) -> Edits:
    Adapter.objects.filter(server=scene.server1).update(gone_at=timezone.now())
    return (Assign(A, scene.server1.pk, "eth0"),)


def adapter_became_a_slave(scene: Scene) -> Edits:
    bond = Adapter.objects.create(server=scene.server1, name="bond0", kind="bond", bond_mode=1)
    Adapter.objects.filter(server=scene.server1, name="eth0").update(bond=bond)
    return (Assign(A, scene.server1.pk, "eth0"),)


def bond_changed_its_mode(scene: Scene) -> Edits:
    Adapter.objects.create(server=scene.server1, name="bond0", kind="bond", bond_mode=6)
    return (Assign(A, scene.server1.pk, "bond0"),)


def became_windows(scene: Scene) -> Edits:
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(os="windows")
    return (Assign(A, scene.server1.pk, "eth0"),)


def vlan_base_gone(scene: Scene) -> Edits:
    Adapter.objects.filter(server=scene.server1).update(gone_at=timezone.now())
    return (CreateVlan(scene.server1.pk, "eth0.5", "eth0", 5),)


@pytest.mark.parametrize(
    "meanwhile",
    [
        turned_host_routed,
        interface_gone,
        adapter_gone,
        adapter_became_a_slave,
        bond_changed_its_mode,
        became_windows,
        vlan_base_gone,
    ],
)
def test_a_server_that_changed_since_the_review_breaks_no_rule(
    scene: Scene, operator: Any, meanwhile: Callable[[Scene], Edits]
) -> None:
    decide(CreateNetwork(A, "A"))
    change = planned(operator, *meanwhile(scene))
    Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
    lease = claim(change.pk)
    assert lease
    with pytest.raises(DecisionRefused):
        decide_change(lease, change)
    assert head().number == 1


# --- rules whose two requests are not two decisions ---


@pytest.mark.django_db(transaction=True)
def test_2_a_look_that_finds_it_host_routed_meanwhile_stops_the_member_or_shows_it(
    scene: Scene, operator: Any
) -> None:
    decide(CreateNetwork(A, "A"))
    change = planned(operator, AddMember(A, scene.key(scene.server1, "102")))
    Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
    lease = claim(change.pk)
    assert lease
    interface = ContainerInterface.objects.filter(container__ctid="102")
    decided, looked = at_once(
        lambda: decide_change(lease, change), lambda: interface.update(mode="host-routed")
    )
    assert looked == 1
    if decided is None:  # it was bridged when it joined
        assert refused_now() == {"host-routed"}
    else:
        assert isinstance(decided, DecisionRefused) and "only bridged interfaces" in str(decided)
        assert not refused_now() and head().number == 1


@pytest.mark.django_db(transaction=True)
def test_5_two_changes_that_assign_a_network_on_one_server_do_not_both_begin(
    scene: Scene, operator: Any
) -> None:
    one = scene.server1
    Adapter.objects.create(server=one, name="eth1")
    decide(CreateNetwork(A, "A"))
    both = [planned(operator, Assign(A, one.pk, name), servers=(one,)) for name in ("eth0", "eth1")]
    results = at_once(*(lambda c=c: changes.apply_change(operator, c, ()) for c in both))
    assert sorted(type(result).__name__ for result in results) == ["Change", "Conflict"], results


@pytest.mark.django_db(transaction=True)
def test_5_the_database_keeps_one_assignment_of_a_network_on_a_server(scene: Scene) -> None:
    decide(CreateNetwork(A, "A"))
    network = VirtualNetwork.objects.get()

    def write(name: str) -> None:
        adapter = Adapter.objects.get(server=scene.server1, name=name)
        Assignment.objects.create(network=network, server=scene.server1, adapter=adapter)

    Adapter.objects.create(server=scene.server1, name="eth1")
    results = at_once(lambda: write("eth0"), lambda: write("eth1"))
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "NoneType"], results
    assert Assignment.objects.count() == 1
