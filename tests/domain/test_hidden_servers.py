"""What a reader may not see counts but is not named, whatever is wrong there; and what is named is known."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

from hypothesis import given

from networks.domain.intent import Intent, breaches, problems_of
from networks.domain.inventory import BootView, Inventory, NetworkRef
from networks.domain.rules import problems_of as rules_of
from networks.domain.rules import review
from networks.domain.rules.hidden import servers_of
from networks.domain.rules.problem import Problem
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteVlan,
    Desired,
    Edit,
    InterfaceKey,
    Unassign,
    apply_edits,
)
from networks.domain.visibility import visibility
from networks.domain.waves import server_of
from tests.domain import scheme, strategies

HIDDEN = 3
PORTS = {"eth0": "br0", "heth0": "hbr0", "heth1": "hbr0"}
NAMED = re.compile(r"server3|secret|\b(30[123]\b|heth|hbr|hvmbr)")


def faulty(rng: Random) -> Inventory:
    """The scheme with things wrong everywhere, and names on server 3 that no other server has."""
    found = scheme.inventory(strategies.world(rng))
    servers = tuple(
        replace(
            server,
            filters_tags=False,
            boot=BootView(
                rng.choice(("enabled", "missing", "disabled")),
                frozenset({("bridge", "vn-old", "-")}),
                ports={name: bridge for name, bridge in PORTS.items() if rng.random() < 0.5},
                dhcp=frozenset({"heth0", "heth2", "eth1"}),
                hook=rng.random() < 0.5,
                off=frozenset({"301", "302", "303", "102"}),
            ),
        )
        for server in found.servers
    )
    adapters = tuple(
        replace(a, name=f"h{a.name}", base=a.base and f"h{a.base}", bridge=a.bridge and f"h{a.bridge}")
        if a.server == HIDDEN
        else a
        for a in found.adapters
    )
    containers = tuple(
        replace(c, name=f"secret{c.ctid}") if c.server == HIDDEN else c for c in found.containers
    )
    return replace(found, servers=servers, adapters=adapters, containers=containers)


def renamed(edit: Edit) -> Edit:
    """The edit with the hidden server's own names of adapters."""
    match edit:
        case Assign(network, server, str(adapter)) if server == HIDDEN:
            return Assign(network, server, f"h{adapter}")
        case CreateVlan(server, name, base, vid) if server == HIDDEN:
            return CreateVlan(server, f"h{name}", f"h{base}", vid)
        case DeleteVlan(server, name) if server == HIDDEN:
            return DeleteVlan(server, f"h{name}")
    return edit


def situation(rng: Random) -> tuple[Desired, list[Edit], Inventory]:
    """Something decided everywhere, and a draft on the servers that are not hidden."""
    found, state = faulty(rng), Desired()
    state = apply_edits(state, [CreateNetwork(name, name) for name in strategies.NETWORKS])
    for _ in range(30):
        state = apply_edits(state, map(renamed, strategies.edit_group(rng, found, state)))
    draft = [edit for _ in range(10) for edit in strategies.edit_group(rng, found, state)]
    return state, [edit for edit in draft if server_of(edit) != HIDDEN], found


def all_problems(state: Desired, draft: list[Edit], found: Inventory) -> list[Problem]:
    intents = [Intent(name, kind) for name in strategies.NETWORKS for kind in ("isolated", "together")]
    after = apply_edits(state, draft)
    met = problems_of(breaches(intents, visibility(after, state, found), after))
    return [*rules_of(state, found), *review(state, draft, found), *met]


@given(strategies.seeds)
def test_no_problem_names_what_is_on_a_hidden_server(rng: Random) -> None:
    state, draft, found = situation(rng)
    told = all_problems(state, draft, replace(found, hidden=frozenset({HIDDEN})))
    assert [t for p in told if NAMED.search(t := f"{p.text} {p.hint}")] == []


@given(strategies.seeds)
def test_a_problem_knows_every_server_that_it_names(rng: Random) -> None:
    state, draft, found = situation(rng)
    for problem in all_problems(state, draft, found):
        named = {server.id for server in found.servers if server.name in problem.text + problem.hint}
        named |= {HIDDEN} if NAMED.search(f"{problem.text} {problem.hint}") else set()
        assert named <= {*servers_of(problem.subjects), *problem.also}, problem


def test_problems_alike_that_are_hidden_are_told_once() -> None:
    found = faulty(Random(3))  # noqa: S311
    state = Desired()
    for name in ("n1", "n2"):
        state = apply_edits(
            state,
            [CreateNetwork(name, name), Assign(name, HIDDEN, None)],
        )
    state = apply_edits(state, [AddMember("n1", InterfaceKey(HIDDEN, "302", "eth0"))])
    told = [p for p in rules_of(state, replace(found, hidden=frozenset({HIDDEN}))) if p.code == "reboot-risk"]
    texts = [p.text for p in told]
    assert "Virtual Network n1 has a problem on a physical server that you may not see." in texts
    assert len(texts) == len(set(texts))
    assert all(any(isinstance(s, NetworkRef) for s in p.subjects) for p in told)
    assert apply_edits(state, [Unassign("n2", HIDDEN)]) != state
