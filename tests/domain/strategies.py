"""Random worlds and random drafts that the rules accept, for property tests.

A seed decides everything: hypothesis draws and shrinks seeds, and a dense random walk finds more in the same
time than single small draws would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from networks.domain.inventory import Inventory
from networks.domain.names import vlan_name
from networks.domain.rules import review
from networks.domain.state import (
    AddAddress,
    AddInterface,
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
    RemoveInterface,
    RemoveMember,
    Unassign,
    apply_edits,
)
from nodes.facts import Bridge, Link, ServerFacts
from tests.domain import scheme

NETWORKS = ("n1", "n2", "n3", "n4", "n5")
NAMES = ("Web", "web servers", "DB", "Büro", "网络", "a very long name of a network", "none", "web-2")
SERVERS = (1, 2, 3)
BASES = ("eth0", "eth1", "eth2")
VIDS = (7, 100)

seeds = st.integers(0, 2**32 - 1).map(Random)


def world(rng: Random) -> dict[int, ServerFacts]:
    """Three servers with more NICs, some off, foreign bridges and ports, stopped containers."""
    looks = {}
    for number, facts in scheme.looks().items():
        links = list(facts.links)
        for n in (1, 2):
            mac, up = f"02:00:00:00:{n:02x}:0{number}", rng.random() < 0.7
            links.append(Link(f"eth{n}", "nic", mac=mac, mtu=1500, up=up))
        links.append(Link("vmbr7", "bridge", mtu=1500, up=True, bridge=Bridge(False, 0)))
        links.append(Link("tap9", "tap", mtu=1500, up=True, master="vmbr7"))
        if rng.random() < 0.5:
            links = [replace(x, master="vmbr7") if x.name == "eth2" else x for x in links]
        stopped = {c.ctid for c in facts.containers if rng.random() < 0.2}
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


def draft(rng: Random, before: Desired, found: Inventory) -> tuple[Edit, ...]:
    """A draft that the rules do not refuse; warnings are ticked."""
    edits: tuple[Edit, ...] = ()
    for _ in range(rng.choice((1, 3, 10, 25))):
        group = edit_group(rng, found, apply_edits(before, edits))
        problems = review(before, (*edits, *group), found)
        if not any(problem.severity == "refuse" for problem in problems):
            edits = (*edits, *group)
    return edits


def edit_group(rng: Random, found: Inventory, state: Desired) -> tuple[Edit, ...]:
    """One thing a person does: a single edit, or several that only make sense together."""
    server, base, vid = rng.choice(SERVERS), rng.choice(BASES), rng.choice(VIDS)
    vlan = vlan_name(base, vid)
    network, other = rng.sample(NETWORKS, 2)
    interface = rng.choice(interfaces(found))
    match rng.choices(KINDS, WEIGHTS)[0]:
        case "create":
            return (CreateNetwork(network, rng.choice(NAMES)),)
        case "rename":
            return (DescribeNetwork(network, rng.choice(NAMES), "renamed"),)
        case "delete":
            return (*without(network, state), DeleteNetwork(network))
        case "assign":
            return (Assign(network, server, rng.choice((None, base, base, vlan))),)
        case "unassign":
            return (Unassign(network, server),)
        case "add":
            return (AddMember(network, interface),)
        case "move":
            return (RemoveMember(interface), AddMember(network, interface))
        case "remove":
            return (RemoveMember(interface),)
        case "vlan":
            return (CreateVlan(server, vlan, base, vid),)
        case "no vlan":
            users = [a for a in state.assignments_on(server) if a.adapter == vlan]
            return (*(Unassign(a.network, a.server) for a in users), DeleteVlan(server, vlan))
        case "vlan network":
            return (CreateVlan(server, vlan, base, vid), Assign(network, server, vlan))
        case "new interface":
            return _new_interface(rng, network, interface)
        case "no interface":
            return (
                *(RemoveMember(m.interface) for m in state.memberships(interface)),
                RemoveInterface(interface),
            )
        case "leave":
            return _left(rng, server, state)
        case "take over":
            owner = next((a for a in state.assignments_on(server) if a.adapter == base), None)
            freed = (Assign(owner.network, server, None),) if owner else ()
            return (*freed, Assign(network, server, base))
        case _:
            return swapped(network, other, server, state)


KINDS = ("create", "rename", "delete", "assign", "unassign", "add", "move", "remove", "vlan", "no vlan",
         "vlan network", "take over", "leave", "swap", "new interface", "no interface")  # fmt: skip
WEIGHTS = (2, 1, 1, 8, 1, 10, 3, 1, 1, 1, 3, 2, 2, 4, 2, 1)


def _new_interface(rng: Random, network: str, beside: InterfaceKey) -> tuple[Edit, ...]:
    """A new interface of a container, perhaps a member at once, perhaps with an address."""
    key = InterfaceKey(beside.server, beside.ctid, rng.choice(("eth1", "eth2", "eth7")))
    edits: list[Edit] = [AddInterface(key)]
    if rng.random() < 0.7:
        edits.append(AddMember(network, key))
    if rng.random() < 0.5:
        edits.append(AddAddress(key, f"10.77.{rng.randint(1, 9)}.5/24"))
    return tuple(edits)


def _left(rng: Random, server: int, state: Desired) -> tuple[Edit, ...]:
    """A network leaves a bridge that it has adopted, perhaps without some of its members."""
    adopted = [a for a in state.assignments_on(server) if a.bridge]
    if not adopted:
        return ()
    network = rng.choice(adopted).network
    out = [m.interface for m in state.members_of(network, server) if rng.random() < 0.5]
    return (Unassign(network, server), *(RemoveMember(key) for key in out))


def without(network: str, state: Desired) -> Iterator[Edit]:
    """Edits that empty a network."""
    for member in state.members_of(network):
        yield RemoveMember(member.interface)
    for assignment in state.assignments_of(network):
        yield Unassign(network, assignment.server)


def swapped(one: str, other: str, server: int, state: Desired) -> tuple[Edit, ...]:
    """Two networks exchange their adapters."""
    a, b = state.assignment(one, server), state.assignment(other, server)
    if a is None or b is None:
        return ()
    return (Assign(one, server, b.adapter), Assign(other, server, a.adapter))


def interfaces(found: Inventory) -> list[InterfaceKey]:
    """Every container interface there is, host-routed ones too."""
    return sorted(view.key for view in found.interfaces)


def tamper(rng: Random, facts: ServerFacts) -> ServerFacts:
    """Somebody's hands on what the panel made: ports, adapters, settings, saved configuration."""
    links = {link.name: link for link in facts.links}
    bridges = [name for name in links if name.startswith("vn-")]
    for name, link in list(links.items()):
        if rng.random() > 0.3:
            continue
        if link.kind == "veth" and bridges:
            links[name] = replace(link, master=rng.choice(["", *bridges]))
        elif link.kind == "vlan" and link.vlan and rng.random() < 0.5:
            anew = replace(link.vlan, vid=link.vlan.vid + 1)
            links[name] = replace(link, vlan=anew, master=rng.choice(["", link.master]))
        elif link.kind == "vlan":
            links[name] = replace(link, up=False)
        elif link.kind == "nic" and link.master in bridges:
            links[name] = replace(link, master="")
        elif name in bridges:
            fields = rng.choice((
                {"mtu": 1280}, {"mac": "02:ff:00:00:00:01"}, {"up": False}, {"arp_ignore": 0},
                {"bridge": Bridge(True, 15, False)}, {"ipv6_disabled": False},
            ))  # fmt: skip
            links[name] = replace(link, **fields)
    containers = tuple(
        replace(
            c,
            interfaces=tuple(
                replace(i, configured_bridge=rng.choice(["", "br9", *bridges])) if rng.random() < 0.3 else i
                for i in c.interfaces
            ),
        )
        for c in facts.containers
    )
    return replace(facts, links=tuple(links.values()), containers=containers)


def strangers(rng: Random, facts: ServerFacts, desired: Desired, number: int) -> ServerFacts:
    """Somebody's hands on what is no network's: it comes into bridges that the panel did not make, or out."""
    members = {(m.interface.ctid, m.interface.ifname) for m in desired.members_on(number)}
    used = {i.host_ifname for c in facts.containers for i in c.interfaces if (c.ctid, i.ifname) in members}
    used |= {a.adapter for a in desired.assignments_on(number) if a.adapter}
    bridges = [x.name for x in facts.links if x.kind == "bridge" and x.name not in desired.bridge_names]
    links = []
    for link in facts.links:
        if link.name not in used and not link.addresses and rng.random() < 0.5:
            if link.kind == "veth":
                link = replace(link, master=rng.choice(["", *bridges]))
            elif link.name in ("eth1", "eth2"):
                link = replace(link, master=rng.choice(["", "vmbr7", "vmbr7"]))
        links.append(link)
    return replace(facts, links=tuple(links))


def any_edits(rng: Random) -> list[Edit]:
    """Edits of the scheme's installation, sensible or not."""
    found, state = scheme.inventory(), scheme.DESIRED
    return [edit for _ in range(rng.randint(0, 15)) for edit in edit_group(rng, found, state)]
