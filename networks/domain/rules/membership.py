"""Rules 2, 3 and 12: which container interfaces join, and whether they can talk at IP level."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_interface

from networks.domain import words
from networks.domain.inventory import ContainerKey, InterfaceView, Inventory, NetworkRef
from networks.domain.rules.problem import Problem
from networks.domain.state import Desired, InterfaceKey, Member, Network, grouped
from networks.domain.wires import NetworkHere, layer2

UNREAD = "Start the Container; if it runs, its page says why nobody could look inside."


def member_is_bridged(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 2: only bridged interfaces join; a host-routed one is refused with that reason."""
    problems = []
    for member in after.members:
        view = inventory.interface(member.interface)
        if view is not None and view.mode == "host-routed":
            problems.append(
                Problem(
                    "host-routed",
                    "refuse",
                    f"{words.sentence(_name(member.interface, inventory))} is host-routed: "
                    "only bridged interfaces can be in "
                    f"{words.network(member.network, after)}.",
                    (NetworkRef(member.network), member.interface),
                    "Add a bridged interface to the Container and put that into the Virtual Network.",
                )
            )
    return problems


def member_exists(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """A member is an interface that the last look saw; one that has gone since is only warned about."""
    problems = []
    for member in after.members:
        view = inventory.interface(member.interface)
        if view is None or view.gone:
            problems.append(
                Problem(
                    "interface-gone",
                    "refuse",
                    f"{words.sentence(_name(member.interface, inventory))} does not exist, or not any more.",
                    (NetworkRef(member.network), member.interface),
                    f"Remove it from {words.network(member.network, after)}, or look at the server again.",
                )
            )
    return problems


def interface_is_in_one_network(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 3: an interface is in at most one network."""
    problems = []
    for interface, members in grouped(after.members, lambda member: member.interface).items():
        if len(members) > 1:
            ids = tuple(sorted(member.network for member in members))
            problems.append(
                Problem(
                    "interface-taken",
                    "refuse",
                    f"{words.sentence(_name(interface, inventory))} would be in "
                    f"{words.networks(ids, after)}; an interface is in one Virtual Network at most.",
                    (*map(NetworkRef, ids), interface),
                    "Remove it from the one it is in first.",
                )
            )
    return problems


def members_share_a_subnet(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 12: members of a network can talk only if their addresses and masks match (the manual, step 2)."""
    problems = []
    for network in after.networks:
        views = _views(network, after, inventory)
        found = {v: {view.key: s for view in views if (s := _subnets(view, v))} for v in (4, 6)}
        problems.extend(_versions_apart(network, found, after, inventory))
        for version in (4, 6):
            groups = _overlapping(found[version])
            if len(groups) > 1:
                named = "; ".join(
                    f"{_told(subnets, keys, inventory)}: "
                    + words.listed([_name(key, inventory, short=True) for key in keys], 3)
                    for subnets, keys in groups[: words.MOST_NAMED]
                )
                problems.append(
                    Problem(
                        f"subnets-differ-{version}",
                        "warn",
                        f"Members of {words.network(network.id, after)} are in different subnets ({named}) "
                        "and may not all reach each other directly: each has to be in the other's subnet.",
                        (NetworkRef(network.id), *sorted(key for _, keys in groups for key in keys)),
                        "Give them addresses of one subnet.",
                    )
                )
    return problems


def _versions_apart(
    network: Network,
    found: dict[int, dict[InterfaceKey, frozenset[str]]],
    after: Desired,
    inventory: Inventory,
) -> list[Problem]:
    """Rule 12 for members with addresses of IPv4 alone beside others with addresses of IPv6 alone."""
    if not found[4] or not found[6]:
        return []
    only = {4: sorted(found[4].keys() - found[6].keys()), 6: sorted(found[6].keys() - found[4].keys())}
    if not only[4] or not only[6]:
        return []
    named = "; ".join(
        f"only IPv{version}: " + words.listed([_name(key, inventory, short=True) for key in keys], 3)
        for version, keys in only.items()
    )
    return [
        Problem(
            "subnets-differ",
            "warn",
            f"Members of {words.network(network.id, after)} have no IP version in common ({named}) "
            "and cannot talk to each other directly.",
            (NetworkRef(network.id), *sorted(key for keys in only.values() for key in keys)),
            "Give them addresses of one subnet.",
        )
    ]


def _told(subnets: frozenset[str], keys: list[InterfaceKey], inventory: Inventory) -> str:
    if all(key.server in inventory.hidden for key in keys):
        return "another subnet"
    return words.listed(sorted(subnets))


def members_have_addresses(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 12: a member without an address is silent; of one that nobody could look into nothing is known."""
    problems = []
    for network in after.networks:
        views = [v for v in _views(network, after, inventory) if not v.addresses or not v.addresses_known]
        for known, code, says, hint in (
            (True, "no-address", "has no IP address", "Set an address in the Container."),
            (False, "address-unknown", "may have IP addresses, which nobody could read", UNREAD),
        ):
            keys = sorted(view.key for view in views if view.addresses_known is known)
            if keys:
                names = words.listed([_name(key, inventory, short=True) for key in keys])
                problems.append(
                    Problem(
                        code,
                        "warn",
                        f"In {words.network(network.id, after)}, each of these {says}: {names}."
                        if len(keys) > 1
                        else f"In {words.network(network.id, after)}, {names} {says}.",
                        (NetworkRef(network.id), *keys),
                        hint,
                    )
                )
    return problems


def addresses_are_unique(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 12: on one layer-2 network every IP and MAC address is there once."""
    graph = layer2(before, after, inventory)
    users: dict[tuple[int, str], dict[ContainerKey, Member]] = {}
    cards: dict[tuple[int, str], set[Member]] = {}
    for member in after.members:
        view = inventory.interface(member.interface)
        if view is None or view.gone:
            continue
        key = member.interface
        segment = graph.segment(NetworkHere(member.network, key.server))
        if view.mac:
            cards.setdefault((segment, view.mac), set()).add(member)
        for address in view.addresses if view.addresses_known else ():
            # Two interfaces joined inside a container both answer with the bridge's one address.
            host = address.partition("/")[0]
            users.setdefault((segment, host), {}).setdefault(ContainerKey(key.server, key.ctid), member)
    doubles = [("duplicate-ip", "IP", host, list(by.values())) for (_, host), by in users.items()]
    doubles += [("duplicate-mac", "MAC", mac, list(members)) for (_, mac), members in cards.items()]
    return [
        _double(code, kind, address, members, inventory)
        for code, kind, address, members in doubles
        if len({member.interface for member in members}) > 1
    ]


def _double(code: str, kind: str, address: str, members: list[Member], inventory: Inventory) -> Problem:
    keys = sorted({member.interface for member in members})
    return Problem(
        code,
        "warn",
        f"{words.sentence(words.listed([_name(key, inventory) for key in keys]))} "
        f"have the same {kind} address {address} on one network.",
        (*keys, *map(NetworkRef, sorted({member.network for member in members}))),
        f"Give each its own {kind} address.",
        # An interface has one MAC address, but may have several of IP.
        detail=address if kind == "IP" else "",
    )


def _name(key: InterfaceKey, inventory: Inventory, *, short: bool = False) -> str:
    if short and key.server not in inventory.hidden:
        return f"{key.ifname} of {words.short_container(ContainerKey(key.server, key.ctid), inventory)}"
    return words.interface(key, inventory)


def _views(network: Network, after: Desired, inventory: Inventory) -> list[InterfaceView]:
    views = (inventory.interface(member.interface) for member in after.members_of(network.id))
    return [view for view in views if view is not None and not view.gone]


@lru_cache(maxsize=1 << 17)
def _subnet(address: str) -> tuple[int, str] | None:
    """IP version and subnet of an address (CIDR); None for link-local ones and for what is none.

    Remembered, because rules read the same addresses for the state before and after, and reading is slow.
    """
    try:
        parsed = ip_interface(address)
    except ValueError:
        return None
    return None if parsed.ip.is_link_local else (parsed.version, str(parsed.network))


def _subnets(view: InterfaceView, version: int) -> frozenset[str]:
    if not view.addresses_known:
        return frozenset()
    found = (_subnet(address) for address in view.addresses)
    return frozenset(subnet[1] for subnet in found if subnet and subnet[0] == version)


def _overlapping(
    found: dict[InterfaceKey, frozenset[str]],
) -> list[tuple[frozenset[str], list[InterfaceKey]]]:
    """Interfaces grouped so that those in one group share a subnet, directly or over others."""
    groups: list[tuple[set[str], list[InterfaceKey]]] = []
    for subnets, keys in grouped(sorted(found), lambda key: found[key]).items():
        merged, members = set(subnets), list(keys)
        for group in [g for g in groups if g[0] & subnets]:
            merged |= group[0]
            members += group[1]
            groups.remove(group)
        groups.append((merged, members))
    return [(frozenset(subnets), sorted(members)) for subnets, members in groups]
