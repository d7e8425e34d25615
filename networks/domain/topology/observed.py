"""What the last looks found, told as a desired state: so that one way of drawing shows both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from networks.domain.inventory import Inventory
from networks.domain.state import (
    AdapterKey,
    Assignment,
    Desired,
    Member,
    NetworkId,
    ServerId,
    VlanAdapter,
)


def observed_state(decided: Desired, inventory: Inventory) -> Desired:
    """Members and assignments as they are on the servers now, of the networks that are decided.

    An interface is where its host side is; of a container that does not run, where vzctl will put it.
    """
    owners = _owners(decided, inventory)
    members = []
    for view in inventory.interfaces:
        if view.gone or view.mode != "bridged":
            continue
        bridge = view.bridge if view.container_status == "running" else view.configured_bridge
        network = owners.get((view.key.server, bridge))
        if network is not None:
            members.append(Member(network, view.key))
    held = {
        (view.server, view.bridge): view.name for view in inventory.adapters if view.bridge and not view.gone
    }
    assignments = tuple(
        Assignment(network, server, held.get((server, bridge)), bridge)
        for (server, bridge), network in sorted(owners.items())
        if (server, bridge) in inventory.bridges
    )
    return Desired(decided.networks, assignments, tuple(members), decided.vlans)


def comparable_state(decided: Desired, inventory: Inventory, put_right: Collection[ServerId] = ()) -> Desired:
    """What was found, told as `decided` would tell it: the two compare, and edits can be laid over it.

    Of the servers `put_right` it is what was decided, as a repair leaves them.
    """
    found = observed_state(decided, inventory)
    made = {network.id: network.bridge for network in decided.networks}
    # Only a bridge that the panel did not make is named by its assignment.
    assignments = (replace(a, bridge="") if a.bridge == made.get(a.network) else a for a in found.assignments)
    vlans = (there for vlan in decided.vlans if (there := _vlan_found(vlan, inventory)) is not None)
    right = frozenset(put_right)
    return replace(
        decided,
        assignments=(
            *(a for a in assignments if a.server not in right),
            *(a for a in decided.assignments if a.server in right),
        ),
        members=(
            *(m for m in found.members if m.interface.server not in right),
            *(m for m in decided.members if m.interface.server in right),
        ),
        vlans=(
            *(v for v in vlans if v.server not in right),
            *(v for v in decided.vlans if v.server in right),
        ),
    )


def _vlan_found(vlan: VlanAdapter, inventory: Inventory) -> VlanAdapter | None:
    view = inventory.adapter(AdapterKey(vlan.server, vlan.name))
    if view is None or view.gone or view.vid is None:
        return None
    return replace(vlan, base=view.base, vid=view.vid)


def _owners(decided: Desired, inventory: Inventory) -> dict[tuple[ServerId, str], NetworkId]:
    """Bridges on servers to the networks that they are: made by the panel, or adopted."""
    by_name = {network.bridge: network.id for network in decided.networks if network.bridge}
    owners = {(s, name): by_name[name] for s, name in inventory.bridges if name in by_name}
    for assignment in decided.assignments:
        if assignment.bridge:
            owners[assignment.server, assignment.bridge] = assignment.network
        elif assignment.adapter:
            view = inventory.adapter(AdapterKey(assignment.server, assignment.adapter))
            if view is not None and view.bridge and (view.server, view.bridge) not in owners:
                owners[view.server, view.bridge] = assignment.network
    return owners
