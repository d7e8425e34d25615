"""Rules 4, 5, 9 and 13: what a virtual network may be assigned to."""

from __future__ import annotations

from networks.domain import words
from networks.domain.inventory import Inventory, NetworkRef, ServerRef
from networks.domain.rules.problem import Problem
from networks.domain.state import AdapterKey, Assignment, Desired, grouped
from networks.domain.wires import adapter_wanted, adoptions

UNFIT_BOND_MODES = {0: "balance-rr", 5: "balance-tlb", 6: "balance-alb"}
"""Bonding modes that rewrite or scatter source MACs, so that a bridge on them learns wrong ports
(Linux Documentation/networking/bonding.rst)."""


def adapter_is_in_one_network(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 4: any interface of a server is assigned to only one network (the manual's note)."""
    problems = []
    for key, found in _by_adapter(after).items():
        ids = tuple(sorted({assignment.network for assignment in found}))
        if len(ids) > 1:
            problems.append(
                Problem(
                    "adapter-taken",
                    "refuse",
                    f"{words.sentence(words.adapter(key, inventory))} would be assigned to "
                    f"{words.networks(ids, after, before)}; it can be assigned to one only.",
                    (*map(NetworkRef, ids), key),
                    "Use another network adapter, or create a VLAN adapter.",
                )
            )
    return problems


def adapters_of_one_bridge_are_in_one_network(
    before: Desired, after: Desired, inventory: Inventory
) -> list[Problem]:
    """Rule 4 where a bridge made by others holds two adapters: adopting it for two networks joins them."""
    problems = []
    users = grouped(adoptions(before, after, inventory), lambda a: (a[0].server, a[1]))
    for (server, bridge), found in users.items():
        ids = tuple(sorted({assignment.network for assignment, _ in found}))
        keys = sorted({AdapterKey(server, a.adapter) for a, _ in found if a.adapter})
        if len(ids) > 1 and len(keys) > 1:
            problems.append(
                Problem(
                    "bridge-shared",
                    "refuse",
                    f"{words.listed([key.name for key in keys])} are both in bridge {bridge} of "
                    f"{words.server(server, inventory)}, so {words.networks(ids, after, before)} would "
                    "be one network there.",
                    (*map(NetworkRef, ids), *keys),
                    f"Assign only one of them, or take a network adapter out of {bridge} first.",
                )
            )
    return problems


def one_assignment_per_server(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 5: a network has at most one assignment on a server."""
    problems = []
    for (network, server), found in grouped(after.assignments, lambda a: (a.network, a.server)).items():
        if len(found) > 1:
            names = words.listed(sorted(a.adapter or "local" for a in found))
            problems.append(
                Problem(
                    "assigned-twice",
                    "refuse",
                    f"{words.network(network, after)} would be assigned more than once on "
                    f"{words.server(server, inventory)}: {names}.",
                    (NetworkRef(network), ServerRef(server)),
                    "Keep one of them.",
                )
            )
    return problems


def adapter_exists(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """An assigned adapter is one that the last look saw, or a VLAN adapter that the same draft makes."""
    problems = []
    for key, found in _by_adapter(after).items():
        deleted = any(v.name == key.name for v in before.vlans_on(key.server))
        if adapter_wanted(key, before, after, inventory) is None and not deleted:
            ids = tuple(sorted({assignment.network for assignment in found}))
            problems.append(
                Problem(
                    "adapter-gone",
                    "refuse",
                    f"{words.sentence(words.adapter(key, inventory))} does not exist, or not any more; "
                    f"{words.networks(ids, after, before)} cannot be assigned to it.",
                    (*map(NetworkRef, ids), key),
                    "Choose another network adapter, or look at the server again.",
                )
            )
    return problems


def adapter_can_be_bridged(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 9: bond slaves are not assigned, and bonds of modes 0, 5 and 6 not bridged."""
    problems = []
    for key, found in _by_adapter(after).items():
        view = adapter_wanted(key, before, after, inventory)
        if view is None:
            continue
        ids = tuple(sorted({assignment.network for assignment in found}))
        base = inventory.adapter(AdapterKey(key.server, view.base)) if view.kind == "vlan" else view
        mode = base.bond_mode if base else None
        name = words.sentence(words.adapter(key, inventory))
        if view.is_slave:
            code, hint = "bond-slave", "Assign the bond instead."
            text = (
                f"{name} is a slave of a bond; {words.networks(ids, after, before)} cannot be assigned to it."
            )
        elif mode in UNFIT_BOND_MODES:
            code, hint = "bond-mode", "Use a bond of mode 1, 2, 3 or 4, or another network adapter."
            text = (
                f"{name} works in bonding mode {mode} ({UNFIT_BOND_MODES[mode]}), which cannot be bridged to "
                f"{words.networks(ids, after, before)}: its frames change their source address."
            )
        else:
            continue
        problems.append(Problem(code, "refuse", text, (*map(NetworkRef, ids), key), hint))
    return problems


def windows_servers_are_only_shown(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 9: nothing is changed on a Windows server; its adapters are displayed (the manual's note)."""
    problems = []
    for server in inventory.servers:
        if server.os != "windows":
            continue
        ids = after.networks_on(server.id)
        vlans = tuple(sorted(AdapterKey(server.id, vlan.name) for vlan in after.vlans_on(server.id)))
        if ids or vlans or after.errands_on(server.id):
            problems.append(
                Problem(
                    "windows-server",
                    "refuse",
                    f"{words.sentence(words.server(server.id, inventory))} runs Windows: the panel shows its "
                    "network adapters but changes nothing on it.",
                    (ServerRef(server.id), *map(NetworkRef, sorted(ids)), *vlans),
                    "Set up VLANs and bridges there with Windows' own or third-party tools.",
                )
            )
    return problems


def server_is_registered(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Assignments, members and VLAN adapters name registered servers."""
    named = {a.server for a in after.assignments} | {m.interface.server for m in after.members}
    named |= {vlan.server for vlan in after.vlans} | after.errand_servers
    return [
        Problem(
            "no-such-server",
            "refuse",
            "A physical server is named that is not registered.",
            (ServerRef(server),),
            "Register the server, or remove what names it.",
        )
        for server in sorted(named)
        if inventory.server(server) is None
    ]


def tags_stay_out_of_containers(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 13: containers on a NIC whose VLANs are used see and send tagged frames if nobody filters them.

    Where the kernel can, bridges of the panel do; those that it has adopted stay as they were made.
    """
    problems = []
    adopted = {(a.network, a.server): bridge for a, bridge in adoptions(before, after, inventory)}
    passing = {(view.server, view.name) for view in inventory.bridge_views if view.filters_tags is False}
    for assignment in after.assignments:
        server = inventory.server(assignment.server)
        bridge = adopted.get((assignment.network, assignment.server), "")
        if (assignment.server, bridge) in passing:
            can, why = "send", f"bridge {bridge}, which the panel did not make, passes them"
        elif server is not None and server.filters_tags is False:
            can, why = "see and send", "the kernel cannot keep them out"
        else:
            continue
        if assignment.adapter is None or not after.members_of(assignment.network, assignment.server):
            continue
        key = AdapterKey(assignment.server, assignment.adapter)
        vlans = {v.name for v in inventory.vlans_on(key)} - {v.name for v in before.vlans_on(key.server)}
        vlans |= {v.name for v in after.vlans_on(key.server) if v.base == key.name}
        if vlans:
            problems.append(
                Problem(
                    "tag-leak",
                    "warn",
                    f"Containers of {words.network(assignment.network, after)} on "
                    f"{words.adapter(key, inventory)} can {can} frames of its VLAN adapters "
                    f"({words.listed(sorted(vlans))}): {why}.",
                    (
                        NetworkRef(assignment.network),
                        key,
                        *(AdapterKey(key.server, v) for v in sorted(vlans)),
                    ),
                    "Use a network adapter without VLANs for these Containers, or a bridge that filters "
                    "VLANs (kernel 3.9 or newer).",
                )
            )
    return problems


def _by_adapter(state: Desired) -> dict[AdapterKey, list[Assignment]]:
    return grouped(
        (a for a in state.assignments if a.adapter is not None),
        lambda a: AdapterKey(a.server, a.adapter or ""),
    )
