"""Undoing one decided Change while later ones stay. Pure.

Each thing that a Change has changed (a network's name and description, an assignment, a membership, a VLAN
adapter) goes back to what it was, if it still is what the Change made of it. What was changed again since is
left alone and told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from networks.domain.diff import edits_between
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
    NetworkId,
    RemoveMember,
    ServerId,
    Unassign,
    apply_edits,
)


@dataclass(frozen=True, slots=True)
class NetworkItem:
    id: NetworkId


@dataclass(frozen=True, slots=True)
class AssignmentItem:
    network: NetworkId
    server: ServerId


@dataclass(frozen=True, slots=True)
class MemberItem:
    interface: InterfaceKey


@dataclass(frozen=True, slots=True)
class VlanItem:
    server: ServerId
    name: str


Item = NetworkItem | AssignmentItem | MemberItem | VlanItem
Value = tuple[str, str] | tuple[str | None] | tuple[str] | tuple[str, int]
"""By kind: (name, description), (adapter or None for local,), (network,), (base, VLAN id)."""


@dataclass(frozen=True, slots=True)
class Reverted:
    """How a Change is undone today: `edits` on top of today's state.

    Undoing edits that are not among them: what they name was changed again since (`conflicts`), or is as it
    was before already (`undone`).
    """

    edits: tuple[Edit, ...] = ()
    conflicts: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()


def items(state: Desired) -> dict[Item, Value]:
    """Everything that edits can change, each with its value; bridge names are not edited."""
    found: dict[Item, Value] = {NetworkItem(n.id): (n.name, n.description) for n in state.networks}
    found |= {AssignmentItem(a.network, a.server): (a.adapter,) for a in state.assignments}
    found |= {MemberItem(m.interface): (m.network,) for m in state.members}
    found |= {VlanItem(v.server, v.name): (v.base, v.vid) for v in state.vlans}
    return found


def revert(steps: Iterable[tuple[Desired, Desired]], today: Desired) -> Reverted:
    """The edits that undo a Change today. `steps`: the states before and after each of its decisions."""
    before: dict[Item, Value | None] = {}
    after: dict[Item, Value | None] = {}
    for old_state, new_state in steps:
        old, new = items(old_state), items(new_state)
        for item in {**old, **new}:
            if old.get(item) != new.get(item):
                before.setdefault(item, old.get(item))
                after[item] = new.get(item)
    now = items(today)
    wanted: dict[Item, Edit] = {}
    conflicts, undone = [], []
    for item, value in before.items():
        present = now.get(item)
        if value == after[item]:
            continue
        edit = _edit(item, after[item], value)
        if present == value:
            undone.append(edit)
        elif present == after[item]:
            wanted[item] = edit
        else:
            conflicts.append(edit)
    there = {n.id for n in today.networks} | {e.id for e in wanted.values() if isinstance(e, CreateNetwork)}
    edits: list[Edit] = []
    for edit in wanted.values():
        # Its network was deleted since, by another Change.
        lost = isinstance(edit, Assign | AddMember) and edit.network not in there
        (conflicts if lost else edits).append(edit)
    return Reverted(_in_order(today, edits), tuple(conflicts), tuple(undone))


def _in_order(today: Desired, edits: list[Edit]) -> tuple[Edit, ...]:
    # An interface that goes back to another network leaves the one that it is in.
    moving = [RemoveMember(e.interface) for e in edits if isinstance(e, AddMember)]
    vlans = [DeleteVlan(e.server, e.name) for e in edits if isinstance(e, CreateVlan)]
    return edits_between(today, apply_edits(today, [*moving, *vlans, *edits]))


def _edit(item: Item, present: Value | None, wanted: Value | None) -> Edit:
    match item, wanted:
        case NetworkItem(id), (str(name), str(description)):
            if present is None:
                return CreateNetwork(id, name, description)
            return DescribeNetwork(id, name, description)
        case NetworkItem(id), _:
            return DeleteNetwork(id)
        case AssignmentItem(network, server), (str() | None as adapter,):
            return Assign(network, server, adapter)
        case AssignmentItem(network, server), _:
            return Unassign(network, server)
        case MemberItem(interface), (str(network),):
            return AddMember(network, interface)
        case MemberItem(interface), _:
            return RemoveMember(interface)
        case VlanItem(server, name), (str(base), int(vid)):
            return CreateVlan(server, name, base, vid)
        case VlanItem(server, name), _:
            return DeleteVlan(server, name)
    raise TypeError(item)
