"""Desired state: what has been decided, and the drafts that would change it. Values only.

`Desired` is the whole design: every virtual network, its members and its assignments on all servers. A
draft is a tuple of edits on top of a revision of it; `apply_edits` gives the state the draft asks for.
Servers are named by their primary key, containers by (server, CTID), interfaces by (server, CTID, ifname),
adapters by (server, name): keys that stay true when rows are written anew.

Which interfaces a container has and which addresses are on them is its own configuration: observed, never
desired. What is to be done about it is an *errand*: part of a draft and of its Change, never of a stored
revision (docs/adr/0016-errands.md).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

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
class NewInterface:
    """Errand: a bridged interface to be made. `mac` "" leaves the choice to vzctl."""

    interface: InterfaceKey
    mac: str = ""


@dataclass(frozen=True, slots=True)
class AddressChange:
    """Errand: an address ("10.77.0.5/24") that the interface is to get, or to lose (`is_wanted` False)."""

    interface: InterfaceKey
    address: str
    is_wanted: bool


_Item = TypeVar("_Item")
_Key = TypeVar("_Key", bound=Hashable)


def grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    """The items by their key, in the order they came."""
    groups: dict[_Key, list[_Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


@dataclass(frozen=True)
class Desired:
    """The whole design at one revision.

    The look-ups below are indexed on first use and kept with the value: rules and plans ask them for
    thousands of servers. The last three fields are errands, which only a drafted state has.
    """

    networks: tuple[Network, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    members: tuple[Member, ...] = ()
    vlans: tuple[VlanAdapter, ...] = ()
    new_interfaces: tuple[NewInterface, ...] = ()
    gone_interfaces: tuple[InterfaceKey, ...] = ()
    address_changes: tuple[AddressChange, ...] = ()

    def network(self, network_id: NetworkId) -> Network | None:
        found = self._networks.get(network_id)
        return found[0] if found else None

    def assignment(self, network_id: NetworkId, server: ServerId) -> Assignment | None:
        found = self._assignments.get((network_id, server))
        return found[0] if found else None

    def members_of(self, network_id: NetworkId, server: ServerId | None = None) -> tuple[Member, ...]:
        """Members of the network, on one server or on all."""
        if server is None:
            return tuple(self._members_by_network.get(network_id, ()))
        return tuple(self._members.get((network_id, server), ()))

    def containers_of(
        self, network_id: NetworkId, server: ServerId | None = None
    ) -> frozenset[tuple[ServerId, str]]:
        """(server, CTID) of containers in the network, each once, on one server or on all."""
        keys = (member.interface for member in self.members_of(network_id, server))
        return frozenset((key.server, key.ctid) for key in keys)

    def assignments_of(self, network_id: NetworkId) -> tuple[Assignment, ...]:
        """Assignments of the network on all servers."""
        return tuple(self._assignments_by_network.get(network_id, ()))

    def networks_on(self, server: ServerId) -> tuple[NetworkId, ...]:
        """Networks with members or an assignment on the server, each once."""
        here = [a.network for a in self.assignments_on(server)] + [m.network for m in self.members_on(server)]
        return tuple(dict.fromkeys(here))

    def assignments_on(self, server: ServerId) -> tuple[Assignment, ...]:
        return tuple(self._assignments_by_server.get(server, ()))

    def members_on(self, server: ServerId) -> tuple[Member, ...]:
        return tuple(self._members_by_server.get(server, ()))

    def vlans_on(self, server: ServerId) -> tuple[VlanAdapter, ...]:
        return tuple(self._vlans_by_server.get(server, ()))

    def memberships(self, interface: InterfaceKey) -> tuple[Member, ...]:
        """Memberships of the interface: one or none, more only in a state that the rules refuse."""
        return tuple(self._memberships.get(interface, ()))

    def without_errands(self) -> Desired:
        """The state as a revision keeps it."""
        return replace(self, new_interfaces=(), gone_interfaces=(), address_changes=())

    def errands_on(self, server: ServerId) -> tuple[NewInterface | InterfaceKey | AddressChange, ...]:
        """What is to be done on the server's containers: made, removed, addressed."""
        return tuple(self._errands_by_server.get(server, ()))

    @property
    def errand_servers(self) -> frozenset[ServerId]:
        """Servers that have an errand."""
        return frozenset(self._errands_by_server)

    @cached_property
    def containers_named(self) -> frozenset[tuple[ServerId, str]]:
        """Servers and CTIDs of containers with a member or an errand."""
        keys = [*(m.interface for m in self.members), *self.gone_interfaces]
        keys += [new.interface for new in self.new_interfaces] + [c.interface for c in self.address_changes]
        return frozenset((key.server, key.ctid) for key in keys)

    def is_bridge_of_ours(self, name: str, server: ServerId) -> bool:
        """Whether a network's bridge has that name on the server, adopted ones included."""
        return name != "" and (
            name in self.bridge_names or any(a.bridge == name for a in self.assignments_on(server))
        )

    @cached_property
    def bridge_names(self) -> frozenset[str]:
        """Names of the bridges that the panel makes for the networks."""
        return frozenset(network.bridge for network in self.networks if network.bridge)

    def servers_of(self, network_id: NetworkId) -> frozenset[ServerId]:
        """Servers where the network has members or an assignment."""
        return frozenset(
            [member.interface.server for member in self._members_by_network.get(network_id, ())]
            + [a.server for a in self._assignments_by_network.get(network_id, ())]
        )

    @cached_property
    def _networks(self) -> Mapping[NetworkId, list[Network]]:
        return grouped(self.networks, lambda n: n.id)

    @cached_property
    def _assignments(self) -> Mapping[tuple[NetworkId, ServerId], list[Assignment]]:
        return grouped(self.assignments, lambda a: (a.network, a.server))

    @cached_property
    def _assignments_by_network(self) -> Mapping[NetworkId, list[Assignment]]:
        return grouped(self.assignments, lambda a: a.network)

    @cached_property
    def _assignments_by_server(self) -> Mapping[ServerId, list[Assignment]]:
        return grouped(self.assignments, lambda a: a.server)

    @cached_property
    def _members(self) -> Mapping[tuple[NetworkId, ServerId], list[Member]]:
        return grouped(self.members, lambda m: (m.network, m.interface.server))

    @cached_property
    def _members_by_network(self) -> Mapping[NetworkId, list[Member]]:
        return grouped(self.members, lambda m: m.network)

    @cached_property
    def _members_by_server(self) -> Mapping[ServerId, list[Member]]:
        return grouped(self.members, lambda m: m.interface.server)

    @cached_property
    def _memberships(self) -> Mapping[InterfaceKey, list[Member]]:
        return grouped(self.members, lambda m: m.interface)

    @cached_property
    def _errands_by_server(self) -> Mapping[ServerId, list[NewInterface | InterfaceKey | AddressChange]]:
        errands: list[NewInterface | InterfaceKey | AddressChange] = [
            *self.new_interfaces,
            *self.gone_interfaces,
            *self.address_changes,
        ]
        return grouped(errands, lambda e: (e if isinstance(e, InterfaceKey) else e.interface).server)

    @cached_property
    def _vlans_by_server(self) -> Mapping[ServerId, list[VlanAdapter]]:
        return grouped(self.vlans, lambda v: v.server)


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


