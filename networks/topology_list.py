"""Servers in words, a page at a time: what the topology shows where there are too many to draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from networks.domain.state import Desired, NetworkId, ServerId
from networks.domain.topology.build import natural
from networks.offers import network_names
from networks.slices import Drafted, SeenAdapter, on_servers
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class NetworkLine:
    """A virtual network on one server: "on eth0" or "local", and what the draft does to that."""

    id: str
    name: str
    where: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class AdapterLine:
    """A network adapter in words: "eth0", "eth1 (down)", "eth1.200 (to be made)"."""

    name: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One server with its networks by name and its adapters."""

    server: PhysicalServer
    networks: tuple[NetworkLine, ...]
    adapters: tuple[AdapterLine, ...]


def server_lines(
    servers: Sequence[PhysicalServer], view: Literal["draft", "desired"], user: AnyUser
) -> list[ServerLine]:
    """Those servers as decided, or as the user's draft would have them. One query."""
    part = on_servers([server.pk for server in servers], user)
    after = part.drafted if view == "draft" else part.decided
    names = network_names(after, part.decided)
    return [
        ServerLine(
            server,
            tuple(_networks(part.decided, after, server.pk, names)),
            tuple(_with_drafted(part.adapters.get(server.pk, []), part, after, server.pk)),
        )
        for server in servers
    ]


def _networks(
    before: Desired, after: Desired, server: ServerId, names: Mapping[NetworkId, str]
) -> list[NetworkLine]:
    here, was = after.networks_on(server), before.networks_on(server)
    found = []
    for network in dict.fromkeys((*here, *was)):
        where = _where(after if network in here else before, network, server)
        mark = ""
        if network not in was:
            mark = "new"
        elif network not in here:
            mark = "removed"
        elif where != _where(before, network, server):
            mark = "changed"
        found.append(NetworkLine(network, names.get(network, ""), where, mark))
    return sorted(found, key=lambda line: line.name.casefold())


def _where(state: Desired, network: NetworkId, server: ServerId) -> str:
    assignment = state.assignment(network, server)
    return f"on {assignment.adapter}" if assignment and assignment.adapter else "local"


def _with_drafted(
    seen: Iterable[SeenAdapter], part: Drafted, after: Desired, server: ServerId
) -> list[AdapterLine]:
    lines = [
        AdapterLine(one.name, "down" if not one.is_up else "" if one.has_carrier else "no link")
        for one in seen
    ]
    there = {line.name for line in lines}
    decided = {vlan.name for vlan in part.decided.vlans_on(server)}
    more = [
        AdapterLine(vlan.name, "not found" if vlan.name in decided else "to be made")
        for vlan in after.vlans_on(server)
        if vlan.name not in there
    ]
    return sorted([*lines, *more], key=lambda line: natural(line.name))
