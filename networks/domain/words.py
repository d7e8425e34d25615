"""How the panel's sentences name things: the manual's nouns, and nothing a reader may not see."""

from __future__ import annotations

from collections.abc import Sequence

from networks.domain.inventory import ContainerKey, Inventory
from networks.domain.state import AdapterKey, Desired, InterfaceKey, NetworkId, ServerId

_NOUNS = ("a ", "an ", "the ", "physical ", "other ", "bridge ")

MOST_NAMED = 5
"""A sentence names so many things and counts the rest."""


def listed(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """ "a", "a and b", "a, b and c", or the first few "and 7 more"."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def network(network_id: NetworkId, *states: Desired) -> str:
    """ "Virtual Network A", by the name in the first state that knows it."""
    for state in states:
        if found := state.network(network_id):
            return f"Virtual Network {found.name}"
    return "a Virtual Network that does not exist"


def networks(network_ids: Sequence[NetworkId], *states: Desired) -> str:
    """ "Virtual Network A", or "Virtual Networks A and B"."""
    if len(network_ids) == 1:
        return network(network_ids[0], *states)
    names = sorted(
        network(network_id, *states).removeprefix("Virtual Network ") for network_id in network_ids
    )
    return f"Virtual Networks {listed(names)}"


def server(server_id: ServerId, inventory: Inventory) -> str:
    """ "physical server node1"."""
    if server_id in inventory.hidden:
        return "a physical server that you may not see"
    found = inventory.server(server_id)
    return f"physical server {found.name}" if found else "a physical server that is not registered"


def adapter(key: AdapterKey, inventory: Inventory) -> str:
    """ "eth0 of physical server node1"."""
    if key.server in inventory.hidden:
        return "a network adapter of a physical server that you may not see"
    return f"{key.name} of {server(key.server, inventory)}"


def container(key: ContainerKey, inventory: Inventory) -> str:
    """ "Container 102 (web) on physical server node1"."""
    if key.server in inventory.hidden:
        return "a Container on a physical server that you may not see"
    return f"{short_container(key, inventory)} on {server(key.server, inventory)}"


def short_container(key: ContainerKey, inventory: Inventory) -> str:
    """ "Container 102 (web)"."""
    if key.server in inventory.hidden:
        return "a Container that you may not see"
    found = inventory.container(key)
    return f"Container {key.ctid} ({found.name})" if found and found.name else f"Container {key.ctid}"


def interface(key: InterfaceKey, inventory: Inventory) -> str:
    """ "eth0 of Container 102 (web) on physical server node1"."""
    if key.server in inventory.hidden:
        return "an interface of a Container that you may not see"
    return f"{key.ifname} of {container(ContainerKey(key.server, key.ctid), inventory)}"


def sentence(text: str) -> str:
    """The text as a sentence begins: with a capital letter, but "eth0" stays "eth0"."""
    return text[:1].upper() + text[1:] if text.startswith(_NOUNS) else text
