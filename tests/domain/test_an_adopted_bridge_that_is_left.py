"""A network that leaves a bridge which it had adopted takes its members along, and nothing else.

Server 3's br0 holds eth0, E has adopted it, and 301 is in it as a member of nothing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import ContainerKey, NetworkRef, ServerRef
from networks.domain.rules import review
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    Desired,
    Edit,
    InterfaceKey,
    RemoveMember,
    Unassign,
    apply_edits,
)
from networks.domain.topology.build import Kept, scene_of
from networks.domain.topology.layout import lay_out
from networks.domain.topology.scene import LOOSE, Dot, Scene
from networks.domain.visibility import OtherHosts, Visibility, visibility
from networks.domain.wanted import record_adopted
from networks.domain.wires import ForeignBridge, LooseEnd, NetworkHere
from nodes.facts import ServerFacts
from tests.domain import built, scheme
from tests.domain.scheme import A, E, interface
from tests.domain.simulator import simulate

NEW = "new"
OTHER = OtherHosts(scheme.SEGMENT)
STRANGER, MEMBER = interface(3, "301"), interface(3, "302")
C301, C302 = ContainerKey(3, "301"), ContainerKey(3, "302")


def adopted() -> tuple[Desired, ServerFacts]:
    after = apply_edits(built.DESIRED, (RemoveMember(STRANGER), Assign(E, 3, "eth0")))
    made = built.plan_on(3, built.LOOKS[3], after, built.DESIRED, built.LOOKS)
    facts = simulate(built.LOOKS[3], made.host)
    return record_adopted(after, 3, made.adopted), built.changed(facts, _host_side("301"), master="br0")


def _host_side(ctid: str) -> str:
    (container,) = (c for c in built.LOOKS[3].containers if c.ctid == ctid)
    return next(i.host_ifname for i in container.interfaces if i.mode == "bridged")


BEFORE, FACTS = adopted()
FOUND = scheme.inventory({**built.LOOKS, 3: FACTS})
TAKEN_OVER = (Assign(E, 3, None), CreateNetwork(NEW, "New"), Assign(NEW, 3, "eth0"))
WAYS: dict[str, tuple[Edit, ...]] = {
    "it has no assignment any more": (Unassign(E, 3),),
    "it is local": (Assign(E, 3, None),),
    "it has another adapter": (Assign(E, 3, "eth1"),),
    "another one takes the adapter over": TAKEN_OVER,
}
everyway = pytest.mark.parametrize("way", WAYS)


def after(*edits: Edit) -> Visibility:
    return visibility(apply_edits(BEFORE, edits), BEFORE, FOUND)


@everyway
def test_a_stranger_in_it_sees_the_world_as_before(way: str) -> None:
    was, becomes = after(), after(*WAYS[way])
    world = (OTHER, ServerRef(1), ServerRef(3), ContainerKey(1, "102"))
    for other in world:
        assert was.answer(C301, other) == becomes.answer(C301, other) == "yes"
        assert was.layer2_answer(other, C301) == becomes.layer2_answer(other, C301) == "yes"
    lost = was.difference(becomes).lost
    assert not [s for s in lost if C301 in (*s.first.members, *s.second.members)
                and {*s.first.members, *s.second.members} & set(world)]  # fmt: skip


@everyway
def test_the_plan_leaves_it_and_strangers_alone(way: str) -> None:
    desired = built.named(apply_edits(BEFORE, WAYS[way]), FOUND)
    made = built.plan_on(3, FACTS, desired, BEFORE, built.LOOKS)
    touched = [
        line for line in built.lines(made) if "br0" in line.split() or _host_side("301") in line.split()
    ]
    assert touched == (["step adopt br0 eth0"] if way == "another one takes the adapter over" else [])


@everyway
def test_its_former_members_are_apart_from_who_stays(way: str) -> None:
    was, becomes = after(), after(*WAYS[way])
    assert was.layer2_answer(C301, C302) == "yes"
    # With another adapter, it is the wire outside that still joins the two.
    joined = "yes" if way == "it has another adapter" else "no"
    assert becomes.layer2_answer(C301, C302) == joined
    assert becomes.world.scene.places.of_interface(MEMBER) == (NetworkHere(E, 3),)


def test_it_is_somebody_elses_again_or_that_of_who_takes_the_adapter_over() -> None:
    for way, edits in WAYS.items():
        places = after(*edits).world.scene.places
        kept = NetworkHere(NEW, 3) if edits is TAKEN_OVER else ForeignBridge(3, "br0")
        assert places.of_interface(STRANGER) == (kept,), way


def test_a_member_that_is_taken_out_as_well_is_in_nothing() -> None:
    edits = (Unassign(E, 3), RemoveMember(MEMBER))
    places = after(*edits).world.scene.places
    assert places.stand(MEMBER) == (LooseEnd(MEMBER),)
    made = built.plan_on(3, FACTS, apply_edits(BEFORE, edits), BEFORE, built.LOOKS)
    assert f"step port {_host_side('302')} -" in built.lines(made)
    # The same where somebody takes the adapter over meanwhile.
    assert after(*TAKEN_OVER, RemoveMember(MEMBER)).world.scene.places.stand(MEMBER) == (LooseEnd(MEMBER),)


def test_it_is_shown_with_who_stays_in_it() -> None:
    component = after(Unassign(E, 3)).component_of(STRANGER)
    assert component is not None
    assert component.bridges == (ForeignBridge(3, "br0"),) and E not in component.networks


def test_a_ring_through_it_is_still_found() -> None:
    """301 joins br0, where it stays, to a new interface in A, which comes to server 3 by another adapter."""
    second = interface(3, "301", "eth1")
    (view,) = (i for i in FOUND.interfaces if i.key == STRANGER)
    found = replace(
        FOUND,
        containers=tuple(
            replace(c, joined=(("eth0", "eth1"),)) if c.key == C301 else c for c in FOUND.containers
        ),
        interfaces=(*FOUND.interfaces, replace(view, key=second, host_ifname="veth301.1", bridge="")),
    )
    rings = [
        p for p in review(BEFORE, (Unassign(E, 3), AddMember(A, second), Assign(A, 3, "eth1")), found)
        if p.code == "ring" and p.severity == "refuse"
    ]  # fmt: skip
    assert rings and NetworkRef(A) in rings[0].subjects


# --- the picture ---


def drawn(*edits: Edit, kept: Kept | None = None) -> Scene:
    return scene_of(BEFORE, apply_edits(BEFORE, edits), FOUND, kept or Kept(frozenset({1, 2, 3})))


def dot_of(key: InterfaceKey, scene: Scene) -> Dot:
    return next(d for c in scene.columns for box in c.boxes for d in box.dots if d.key == key)


def test_a_stranger_in_it_is_drawn_in_its_network_while_that_has_it() -> None:
    assert dot_of(STRANGER, drawn()).band == E


@everyway
def test_a_stranger_is_drawn_in_it_when_its_network_has_left(way: str) -> None:
    scene = drawn(*WAYS[way])
    band, name = (NEW, "New") if WAYS[way] is TAKEN_OVER else ("3/br0", "br0")
    assert dot_of(STRANGER, scene) == Dot(STRANGER, band)
    drops = [line.text for line in lay_out(scene).uprights if line.kind == "drop"]
    assert f"{name} on eth0 of server3" in drops


def test_a_stranger_is_loose_in_a_picture_that_leaves_its_bridge_out() -> None:
    for edits in ((), *WAYS.values()):
        kept = Kept(frozenset({3}), networks=frozenset({A}))
        assert dot_of(STRANGER, drawn(*edits, kept=kept)).band == LOOSE