@dataclass(frozen=True, slots=True)
class AddInterface:
    """Make a bridged interface; the same draft may put it into a network. `mac` "": vzctl chooses."""

    interface: InterfaceKey
    mac: str = ""


@dataclass(frozen=True, slots=True)
class RemoveInterface:
    """Take a bridged interface away from its container; to be removed from its network first."""

    interface: InterfaceKey


@dataclass(frozen=True, slots=True)
class AddAddress:
    """Give the interface an address with prefix length; on a host-routed one it is host-routed."""

    interface: InterfaceKey
    address: str


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    interface: InterfaceKey
    address: str


Errand = AddInterface | RemoveInterface | AddAddress | RemoveAddress
"""Edits that are done once: the state that a revision keeps does not show them."""

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
    | AddInterface
    | RemoveInterface
    | AddAddress
    | RemoveAddress
)


class _Sheet:
    """The state while edits are written into it: every item under the key that edits name it by.

    Edits touch only their own key, so that a thousand of them on a large design stay quick.
    """

    def __init__(self, state: Desired) -> None:
        self.networks = grouped(state.networks, lambda n: n.id)
        self.assignments = grouped(state.assignments, lambda a: (a.network, a.server))
        self.members = grouped(state.members, lambda m: m.interface)
        self.vlans = grouped(state.vlans, lambda v: (v.server, v.name))
        self.new = grouped(state.new_interfaces, lambda n: n.interface)
        self.gone = dict.fromkeys(state.gone_interfaces)
        self.addresses = {(a.interface, a.address): a for a in state.address_changes}

    def write(self, edit: Edit) -> None:
        match edit:
            case CreateNetwork(id, name, description):
                self.networks.setdefault(id, []).append(Network(id, name, description))
            case DescribeNetwork(id, name, description):
                if id in self.networks:
                    self.networks[id] = [
                        replace(n, name=name, description=description) for n in self.networks[id]
                    ]
            case DeleteNetwork(id):
                self.networks.pop(id, None)
            case Assign(network, server, adapter):
                self.assignments.pop((network, server), None)
                self.assignments[network, server] = [Assignment(network, server, adapter)]
            case Unassign(network, server):
                self.assignments.pop((network, server), None)
            case AddMember(network, interface):
                members = self.members.setdefault(interface, [])
                if all(member.network != network for member in members):
                    members.append(Member(network, interface))
            case RemoveMember(interface):
                self.members.pop(interface, None)
            case CreateVlan(server, name, base, vid):
                self.vlans.setdefault((server, name), []).append(VlanAdapter(server, name, base, vid))
            case DeleteVlan(server, name):
                self.vlans.pop((server, name), None)
            case _:
                self.errand(edit)

    def errand(self, edit: Errand) -> None:
        """An errand and its opposite are nothing to be done."""
        match edit:
            case AddInterface(interface, mac):
                new = self.new.setdefault(interface, [])
                if NewInterface(interface, mac) not in new:
                    new.append(NewInterface(interface, mac))
            case RemoveInterface(interface):
                if self.new.pop(interface, None) is None:
                    self.gone[interface] = None
                self.addresses = {key: a for key, a in self.addresses.items() if a.interface != interface}
            case AddAddress(interface, address):
                self.address(AddressChange(interface, address, True))
            case RemoveAddress(interface, address):
                self.address(AddressChange(interface, address, False))

    def address(self, change: AddressChange) -> None:
        key = (change.interface, change.address)
        pending = self.addresses.get(key)
        if pending is not None and pending.is_wanted != change.is_wanted:
            del self.addresses[key]
        else:
            self.addresses[key] = change

    def read(self) -> Desired:
        return Desired(
            networks=tuple(n for group in self.networks.values() for n in group),
            assignments=tuple(a for group in self.assignments.values() for a in group),
            members=tuple(m for group in self.members.values() for m in group),
            vlans=tuple(v for group in self.vlans.values() for v in group),
            new_interfaces=tuple(n for group in self.new.values() for n in group),
            gone_interfaces=tuple(self.gone),
            address_changes=tuple(self.addresses.values()),
        )


def apply_edits(state: Desired, edits: Iterable[Edit]) -> Desired:
    """The state after all edits, in their order. Edits of what is not there change nothing: rules say so.

    `AddMember` does not take the interface out of another network by itself: rule 3 finds it in both, so
    that moving is two edits and nothing is moved unseen.
    """
    sheet = _Sheet(state)
    for edit in edits:
        sheet.write(edit)
    return sheet.read()


def apply_edit(state: Desired, edit: Edit) -> Desired:
    """The state after one edit."""
    return apply_edits(state, (edit,))
