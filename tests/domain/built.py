"""The manual's scheme after it was applied, each server with a second NIC eth1, and plans from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from networks.domain.inventory import Inventory
from networks.domain.names import name_bridges
from networks.domain.plan import ServerPlan, plan
from networks.domain.state import Desired, Edit, apply_edits
from networks.domain.wanted import record_adopted
from nodes.facts import Container, ContainerInterface, Link, ServerFacts
from tests.domain import scheme
from tests.domain.simulator import simulate

# --- hands that change a server ---


def with_link(facts: ServerFacts, link: Link) -> ServerFacts:
    return replace(facts, links=(*(x for x in facts.links if x.name != link.name), link))


def changed(facts: ServerFacts, name: str, **fields: object) -> ServerFacts:
    """The look with one link changed."""
    link = facts.link(name)
    assert link is not None, name
    return replace(facts, links=tuple(replace(x, **fields) if x.name == name else x for x in facts.links))


def without_link(facts: ServerFacts, *names: str) -> ServerFacts:
    return replace(facts, links=tuple(x for x in facts.links if x.name not in names))


def with_container(facts: ServerFacts, ctid: str, edit: Callable[[Container], Container]) -> ServerFacts:
    return replace(facts, containers=tuple(edit(c) if c.ctid == ctid else c for c in facts.containers))


def with_interface(
    facts: ServerFacts, ctid: str, edit: Callable[[ContainerInterface], ContainerInterface]
) -> ServerFacts:
    """The look with every interface of one container changed."""
    return with_container(facts, ctid, lambda c: replace(c, interfaces=tuple(edit(i) for i in c.interfaces)))


def stopped(facts: ServerFacts, ctid: str) -> ServerFacts:
    """The container stopped: its host sides are gone."""
    gone = [i.host_ifname for c in facts.containers if c.ctid == ctid for i in c.interfaces]
    return without_link(
        with_container(facts, ctid, lambda c: replace(c, status="stopped", inside=None)), *gone
    )


# --- the scheme, built ---


def fresh_looks() -> dict[int, ServerFacts]:
    """The scheme's servers before any virtual network, with eth1."""
    return {
        number: with_link(facts, Link("eth1", "nic", mac=f"02:00:00:00:01:0{number}", mtu=1500, up=True))
        for number, facts in scheme.looks().items()
    }


def named(state: Desired, found: Inventory) -> Desired:
    """The state as the first apply stores it: with bridge names."""
    return name_bridges(state, found.bridge_names)


def plan_on(
    number: int, facts: ServerFacts, after: Desired, before: Desired, looks: dict[int, ServerFacts]
) -> ServerPlan:
    """The plan of one server on these facts."""
    found = scheme.inventory({**looks, number: facts})
    view = found.server(number)
    assert view is not None
    return plan(view, after, before, found)


def _apply() -> tuple[Desired, dict[int, ServerFacts]]:
    looks = fresh_looks()
    desired = named(scheme.DESIRED, scheme.inventory(looks))
    after, recorded = dict(looks), desired
    for number, facts in looks.items():
        made = plan_on(number, facts, desired, Desired(), looks)
        after[number] = simulate(facts, made.host)
        recorded = record_adopted(recorded, number, made.adopted)
    return recorded, after


DESIRED, LOOKS = _apply()


def change(number: int, *edits: Edit, facts: ServerFacts | None = None) -> ServerPlan:
    """The plan for a server when these edits are applied on top of the built scheme."""
    after = named(apply_edits(DESIRED, edits), scheme.inventory(LOOKS))
    return plan_on(number, facts or LOOKS[number], after, DESIRED, LOOKS)


def lines(made: ServerPlan) -> list[str]:
    """The steps and saves of a plan as the server reads them."""
    kept = ("vnetpanel", "keep", "end")
    return [line for line in made.host.render().splitlines() if not line.startswith(kept)]
