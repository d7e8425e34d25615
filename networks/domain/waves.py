"""A Change over many servers in waves: who goes when, and which edits each wave decides. Pure.

A first server goes alone as canary, the others follow in waves of a chosen width. What edits say of a server
is decided with its wave, new and renamed networks with the first and deleted ones with the last. Every wave
ends in a state of its own, which must break no rule: one that would is joined with the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from networks.domain.inventory import Inventory
from networks.domain.rules import breaks_between_servers
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
    RemoveAddress,
    RemoveInterface,
    RemoveMember,
    ServerId,
    Unassign,
    apply_edits,
)

ALL_AT_ONCE = 0
FEW = 5
"""So many servers go all at once unless asked otherwise: they are decided together, all or none."""
USUAL_WIDTH = 20
WIDTHS = (5, 10, USUAL_WIDTH, 50)
MOST = 50
"""The widest wave: its first server must not run out of time before its last is verified."""


def default_width(servers: int) -> int:
    """Few servers are one wave; more go behind a canary."""
    if servers <= FEW:
        return ALL_AT_ONCE
    return max(width for width in widths_offered(servers) if width <= USUAL_WIDTH)


def widths_offered(servers: int) -> tuple[int, ...]:
    """Widths that differ for so many servers; all at once only for as many as one wave may have."""
    whole = (ALL_AT_ONCE,) if servers <= MOST else ()
    narrow = [width for width in WIDTHS if width == min(WIDTHS) or width < servers - 1]
    return (*whole, *narrow) if servers > 1 else whole


def server_of(edit: Edit) -> ServerId | None:
    """The server that the edit is about; None for a network's name and its end."""
    match edit:
        case CreateNetwork() | DescribeNetwork() | DeleteNetwork():
            return None
        case Assign(server=server) | Unassign(server=server):
            return server
        case CreateVlan(server=server) | DeleteVlan(server=server):
            return server
        case AddMember(interface=interface) | RemoveMember(interface=interface):
            return interface.server
        case AddInterface(interface=interface) | RemoveInterface(interface=interface):
            return interface.server
        case AddAddress(interface=interface) | RemoveAddress(interface=interface):
            return interface.server


def needs_the_server(edit: Edit) -> bool:
    """Whether the edit makes or does something there that desired alone does not tell of.

    Errands are done once, and a VLAN adapter must have been made before a network can be assigned to it: a
    server that is to come later cannot have these decided now.
    """
    return isinstance(edit, CreateVlan | AddInterface | RemoveInterface | AddAddress | RemoveAddress)


def edits_of_wave(
    edits: Iterable[Edit], wave: int, wave_of: Mapping[ServerId, int], last: int
) -> tuple[Edit, ...]:
    """The edits that the wave decides, in their order; waves count from 1 to `last`.

    Servers that are in no wave are as the edits want them already: that is written down with the first.
    """

    def belongs(edit: Edit) -> int:
        if isinstance(edit, DeleteNetwork):
            return last
        server = server_of(edit)
        return 1 if server is None else wave_of.get(server, 1)

    return tuple(edit for edit in edits if belongs(edit) == wave)


def waves(
    edits: Sequence[Edit],
    before: Desired,
    servers: Sequence[ServerId],
    width: int,
    inventory: Inventory,
    left_out: Collection[ServerId] = (),
) -> tuple[tuple[ServerId, ...], ...]:
    """The waves of the servers, in whose order the first is the canary; at least one, which may be empty.

    `left_out` are decided with the last wave and take part in none. Where going the other way round needs
    fewer waves to be joined (a network that becomes local leaves its other servers first), that is done.
    """
    if width == ALL_AT_ONCE or len(servers) < 2:
        return (tuple(servers),)
    straight = _joined(edits, before, _cut(servers, width), inventory, left_out)
    if max(map(len, straight)) <= width:
        return straight
    reverse = _joined(edits, before, _cut(tuple(reversed(servers)), width), inventory, left_out)
    return min(straight, reverse, key=lambda found: max(map(len, found)))


def _cut(servers: Sequence[ServerId], width: int) -> list[tuple[ServerId, ...]]:
    first, *rest = servers
    return [(first,), *(tuple(rest[at : at + width]) for at in range(0, len(rest), width))]


def _joined(
    edits: Sequence[Edit],
    before: Desired,
    cut: list[tuple[ServerId, ...]],
    inventory: Inventory,
    left_out: Collection[ServerId],
) -> tuple[tuple[ServerId, ...], ...]:
    last = len(cut)
    wave_of = {server: number for number, wave in enumerate(cut, 1) for server in wave}
    wave_of |= dict.fromkeys(left_out, last)
    joined: list[tuple[ServerId, ...]] = []
    waiting: tuple[ServerId, ...] = ()
    pending: tuple[Edit, ...] = ()
    state = before
    for number, wave in enumerate(cut, 1):
        waiting += wave
        pending += edits_of_wave(edits, number, wave_of, last)
        if number < last and breaks_between_servers(state, pending, inventory):
            continue
        state = apply_edits(state, pending)
        joined.append(waiting)
        waiting, pending = (), ()
    return tuple(joined)
