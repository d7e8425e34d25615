"""Rules 7, 8, 10 and 11: whether a network is one network, no more and no less, across servers."""

from __future__ import annotations

from networks.domain import words
from networks.domain.inventory import AdapterView, ContainerKey, Inventory, NetworkRef, ServerRef, Subject
from networks.domain.rules.problem import Problem
from networks.domain.state import AdapterKey, Desired, ServerId
from networks.domain.wires import (
    InsideBridge,
    Joint,
    NetworkHere,
    Wire,
    adapter_wanted,
    layer2,
    subjects_of,
    wire_name,
    wire_of,
)


def local_network_is_on_one_server(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 7: local is possible only while the members are on one server (the manual, step 3)."""
    problems = []
    for network in after.networks:
        homes = {member.interface.server for member in after.members_of(network.id)}
        if len(homes) < 2:
            continue
        local = sorted(s for s in after.servers_of(network.id) if _is_local(network.id, s, after))
        if local:
            names = words.listed([words.server(server, inventory) for server in local])
            problems.append(
                Problem(
                    "partitioned",
                    "refuse",
                    f"{words.network(network.id, after)} has Containers on {len(homes)} physical servers but "
                    f"is local on {names}: Containers there cannot reach the others.",
                    (NetworkRef(network.id), *map(ServerRef, local)),
                    "Assign it to a network adapter there, or keep its Containers on one physical server.",
                )
            )
    return problems


def no_ring_through_containers(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 8: no ring closes through a bridge inside a container; frames would circle in it for ever."""
    if not any(container.joined for container in inventory.containers):
        return []
    problems = []
    for ring in layer2(before, after, inventory).rings():
        insides = {node for joint in ring for node in (joint.a, joint.b) if isinstance(node, InsideBridge)}
        if not insides:
            continue
        containers = sorted({ContainerKey(inside.server, inside.ctid) for inside in insides})
        names = words.listed([words.container(key, inventory) for key in containers])
        ids = sorted({n.network for j in ring for n in (j.a, j.b) if isinstance(n, NetworkHere)})
        joined = words.networks(ids, after, before) if ids else "bridges"
        problems.append(
            Problem(
                "ring",
                "refuse",
                f"{words.sentence(names)} {'joins' if len(containers) == 1 else 'join'} {joined} by a bridge "
                f"inside, and {_closed_by(ring, inventory)}: frames would circle without end.",
                subjects_of(ring),
                "Keep one of the networks local or on another wire, take an interface out, or remove the "
                "bridge inside the Container.",
            )
        )
    return problems


def _closed_by(ring: tuple[Joint, ...], inventory: Inventory) -> str:
    adapters = sorted({joint.by for joint in ring if isinstance(joint.by, AdapterKey)})
    if not adapters:
        return "they are joined more than once"
    return f"{words.listed([words.adapter(key, inventory) for key in adapters])} join them a second time"


def adapters_share_a_wire(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 10: a network's adapters on its servers are on one segment and VLAN id, or it is split."""
    problems = []
    for network in after.networks:
        views = _assigned(network.id, before, after, inventory)
        if len({view.server for view in views}) < 2:
            continue
        wires = [(view, wire_of(view, inventory)) for view in views]
        unknown = [view for view, wire in wires if wire is None]
        name = words.network(network.id, after)
        if len({wire for _, wire in wires if wire is not None}) > 1:
            on: dict[Wire, list[AdapterView]] = {}
            for view, wire in wires:
                if wire is not None:
                    on.setdefault(wire, []).append(view)
            parts = "; ".join(
                f"{words.listed([words.adapter(v.key, inventory) for v in group], 3)} "
                f"on {wire_name(wire, group[0], inventory)}"
                for wire, group in sorted(on.items())
            )
            problems.append(
                Problem(
                    "split",
                    "warn",
                    f"{name} is split: its network adapters are not on one wire ({parts}).",
                    _subjects(network.id, views),
                    "Assign it to adapters of one physical segment and one VLAN id.",
                )
            )
        if unknown:
            names = words.listed([words.adapter(view.key, inventory) for view in unknown])
            problems.append(
                Problem(
                    "segment-unknown",
                    "warn",
                    f"Whether {name} is one network is unknown: so is the physical segment of {names}.",
                    _subjects(network.id, unknown),
                    "Say on which physical segment the network adapter is.",
                )
            )
    return problems


def wires_carry_one_network(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 11: two networks on the same segment and VLAN id are one network on the wire."""
    users: dict[Wire, dict[str, list[AdapterView]]] = {}
    for network in after.networks:
        for view in _assigned(network.id, before, after, inventory):
            wire = wire_of(view, inventory)
            if wire is not None:
                users.setdefault(wire, {}).setdefault(network.id, []).append(view)
    problems = []
    for wire, by_network in sorted(users.items()):
        if len(by_network) > 1:
            ids = sorted(by_network)
            views = [view for group in by_network.values() for view in group]
            problems.append(
                Problem(
                    "merged",
                    "warn",
                    f"{words.networks(ids, after)} are one network: their network adapters are all on "
                    f"{wire_name(wire, views[0], inventory)}.",
                    (*map(NetworkRef, ids), *sorted({view.key for view in views})),
                    "Use VLAN adapters with different ids to keep them apart.",
                )
            )
    return problems


def _is_local(network_id: str, server: ServerId, state: Desired) -> bool:
    assignment = state.assignment(network_id, server)
    return assignment is None or assignment.adapter is None


def _assigned(network_id: str, before: Desired, after: Desired, inventory: Inventory) -> list[AdapterView]:
    keys = [AdapterKey(a.server, a.adapter) for a in after.assignments_of(network_id) if a.adapter]
    views = (adapter_wanted(key, before, after, inventory) for key in sorted(keys))
    return [view for view in views if view is not None]


def _subjects(network_id: str, views: list[AdapterView]) -> tuple[Subject, ...]:
    return (NetworkRef(network_id), *(view.key for view in views))
