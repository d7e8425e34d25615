"""What holds for every plan, over random worlds and random accepted drafts."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import event, given, settings

from networks.domain.state import Desired, InterfaceKey
from networks.domain.verify import Mismatch, mismatches
from networks.host.grammar import Bridge, Port, RemoveVlan, Vlan, parse_plan
from nodes.facts import ServerFacts
from nodes.facts import Vlan as VlanFacts
from tests.domain import strategies
from tests.domain.installation import Installation, view_of
from tests.domain.simulator import simulate

SLOW = settings(max_examples=30, deadline=None)
STEPS = 4
"""Changes in a row, each on what the one before left."""


@SLOW
@given(strategies.seeds)
def test_the_plan_of_a_finished_change_is_empty(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    for _ in range(STEPS):
        world.change(rng)
        for made in world.plans(world.desired, world.desired).values():
            assert made.host.steps == made.host.saves == ()
            assert made.is_empty


@SLOW
@given(strategies.seeds)
def test_a_finished_change_is_as_desired(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    for _ in range(STEPS):
        world.change(rng)
        for number, facts in world.looks.items():
            assert mismatches(view_of(world.inventory(), number), world.desired, facts) == ()


@SLOW
@given(strategies.seeds)
def test_planning_desired_again_repairs_what_hands_did(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    world.change(rng)
    for number, facts in world.looks.items():
        world.looks[number] = strategies.tamper(rng, facts)
        found = mismatches(view_of(world.inventory(), number), world.desired, world.looks[number])
        assert len({(m.subject, m.property, m.link) for m in found}) == len(found)
        event(f"{min(len(found), 5)} mismatches")
    anew = {number: _made_anew(number, world.desired, facts) for number, facts in world.looks.items()}
    for number, made in world.plans(world.desired, world.desired).items():
        mended = simulate(world.looks[number], made.host)
        found = mismatches(view_of(world.inventory(), number), world.desired, mended)
        assert [m for m in found if not _waits_for(m, anew[number], world.desired, number)] == []


@SLOW
@given(strategies.seeds)
def test_no_bridge_gets_a_vlan_adapter_that_hands_made_anew(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    world.change(rng)
    world.looks = {number: strategies.tamper(rng, facts) for number, facts in world.looks.items()}
    anew = {number: _made_anew(number, world.desired, facts) for number, facts in world.looks.items()}
    plans, _, _ = world.change(rng)
    for number, made in plans.items():
        event(f"{len(anew[number])} made anew")
        still = anew[number] & {vlan.name for vlan in world.desired.vlans_on(number)}
        for step in made.host.steps:
            assert not (isinstance(step, Bridge | Vlan) and {*step.words()} & still)


def _made_anew(number: int, desired: Desired, facts: ServerFacts) -> frozenset[str]:
    """VLAN adapters that are there with another id than the decided one."""
    return frozenset(
        vlan.name
        for vlan in desired.vlans_on(number)
        if (link := facts.link(vlan.name)) and link.vlan != VlanFacts(vlan.base, vlan.vid)
    )


def _waits_for(found: Mismatch, anew: frozenset[str], desired: Desired, number: int) -> bool:
    """Whether it is about an adapter that the panel leaves alone, or about the bridge that needs it."""
    assigned = desired.assignment(found.network, number)
    is_its_bridge = assigned is not None and assigned.adapter in anew
    return found.link in anew or (is_its_bridge and not isinstance(found.subject, InterfaceKey))


@SLOW
@given(strategies.seeds)
def test_every_plan_is_one_that_the_server_takes(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    for _ in range(STEPS):
        plans, _, _ = world.change(rng)
        for made in plans.values():
            assert parse_plan(made.host.render().encode()) == made.host


@SLOW
@given(strategies.seeds)
def test_a_plan_never_names_what_is_not_managed(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    for _ in range(STEPS):
        plans, before, looks = world.change(rng)
        for number, made in plans.items():
            after = world.desired
            ours = {n.bridge for state in (before, after) for n in state.networks}
            adopted = {a.bridge for state in (before, after) for a in state.assignments_on(number)}
            vlans = {v.name for state in (before, after) for v in state.vlans_on(number)}
            adapters = {a.adapter for state in (before, after) for a in state.assignments_on(number)}
            members = {m.interface for state in (before, after) for m in state.members_on(number)}
            hosts = {
                interface.host_ifname
                for container in looks[number].containers
                for interface in container.interfaces
                if InterfaceKey(number, container.ctid, interface.ifname) in members
            }
            for step in made.host.steps:
                if isinstance(step, Vlan | RemoveVlan):
                    assert step.dev in vlans
                elif isinstance(step, Port):
                    assert step.iface in hosts and step.bridge in ours | adopted | {""}
                else:
                    assert step.bridge in ours | adopted and step.adapter in adapters | {""}


@SLOW
@given(strategies.seeds)
def test_what_is_not_managed_stays_as_it_was(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    first = dict(world.looks)
    for _ in range(STEPS):
        world.change(rng)
    for number, facts in world.looks.items():
        for name in ("vmbr7", "tap9", "br0", "lo"):
            assert facts.link(name) == first[number].link(name)


@SLOW
@given(strategies.seeds)
def test_taking_everything_back_leaves_the_servers_as_they_were(rng: Random) -> None:
    world = Installation(strategies.world(rng))
    first = dict(world.looks)
    for _ in range(STEPS):
        world.change(rng)
    for number, made in world.plans(Desired(), world.desired).items():
        facts = simulate(world.looks[number], made.host)
        # Containers' own interfaces are made and removed for good.
        both = {link.name for link in facts.links} & {link.name for link in first[number].links}
        before = {_bare(x) for x in first[number].links if x.kind != "veth" or x.name in both}
        assert {_bare(x) for x in facts.links if x.kind != "veth" or x.name in both} == before
        assert facts.routes == first[number].routes
        assert facts.proxies == first[number].proxies
        assert facts.transaction.committed == ("end",)


def _bare(link: object) -> object:
    """What was switched on for a network stays on."""
    return replace(link, mac_pinned=False, up=True)  # type: ignore[type-var]
