"""What a run asks for: one to three random edits of what is decided, on one or two servers of the lab."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Collection, Sequence

from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteVlan,
    Desired,
    Edit,
    InterfaceKey,
    RemoveMember,
    Unassign,
    VlanAdapter,
)

HOMES = {"server1": ("102", "103"), "server2": ("203", "204"), "server3": ("303",)}
"""The containers whose first interface comes and goes, by server."""
VID = 100


def network_id(name: str) -> str:
    """The id of the run's network of that name, the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.chaos"))


def first(servers: dict[str, int]) -> list[Edit]:
    """Two networks for each server: one for its NIC, one for its VLAN. Nothing is on a server yet."""
    return [
        CreateNetwork(network_id(f"{kind} {name}"), f"{kind} {name}") for name in servers for kind in "AD"
    ]


def draw_servers(dice: random.Random, servers: Collection[str]) -> list[str]:
    """The servers of a run."""
    return dice.sample(sorted(servers), dice.choice([1, 1, 2]))


def draw(dice: random.Random, state: Desired, servers: dict[str, int], names: list[str]) -> list[Edit]:
    """Edits that touch these servers, by what is decided there now."""
    kinds: list[Callable[[str, int, Desired, random.Random], list[Edit]]] = [_nic, _member, _member, _vlan]
    edits: list[Edit] = []
    for name in names:
        for kind in dice.sample(kinds, dice.choice([1, 1, 2])):
            new = kind(name, servers[name], state, dice)
            edits += [edit for edit in new if edit not in edits]
    return edits


def moves_an_address(edits: Sequence[Edit]) -> bool:
    """Whether the servers' own addresses move: such a Change is under way for some seconds longer."""
    return any(
        (isinstance(edit, Assign) and edit.adapter == "eth0")
        or (isinstance(edit, Unassign) and edit.network == network_id(f"A {name}"))
        for edit in edits
        for name in HOMES
    )


def _nic(name: str, server: int, state: Desired, dice: random.Random) -> list[Edit]:
    """The server's only NIC into the network's bridge, or out of it: the address of the server moves."""
    network = network_id(f"A {name}")
    assignment = state.assignment(network, server)
    return [Unassign(network, server)] if assignment else [Assign(network, server, "eth0")]


def _member(name: str, server: int, state: Desired, dice: random.Random) -> list[Edit]:
    key = InterfaceKey(server, dice.choice(HOMES[name]), "eth0")
    if state.memberships(key):
        return [RemoveMember(key)]
    return [AddMember(network_id(f"A {name}"), key)]


def _vlan(name: str, server: int, state: Desired, dice: random.Random) -> list[Edit]:
    network, adapter = network_id(f"D {name}"), f"eth0.{VID}"
    if VlanAdapter(server, adapter, "eth0", VID) in state.vlans_on(server):
        return [Unassign(network, server), DeleteVlan(server, adapter)]
    return [CreateVlan(server, adapter, "eth0", VID), Assign(network, server, adapter)]
