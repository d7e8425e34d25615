"""Frames pass an adapter that is off once a Change switches it on: itself, its VLANs, or its base."""

from __future__ import annotations

from dataclasses import replace

from networks.domain.inventory import AdapterView, ContainerKey, Inventory
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    Desired,
    Edit,
    Unassign,
    apply_edits,
)
from networks.domain.visibility import Visibility, visibility
from tests.domain import built, scheme
from tests.domain.scheme import A, D, interface

DOWN = ("eth1", "eth1.7")
ONE, OTHER = ContainerKey(2, "205"), ContainerKey(3, "301")


def found(*more: AdapterView) -> Inventory:
    """The scheme's servers before any network, each with an eth1 that is switched off."""
    known = scheme.inventory(built.fresh_looks())
    adapters = (replace(a, up=False, carrier=None) if a.name in DOWN else a for a in (*known.adapters, *more))
    return replace(known, adapters=tuple(adapters))


def foreign(server: int) -> AdapterView:
    return AdapterView(server, "eth1.7", "vlan", base="eth1", vid=7)


def drafted(edits: tuple[Edit, ...], known: Inventory, before: Desired | None = None) -> Visibility:
    """D on VLAN 7 of eth1 on servers 2 and 3, with 205 and 301."""
    before = before or Desired()
    return visibility(apply_edits(before, edits), before, known)


MEMBERS = (CreateNetwork(D, "D"), AddMember(D, interface(2, "205")), AddMember(D, interface(3, "301")))
VLANS = (CreateVlan(2, "eth1.7", "eth1", 7), CreateVlan(3, "eth1.7", "eth1", 7))
ON_VLANS = (Assign(D, 2, "eth1.7"), Assign(D, 3, "eth1.7"))


def test_a_vlan_adapter_that_it_makes_brings_its_base_up() -> None:
    assert drafted((*MEMBERS, *VLANS, *ON_VLANS), found()).answer(ONE, OTHER) == "yes"


def test_a_vlan_adapter_of_ours_that_it_assigns_brings_its_base_up() -> None:
    before = apply_edits(Desired(), VLANS)
    known = found(foreign(2), foreign(3))
    assert drafted((*MEMBERS, *ON_VLANS), known, before).answer(ONE, OTHER) == "yes"


def test_vlan_adapters_come_up_with_the_base_that_it_assigns() -> None:
    edits = (*MEMBERS, *ON_VLANS, CreateNetwork(A, "A"), Assign(A, 2, "eth1"), Assign(A, 3, "eth1"))
    assert drafted(edits, found(foreign(2), foreign(3))).answer(ONE, OTHER) == "yes"


def test_one_that_another_network_gets_in_its_turn_is_switched_on() -> None:
    """It was A's and somebody switched it off; the draft gives it to D."""
    before = apply_edits(Desired(), (CreateNetwork(A, "A"), Assign(A, 2, "eth1"), Assign(A, 3, "eth1")))
    taken = (Unassign(A, 2), Unassign(A, 3), Assign(D, 2, "eth1"), Assign(D, 3, "eth1"))
    assert drafted((*MEMBERS, *taken), found(), before).answer(ONE, OTHER) == "yes"


def test_what_it_leaves_as_it_is_stays_off() -> None:
    decided = apply_edits(Desired(), (*MEMBERS, *VLANS, *ON_VLANS))
    known = found(foreign(2), foreign(3))
    assert visibility(decided, decided, known).answer(ONE, OTHER) == "no"


def test_in_a_bridge_that_it_adopts_it_stays_off() -> None:
    known = found()
    in_bridge = (replace(a, bridge="vmbr7") if a.name == "eth1" else a for a in known.adapters)
    edits = (*MEMBERS, Assign(D, 2, "eth1"), Assign(D, 3, "eth1"))
    assert drafted(edits, replace(known, adapters=tuple(in_bridge))).answer(ONE, OTHER) == "no"
    assert drafted(edits, known).answer(ONE, OTHER) == "yes"
