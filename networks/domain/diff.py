"""The edits between two desired states, and edits as sentences. Pure.

History shows what a revision changed, and a revert is the edits from today back to then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from networks.domain import words
from networks.domain.inventory import ContainerKey, Inventory
from networks.domain.state import (
    AdapterKey,
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
    Unassign,
    grouped,
)


def edits_between(a: Desired, b: Desired) -> tuple[Edit, ...]:
    """Edits that make `b` of `a`: `apply_edits(a, edits_between(a, b))` is `b`, up to order.

    Names of bridges are not edited: they are what servers call things, given at the first apply. Both
    states have each network, assignment and VLAN adapter once, as decided ones have, and `a` has no errands.
    """
    old_vlans, new_vlans = set(a.vlans), set(b.vlans)
    return (
        *_removed_members(a, b),
        *(RemoveInterface(key) for key in b.gone_interfaces),
        *(Unassign(x.network, x.server) for x in a.assignments if b.assignment(x.network, x.server) is None),
        *(DeleteVlan(vlan.server, vlan.name) for vlan in a.vlans if vlan not in new_vlans),
        *(DeleteNetwork(network.id) for network in a.networks if b.network(network.id) is None),
        *_networks(a, b),
        *(CreateVlan(v.server, v.name, v.base, v.vid) for v in b.vlans if v not in old_vlans),
        *(
            Assign(x.network, x.server, x.adapter)
            for x in b.assignments
            if (old := a.assignment(x.network, x.server)) is None or old.adapter != x.adapter
        ),
        *(AddInterface(new.interface, new.mac) for new in b.new_interfaces),
        *_added_members(a, b),
        *(
            AddAddress(change.interface, change.address)
            if change.is_wanted
            else RemoveAddress(change.interface, change.address)
            for change in b.address_changes
        ),
    )


def _changed_interfaces(a: Desired, b: Desired) -> set[InterfaceKey]:
    """Interfaces that leave a network; one that only joins another needs no removal."""
    return {member.interface for member in set(a.members) - set(b.members)}


def _removed_members(a: Desired, b: Desired) -> list[Edit]:
    return [RemoveMember(interface) for interface in sorted(_changed_interfaces(a, b))]


def _added_members(a: Desired, b: Desired) -> list[Edit]:
    removed, old = _changed_interfaces(a, b), set(a.members)
    return [
        AddMember(member.network, member.interface)
        for member in b.members
        if member.interface in removed or member not in old
    ]


def _networks(a: Desired, b: Desired) -> list[Edit]:
    edits: list[Edit] = []
    for network in b.networks:
        old = a.network(network.id)
        if old is None:
            edits.append(CreateNetwork(network.id, network.name, network.description))
        elif (old.name, old.description) != (network.name, network.description):
            edits.append(DescribeNetwork(network.id, network.name, network.description))
    return edits


def describe(edits: Sequence[Edit], before: Desired, inventory: Inventory) -> tuple[str, ...]:
    """The edits as sentences, in the manual's words. A move (removed, added elsewhere) is one sentence."""
    return tuple(sentence for sentence, _ in described(edits, before, inventory))


def described(
    edits: Sequence[Edit], before: Desired, inventory: Inventory
) -> tuple[tuple[str, tuple[Edit, ...]], ...]:
    """Each sentence with the edits that it tells: one, or the two of a move."""
    names = _Names(edits, before)
    added = grouped((e for e in edits if isinstance(e, AddMember)), lambda e: e.interface)
    removed = {e.interface for e in edits if isinstance(e, RemoveMember)}
    lines: list[tuple[str, tuple[Edit, ...]]] = []
    for edit in edits:
        if isinstance(edit, AddMember) and edit.interface in removed and _old_homes(edit.interface, before):
            continue
        if isinstance(edit, RemoveMember) and edit.interface in added:
            lines.extend(_moves(edit, added[edit.interface], before, names, inventory))
        else:
            lines.append((_sentence(edit, before, names, inventory), (edit,)))
    return tuple(lines)


def _old_homes(interface: InterfaceKey, before: Desired) -> list[NetworkId]:
    return [member.network for member in before.memberships(interface)]


def _moves(
    removed: RemoveMember, added: list[AddMember], before: Desired, names: _Names, inventory: Inventory
) -> list[tuple[str, tuple[Edit, ...]]]:
    old = _old_homes(removed.interface, before)
    what = words.interface(removed.interface, inventory)
    source = words.listed([names.network(network) for network in old])
    return [
        (f"Move {what} from {source} to {names.network(edit.network)}.", (removed, edit))
        for edit in added
        if old and edit.network not in old
    ]


class _Names:
    """Names of networks as the sentences need them: of `before`, or as the edits give them."""

    def __init__(self, edits: Iterable[Edit], before: Desired) -> None:
        self.before = before
        self.created = {edit.id: edit.name for edit in edits if isinstance(edit, CreateNetwork)}

    def network(self, network: NetworkId) -> str:
        if network in self.created:
            return f"Virtual Network {self.created[network]}"
        return words.network(network, self.before)


def _sentence(edit: Edit, before: Desired, names: _Names, inventory: Inventory) -> str:
    match edit:
        case CreateNetwork(_, name):
            return f"Create Virtual Network {name}."
        case DescribeNetwork(id, name, description):
            return _described(id, name, description, before)
        case DeleteNetwork(id):
            return f"Delete {names.network(id)}."
        case Assign(network, server, None):
            return f"Make {names.network(network)} local on {words.server(server, inventory)}."
        case Assign(network, server, adapter):
            key = AdapterKey(server, adapter or "")
            return f"Assign {names.network(network)} to {words.adapter(key, inventory)}."
        case Unassign(network, server):
            where = words.server(server, inventory)
            return f"Take back the assignment of {names.network(network)} on {where}."
        case AddMember(network, interface):
            return f"Add {words.interface(interface, inventory)} to {names.network(network)}."
        case RemoveMember(interface):
            old = [names.network(network) for network in _old_homes(interface, before)]
            what = words.interface(interface, inventory)
            return f"Remove {what} from {words.listed(old) or 'its Virtual Network'}."
        case CreateVlan(server, name, base, vid):
            where = words.server(server, inventory)
            return f"Create VLAN adapter {name} with VLAN id {vid} on {base} of {where}."
        case DeleteVlan(server, name):
            return f"Delete VLAN adapter {name} of {words.server(server, inventory)}."
        case AddInterface(interface, mac):
            what = words.container(ContainerKey(interface.server, interface.ctid), inventory)
            named = f" with MAC address {mac}" if mac else ""
            return f"Add network adapter {interface.ifname}{named} to {what}."
        case RemoveInterface(interface):
            what = words.container(ContainerKey(interface.server, interface.ctid), inventory)
            return f"Remove network adapter {interface.ifname} from {what}."
        case AddAddress(interface, address):
            return f"Give {words.interface(interface, inventory)} the IP address {address}."
        case RemoveAddress(interface, address):
            return f"Take the IP address {address} from {words.interface(interface, inventory)}."


def _described(network: NetworkId, name: str, description: str, before: Desired) -> str:
    old = before.network(network)
    if old is None or (old.name != name and old.description != description):
        return f"Rename {words.network(network, before)} to {name} and change its description."
    if old.name != name:
        return f"Rename {words.network(network, before)} to {name}."
    return f"Change the description of {words.network(network, before)}."
