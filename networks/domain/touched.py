"""Which virtual networks some edits touch. Pure."""

from __future__ import annotations

from collections.abc import Iterable

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
    NetworkId,
    RemoveAddress,
    RemoveInterface,
    RemoveMember,
    ServerId,
    Unassign,
)


def networks_touched(edits: Iterable[Edit], before: Desired, after: Desired) -> frozenset[NetworkId]:
    """Networks that the edits say anything about but words, as they were before or are after."""
    found: set[NetworkId] = set()
    for edit in edits:
        match edit:
            case DescribeNetwork():
                pass
            case CreateNetwork(id=network) | DeleteNetwork(id=network):
                found.add(network)
            case Assign(network=network) | Unassign(network=network):
                found.add(network)
            case AddMember(network=network, interface=interface):
                # It may have been a member of another one.
                found |= {network, *_of_interface(interface, before)}
            case RemoveMember(interface) | AddInterface(interface) | RemoveInterface(interface):
                found |= _of_interface(interface, before) | _of_interface(interface, after)
            case AddAddress(interface) | RemoveAddress(interface):
                found |= _of_interface(interface, before) | _of_interface(interface, after)
            case CreateVlan(server, name) | DeleteVlan(server, name):
                found |= _of_adapter(server, name, before) | _of_adapter(server, name, after)
    return frozenset(found)


def _of_interface(interface: InterfaceKey, state: Desired) -> set[NetworkId]:
    return {member.network for member in state.memberships(interface)}


def _of_adapter(server: ServerId, name: str, state: Desired) -> set[NetworkId]:
    return {a.network for a in state.assignments_on(server) if a.adapter == name}
