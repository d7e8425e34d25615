"""The neighbourhood of one thing: what is joined to it by virtual networks, some steps far."""

from __future__ import annotations

from networks.domain.inventory import ContainerKey, NetworkRef, ServerRef
from networks.domain.state import Desired, Member, NetworkId, ServerId
from networks.domain.topology.build import Kept

Start = NetworkRef | ServerRef | ContainerKey

MOST_HOPS = 5


def around(start: Start, hops: int, *states: Desired, visible: frozenset[ServerId]) -> Kept:
    """The containers and networks within that many steps, of any of the states, on visible servers.

    Without a step: of a network its members, of a container its networks, of a server all that is on it.
    One step goes from a network to its members and on to their networks, or the other way round.
    """
    members = [m for state in states for m in state.members if m.interface.server in visible]
    networks, containers = _begin(start, members, states)
    for _ in range(hops):
        joined = {network for network, container in _links(members) if container in containers}
        reached = {container for network, container in _links(members) if network in networks | joined}
        networks, containers = networks | joined, containers | reached
    servers = {container.server for container in containers}
    servers |= {a.server for s in states for n in networks for a in s.assignments_of(n)} & visible
    if isinstance(start, ServerRef):
        servers.add(start.id)
        if hops == 0:
            servers = {start.id}
    if isinstance(start, ContainerKey):
        servers.add(start.server)
    return Kept(
        frozenset(servers & visible),
        # All that is on the server is drawn, members or not.
        frozenset(containers) if not isinstance(start, ServerRef) or hops else None,
        frozenset(networks) if not isinstance(start, ServerRef) or hops else None,
    )


def _begin(
    start: Start, members: list[Member], states: tuple[Desired, ...]
) -> tuple[set[NetworkId], set[ContainerKey]]:
    if isinstance(start, NetworkRef):
        return {start.id}, {c for n, c in _links(members) if n == start.id}
    if isinstance(start, ContainerKey):
        return {n for n, c in _links(members) if c == start}, {start}
    networks = {network for state in states for network in state.networks_on(start.id)}
    return networks, {c for _, c in _links(members) if c.server == start.id}


def _links(members: list[Member]) -> list[tuple[NetworkId, ContainerKey]]:
    return [(m.network, ContainerKey(m.interface.server, m.interface.ctid)) for m in members]
