"""Desired state: what has been decided, and the drafts that would change it. Values only.

`Desired` is the whole design: every virtual network, its members and its assignments on all servers. A
draft is a tuple of edits on top of a revision of it; `apply_edits` gives the state the draft asks for.
Servers are named by their primary key, containers by (server, CTID), interfaces by (server, CTID, ifname),
adapters by (server, name): keys that stay true when rows are written anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

ServerId = int
NetworkId = str
"""A UUID in text form: it outlives renaming and is known before the network is stored."""


@dataclass(frozen=True, slots=True, order=True)
class InterfaceKey:
    """A container interface, wherever it is mentioned."""

    server: ServerId
    ctid: str
    ifname: str


@dataclass(frozen=True, slots=True, order=True)
class AdapterKey:
    """A network adapter of a server."""

    server: ServerId
    name: str


@dataclass(frozen=True, slots=True)
class Network:
    """A virtual network. `bridge` is its name on the servers: "" until the first apply, then fixed."""

    id: NetworkId
    name: str
    description: str = ""
    bridge: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A virtual network on one server: bridged to `adapter`, or local (None).

    `bridge` is set where an existing bridge was adopted: its name is kept there.
    """

    network: NetworkId
    server: ServerId
    adapter: str | None = None
    bridge: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A bridged container interface in a virtual network."""

    network: NetworkId
    interface: InterfaceKey


@dataclass(frozen=True, slots=True)
class VlanAdapter:
    """A VLAN adapter that the panel makes and keeps: `name` on `base` with id `vid` (1 to 4094)."""

    server: ServerId
    name: str
    base: str
    vid: int


@dataclass(frozen=True, slots=True)
class Desired:
    """The whole design at one revision."""

    networks: tuple[Network, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    members: tuple[Member, ...] = ()
    vlans: tuple[VlanAdapter, ...] = ()

    def network(self, network_id: NetworkId) -> Network | None:
        return next((network for network in self.networks if network.id == network_id), None)

    def assignment(self, network_id: NetworkId, server: ServerId) -> Assignment | None:
        return next((a for a in self.assignments if a.network == network_id and a.server == server), None)

    def members_of(self, network_id: NetworkId, server: ServerId | None = None) -> tuple[Member, ...]:
        """Members of the network, on one server or on all."""
        return tuple(
            member
            for member in self.members
            if member.network == network_id and server in (None, member.interface.server)
        )

    def servers_of(self, network_id: NetworkId) -> frozenset[ServerId]:
        """Servers where the network has members or an assignment."""
        return frozenset(
            [member.interface.server for member in self.members_of(network_id)]
            + [a.server for a in self.assignments if a.network == network_id]
        )


@dataclass(frozen=True, slots=True)
class CreateNetwork:
    """Make a virtual network known to every registered server (the manual, step 1)."""

    id: NetworkId
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class DescribeNetwork:
    """Give a network another name or description; its bridges keep their name."""

    id: NetworkId
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class DeleteNetwork:
    id: NetworkId


@dataclass(frozen=True, slots=True)
class Assign:
    """Bridge the network to an adapter of the server, or make it local there (adapter None)."""

    network: NetworkId
    server: ServerId
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Unassign:
    """The network has no assignment on the server any more; with members there it means local."""

    network: NetworkId
    server: ServerId


@dataclass(frozen=True, slots=True)
class AddMember:
    """Put a bridged interface into the network; to move it, remove it from its old one first."""

    network: NetworkId
    interface: InterfaceKey


@dataclass(frozen=True, slots=True)
class RemoveMember:
    interface: InterfaceKey


@dataclass(frozen=True, slots=True)
class CreateVlan:
    server: ServerId
    name: str
    base: str
    vid: int


@dataclass(frozen=True, slots=True)
class DeleteVlan:
    server: ServerId
    name: str


Edit = (
    CreateNetwork
    | DescribeNetwork
    | DeleteNetwork
    | Assign
    | Unassign
    | AddMember
    | RemoveMember
    | CreateVlan
    | DeleteVlan
)


def apply_edit(state: Desired, edit: Edit) -> Desired:
    """The state after one edit. Edits of what is not there change nothing: rules.py says so to people.

    `AddMember` does not take the interface out of another network by itself: rule 3 finds it in both, so
    that moving is two edits and nothing is moved unseen.
    """
    match edit:
        case CreateNetwork(id, name, description):
            return replace(state, networks=(*state.networks, Network(id, name, description)))
        case DescribeNetwork(id, name, description):
            return replace(
                state,
                networks=tuple(
                    replace(n, name=name, description=description) if n.id == id else n
                    for n in state.networks
                ),
            )
        case DeleteNetwork(id):
            return replace(state, networks=tuple(n for n in state.networks if n.id != id))
        case Assign(network, server, adapter):
            others = tuple(a for a in state.assignments if (a.network, a.server) != (network, server))
            return replace(state, assignments=(*others, Assignment(network, server, adapter)))
        case Unassign(network, server):
            return replace(
                state,
                assignments=tuple(a for a in state.assignments if (a.network, a.server) != (network, server)),
            )
        case AddMember(network, interface):
            member = Member(network, interface)
            return state if member in state.members else replace(state, members=(*state.members, member))
        case RemoveMember(interface):
            return replace(state, members=tuple(m for m in state.members if m.interface != interface))
        case CreateVlan(server, name, base, vid):
            return replace(state, vlans=(*state.vlans, VlanAdapter(server, name, base, vid)))
        case DeleteVlan(server, name):
            return replace(state, vlans=tuple(v for v in state.vlans if (v.server, v.name) != (server, name)))


def apply_edits(state: Desired, edits: Iterable[Edit]) -> Desired:
    """The state after all edits, in their order."""
    for edit in edits:
        state = apply_edit(state, edit)
    return state
