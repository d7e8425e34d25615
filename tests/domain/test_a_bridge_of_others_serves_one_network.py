"""A bridge that the panel did not make is adopted for one network: a second one would be the same network.

Server 3's br0 holds eth0 and eth1 here, and network E has adopted it for eth0.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import ContainerKey, Inventory, NetworkRef
from networks.domain.rules import Problem, problems_of, review
from networks.domain.state import (
    AdapterKey,
    AddMember,
    Assign,
    CreateNetwork,
    Desired,
    Edit,
    RemoveMember,
    Unassign,
    apply_edits,
)
from networks.domain.visibility import visibility
from networks.domain.wanted import record_adopted
from nodes.facts import ServerFacts
from tests.domain import built, scheme
from tests.domain.scheme import E, interface
from tests.domain.simulator import simulate

NEW, THIRD = "new", "third"
C301, C302 = ContainerKey(3, "301"), ContainerKey(3, "302")


def adopted() -> tuple[Desired, ServerFacts]:
    facts = built.changed(built.LOOKS[3], "eth1", master="br0")
    after = apply_edits(built.DESIRED, (Assign(E, 3, "eth0"),))
    made = built.plan_on(3, facts, after, built.DESIRED, built.LOOKS)
    return record_adopted(after, 3, made.adopted), simulate(facts, made.host)


DESIRED, FACTS = adopted()
FOUND = scheme.inventory({**built.LOOKS, 3: FACTS})
BESIDE: tuple[Edit, ...] = (
    CreateNetwork(NEW, "New"),
    Assign(NEW, 3, "eth1"),
    RemoveMember(interface(3, "301")),
    AddMember(NEW, interface(3, "301")),
)
"""301 in a network of its own, which is assigned to the adapter that is left."""


def refused(edits: tuple[Edit, ...], found: Inventory = FOUND) -> list[Problem]:
    return [p for p in review(DESIRED, edits, found) if p.code == "bridge-shared" and p.severity == "refuse"]


def test_it_refuses_a_second_network_in_a_bridge_that_is_adopted() -> None:
    (problem,) = refused(BESIDE)
    assert problem.text == (
        "eth0 and eth1 are both in bridge br0 of physical server server3, so Virtual Networks E and New "
        "would be one network there."
    )
    assert set(problem.subjects) == {
        NetworkRef(E),
        NetworkRef(NEW),
        AdapterKey(3, "eth0"),
        AdapterKey(3, "eth1"),
    }


def test_it_refuses_a_second_network_where_somebody_has_taken_the_first_ones_adapter_out() -> None:
    taken = {**built.LOOKS, 3: built.changed(FACTS, "eth0", master="")}
    assert refused(BESIDE, scheme.inventory(taken))


def test_it_refuses_two_networks_in_a_bridge_that_the_same_draft_leaves() -> None:
    both = (Unassign(E, 3), *BESIDE, CreateNetwork(THIRD, "Third"), Assign(THIRD, 3, "eth0"))
    (problem,) = refused(both)
    assert NetworkRef(E) not in problem.subjects


@pytest.mark.parametrize(
    "edits",
    [
        (Assign(E, 3, "eth1"),),
        (Unassign(E, 3), *BESIDE),
        (Assign(E, 3, None), CreateNetwork(NEW, "New"), Assign(NEW, 3, "eth0")),
    ],
    ids=["the other adapter", "another network at the other adapter", "another network at the same adapter"],
)
def test_one_network_after_another_is_allowed(edits: tuple[Edit, ...]) -> None:
    assert not refused(edits)


def test_two_that_share_it_already_are_told_and_stop_nothing_else() -> None:
    shared = apply_edits(DESIRED, BESIDE)
    assert "bridge-shared" in {p.code for p in problems_of(shared, FOUND)}
    told = [p for p in review(shared, (CreateNetwork("x", "X"),), FOUND) if p.code == "bridge-shared"]
    assert [(p.severity, p.existing) for p in told] == [("warn", True)]


def test_a_network_in_a_bridge_of_the_panels_own_is_no_matter_of_it() -> None:
    """eth1 was put into vn-a by hand: that bridge is adopted by nobody."""
    looks = {**built.LOOKS, 1: built.changed(built.LOOKS[1], "eth1", master="vn-a")}
    edits = (CreateNetwork(NEW, "New"), Assign(NEW, 1, "eth1"))
    assert "bridge-shared" not in {p.code for p in review(built.DESIRED, edits, scheme.inventory(looks))}


def test_a_refused_draft_is_predicted_as_it_would_be_planned() -> None:
    after = built.named(apply_edits(DESIRED, BESIDE), FOUND)
    made = built.plan_on(3, FACTS, after, DESIRED, built.LOOKS)
    assert [step.split()[-1] for step in built.lines(made) if step.startswith("step port")] == ["br0"]
    seen = visibility(after, DESIRED, FOUND)
    assert seen.layer2_answer(C301, C302) == seen.layer2_answer(C302, C301) == "yes"
    verdict = seen.shares_layer2(C301, C302)
    assert verdict.text == (
        "Container 301 (c301) and Container 302 (c302) share a layer-2 network: Virtual Networks E and New "
        "are in bridge br0 of physical server server3."
    )
    (shared,) = [hop for hop in verdict.hops if "both" in hop.text]
    assert shared.text == (
        "Virtual Network New and Virtual Network E are both in bridge br0 of physical server server3."
    )
    assert [(e.command, e.shows) for e in shared.evidence] == [("ip link show master br0", "eth0 eth1")]
    (component,) = [c for c in seen.components() if NEW in c.networks]
    assert E in component.networks


def test_two_networks_that_adopt_a_bridge_in_one_draft_are_predicted_as_one() -> None:
    looks = {**built.LOOKS, 3: built.changed(built.LOOKS[3], "eth1", master="br0")}
    found = scheme.inventory(looks)
    edits = (Assign(E, 3, "eth0"), *BESIDE)
    after = apply_edits(built.DESIRED, edits)
    assert visibility(after, built.DESIRED, found).layer2_answer(C301, C302) == "yes"
    # With eth1 down the bridge still joins its own ports.
    down = replace(
        found, adapters=tuple(replace(a, up=False) if a.name == "eth1" else a for a in found.adapters)
    )
    assert visibility(after, after, down).layer2_answer(C301, C302) == "yes"
