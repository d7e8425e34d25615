"""Random worlds and random drafts that the rules accept, for property tests."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from networks.domain.inventory import Inventory
from networks.domain.names import vlan_name
from networks.domain.rules import review
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Desired,
    Edit,
    InterfaceKey,
    RemoveMember,
    Unassign,
    apply_edits,
)
from nodes.facts import Bridge, Link, ServerFacts
from tests.domain import scheme

NETWORKS = ("n1", "n2", "n3", "n4")
NAMES = ("Web", "web servers", "DB", "Büro", "网络", "a very long name of a network", "None")
SERVERS = (1, 2, 3)
BASES = ("eth0", "eth1", "eth2")


@st.composite
def worlds(draw: st.DrawFn) -> dict[int, ServerFacts]:
    """Three servers with more NICs than the scheme's, foreign bridges and ports, stopped containers."""
    looks = {}
    for number, facts in scheme.looks().items():
        links = list(facts.links)
        for n in (1, 2):
            links.append(Link(f"eth{n}", "nic", mac=f"02:00:00:00:{n:02x}:0{number}", mtu=1500, up=True))
        if draw(st.booleans()):
            links.append(Link("vmbr7", "bridge", mtu=1500, up=True, bridge=Bridge(False, 0)))
            links.append(Link("tap9", "tap", mtu=1500, up=True, master="vmbr7"))
            links = [replace(x, master="vmbr7") if x.name == "eth2" else x for x in links]
        stopped = draw(st.frozensets(st.sampled_from([c.ctid for c in facts.containers])))
        gone = {i.host_ifname for c in facts.containers if c.ctid in stopped for i in c.interfaces}
        looks[number] = replace(
            facts,
            links=tuple(link for link in links if link.name not in gone),
            containers=tuple(
                replace(c, status="stopped", inside=None) if c.ctid in stopped else c
                for c in facts.containers
            ),
        )
    return looks


def interfaces(found: Inventory) -> list[InterfaceKey]:
    """Every container interface there is, host-routed ones too."""
    return sorted(view.key for view in found.interfaces)


@st.composite
def edit_groups(draw: st.DrawFn, found: Inventory, state: Desired) -> tuple[Edit, ...]:
    """One thing a person does: a single edit, or several that only make sense together."""
    network = st.sampled_from(NETWORKS)
    server = st.sampled_from(SERVERS)
    base, vid = st.sampled_from(BASES), st.sampled_from((7, 100, 4094))
    interface = st.sampled_from(interfaces(found))
    kind = draw(st.sampled_from(("create", "rename", "delete", "assign", "unassign", "add", "move", "remove",
                                 "vlan", "no vlan", "swap")))  # fmt: skip
    match kind:
        case "create":
            return (CreateNetwork(draw(network), draw(st.sampled_from(NAMES))),)
        case "rename":
            return (DescribeNetwork(draw(network), draw(st.sampled_from(NAMES)), "renamed"),)
        case "delete":
            id = draw(network)
            return (
                *(RemoveMember(m.interface) for m in state.members_of(id)),
                *(Unassign(id, a.server) for a in state.assignments_of(id)),
                DeleteNetwork(id),
            )
        case "assign":
            adapter = st.one_of(st.none(), base, st.builds(vlan_name, base, vid))
            return (Assign(draw(network), draw(server), draw(adapter)),)
        case "unassign":
            return (Unassign(draw(network), draw(server)),)
        case "add":
            return (AddMember(draw(network), draw(interface)),)
        case "move":
            key = draw(interface)
            return (RemoveMember(key), AddMember(draw(network), key))
        case "remove":
            return (RemoveMember(draw(interface)),)
        case "vlan":
            b, v = draw(base), draw(vid)
            return (CreateVlan(draw(server), vlan_name(b, v), b, v),)
        case "no vlan":
            return (DeleteVlan(draw(server), vlan_name(draw(base), draw(vid))),)
    one, other, where = draw(network), draw(network), draw(server)
    a, b2 = state.assignment(one, where), state.assignment(other, where)
    if a is None or b2 is None:
        return ()
    return (Assign(one, where, b2.adapter), Assign(other, where, a.adapter))


@st.composite
def drafts(draw: st.DrawFn, before: Desired, found: Inventory, *, most: int = 8) -> tuple[Edit, ...]:
    """A draft that the rules do not refuse; warnings are ticked."""
    edits: tuple[Edit, ...] = ()
    for _ in range(draw(st.integers(1, most))):
        more = (*edits, *draw(edit_groups(found, apply_edits(before, edits))))
        if not any(problem.severity == "refuse" for problem in review(before, more, found)):
            edits = more
    return edits


def any_edits() -> st.SearchStrategy[list[Edit]]:
    """Edits of a small world, sensible or not."""
    found = scheme.inventory()
    group = edit_groups(found, scheme.DESIRED)
    return st.lists(group, max_size=12).map(lambda groups: [edit for group in groups for edit in group])
