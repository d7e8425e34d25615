"""Edits of what is not there change nothing; they are not passed over in silence."""

from __future__ import annotations

from collections.abc import Sequence

from networks.domain import words
from networks.domain.inventory import Inventory, NetworkRef, ServerRef
from networks.domain.rules.problem import Problem
from networks.domain.state import (
    AdapterKey,
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Desired,
    Edit,
    RemoveMember,
    Unassign,
)


def edits_meet_what_is_there(before: Desired, edits: Sequence[Edit], inventory: Inventory) -> list[Problem]:
    """Each edit, in its order, finds what it changes: a draft may be older than the newest state."""
    there = _There(before)
    problems = []
    for edit in edits:
        problem = there.missed(edit, inventory)
        if problem is not None:
            problems.append(problem)
        there.follow(edit)
    return problems


class _There:
    """What is there while the edits go by: sets only, so that long drafts stay quick."""

    def __init__(self, state: Desired) -> None:
        self.before = state
        self.networks = {network.id for network in state.networks}
        self.members = {member.interface for member in state.members}
        self.assigned = {(a.network, a.server) for a in state.assignments}
        self.vlans = {(vlan.server, vlan.name) for vlan in state.vlans}

    def follow(self, edit: Edit) -> None:
        match edit:
            case CreateNetwork(id):
                self.networks.add(id)
            case DeleteNetwork(id):
                self.networks.discard(id)
            case Assign(network, server):
                self.assigned.add((network, server))
            case Unassign(network, server):
                self.assigned.discard((network, server))
            case AddMember(_, interface):
                self.members.add(interface)
            case RemoveMember(interface):
                self.members.discard(interface)
            case CreateVlan(server, name):
                self.vlans.add((server, name))
            case DeleteVlan(server, name):
                self.vlans.discard((server, name))

    def missed(self, edit: Edit, inventory: Inventory) -> Problem | None:
        match edit:
            case CreateNetwork(id) if id in self.networks:
                name = words.network(id, self.before)
                return _refusal("network-exists", f"{name} has been created already.", NetworkRef(id))
            case DescribeNetwork(id) | DeleteNetwork(id) if id not in self.networks:
                text = "The Virtual Network does not exist any more: somebody deleted it."
                return _refusal("no-such-network", text, NetworkRef(id))
            case Unassign(network, server) if (network, server) not in self.assigned:
                where = words.server(server, inventory)
                text = (
                    f"{words.network(network, self.before)} is not assigned on {where}: nothing to take back."
                )
                return Problem("not-assigned", "warn", text, (NetworkRef(network), ServerRef(server)))
            case RemoveMember(interface) if interface not in self.members:
                text = f"{words.sentence(words.interface(interface, inventory))} is in no Virtual Network."
                return Problem("not-a-member", "warn", text, (interface,))
            case DeleteVlan(server, name) if (server, name) not in self.vlans:
                return _foreign_vlan(AdapterKey(server, name), inventory)
        return None


def _foreign_vlan(key: AdapterKey, inventory: Inventory) -> Problem:
    view = inventory.adapter(key)
    if view is None or view.gone:
        text = f"VLAN adapter {words.adapter(key, inventory)} does not exist any more."
        return Problem("no-such-vlan", "warn", text, (key,))
    text = (
        f"{words.sentence(words.adapter(key, inventory))} was not made by the panel, which leaves it alone."
    )
    return Problem("vlan-foreign", "refuse", text, (key,), "Delete it with the tool that made it.")


def _refusal(code: str, text: str, subject: NetworkRef) -> Problem:
    return Problem(code, "refuse", text, (subject,), "Discard this edit.")
