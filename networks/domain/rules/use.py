"""Rule 9: things in use are not deleted; the message lists the users."""

from __future__ import annotations

from networks.domain import words
from networks.domain.inventory import Inventory, NetworkRef, ServerRef, Subject
from networks.domain.rules.problem import Problem
from networks.domain.state import AdapterKey, Desired, NetworkId, ServerId


def network_in_use_stays(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """A network with members or assignments is not deleted, and none is used that does not exist."""
    used = {a.network for a in after.assignments} | {m.network for m in after.members}
    problems = []
    for network_id in sorted(used):
        if after.network(network_id) is not None:
            continue
        subjects, users = _users(network_id, after, inventory)
        if before.network(network_id) is not None:
            code, hint = "network-in-use", "Remove its Containers and assignments first."
            text = f"{words.network(network_id, before)} cannot be deleted: it has {words.listed(users)}."
        else:
            code, hint = "no-such-network", "Discard this edit."
            text = f"The Virtual Network does not exist, or not any more, for {words.listed(users)}."
        problems.append(Problem(code, "refuse", text, (NetworkRef(network_id), *subjects), hint))
    return problems


def _users(network_id: NetworkId, state: Desired, inventory: Inventory) -> tuple[list[Subject], list[str]]:
    members = sorted(member.interface for member in state.members_of(network_id))
    assignments = sorted(state.assignments_of(network_id), key=lambda a: a.server)
    users = [words.interface(key, inventory) for key in members]
    users += [
        words.adapter(AdapterKey(a.server, a.adapter), inventory)
        if a.adapter
        else f"a local assignment on {words.server(a.server, inventory)}"
        for a in assignments
    ]
    return [*members, *(ServerRef(a.server) for a in assignments)], users


def server_in_use(server: ServerId, state: Desired, inventory: Inventory) -> list[Problem]:
    """A server with assignments, members or VLAN adapters of the panel is not removed."""
    ids = sorted(state.networks_on(server))
    vlans = sorted(AdapterKey(server, vlan.name) for vlan in state.vlans_on(server))
    if not ids and not vlans:
        return []
    users = [words.network(network_id, state) for network_id in ids]
    users += [f"VLAN adapter {key.name}" for key in vlans]
    return [
        Problem(
            "server-in-use",
            "refuse",
            f"{words.sentence(words.server(server, inventory))} cannot be removed: "
            f"it has {words.listed(users)}.",
            (ServerRef(server), *map(NetworkRef, ids), *vlans),
            "Remove its Containers and assignments from the Virtual Networks first.",
        )
    ]
