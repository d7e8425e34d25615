"""What may be done to containers' own interfaces: made, removed, given addresses.

These rules look at the inventory as it was seen; the others see it as the draft's errands leave it
(`errands.with_errands`).
"""

from __future__ import annotations

import re
from collections import Counter

from networks.domain import words
from networks.domain.errands import (
    HOST_ROUTED,
    host_ifname,
    is_host_routed_name,
    is_on,
    readable_address,
)
from networks.domain.inventory import ContainerKey, Inventory, NetworkRef
from networks.domain.names import LINK_NAME_BYTES, is_link_name
from networks.domain.rules.problem import Problem
from networks.domain.state import AddressChange, Desired, InterfaceKey

_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")


def errands_meet_a_container(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """An errand is for a container that the last look saw, on a server with a vzctl that the panel speaks."""
    problems = []
    for container in dict.fromkeys(_container(key) for key in _named(after)):
        server = inventory.server(container.server)
        if server is None or server.os == "windows":
            continue  # other rules say so
        name = words.sentence(words.container(container, inventory))
        if inventory.container(container) is None:
            code, text = "container-gone", f"{name} does not exist, or not any more."
            hint = "Discard this edit, or look at the server again."
        elif server.dialect is None:
            code, text = "no-vzctl", f"{name} cannot be changed: the panel knows no vzctl there."
            hint = "Look at the server again."
        else:
            continue
        problems.append(Problem(code, "refuse", text, (container,), hint))
    return problems


def new_interface_name_is_fit(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """The kernel's names have at most 15 bytes, on both sides; "venet" and "all" are vzctl's own words."""
    problems = []
    for new in after.new_interfaces:
        name = new.interface.ifname
        host = _host_side(new.interface, inventory)
        if is_host_routed_name(name):
            text = f"“{name}” is the name of host-routed network adapters, which come with their addresses"
        elif len(name.encode()) > LINK_NAME_BYTES:
            text = f"“{name}” has more than {LINK_NAME_BYTES} characters"
        elif not is_link_name(name):
            text = f"“{name}” is not a name for a network adapter"
        elif len(host.encode()) > LINK_NAME_BYTES:
            text = f"on the server “{name}” would be {host}, which has more than {LINK_NAME_BYTES} characters"
        else:
            continue
        hint = "Enter a name like eth1: letters, digits, dots, dashes or underscores."
        problems.append(Problem("interface-name-unfit", "refuse", f"{text}.", (new.interface,), hint))
    return problems


def new_interface_is_new(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """vzctl 4 silently overwrites an interface that exists; a container has each name once."""
    problems = []
    times = Counter(new.interface for new in after.new_interfaces)
    for key in times:
        view = inventory.interface(key)
        what = words.sentence(words.interface(key, inventory))
        if view is not None and not view.gone:
            text, hint = f"{what} exists already.", "Enter another name."
            if key in after.gone_interfaces:
                text = f"{what} is removed in the same draft and cannot be added again by it."
                hint = "Remove it in a Change of its own first."
        elif times[key] > 1:
            text, hint = f"{what} would be added twice.", "Enter another name."
        else:
            continue
        problems.append(Problem("interface-exists", "refuse", text, (key,), hint))
    return problems


def host_side_name_is_free(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """vzctl 4 names host sides by digits, so that two interfaces of a container can want one name."""
    problems = []
    hosts = Counter(_host_side(new.interface, inventory) for new in after.new_interfaces)
    for new in after.new_interfaces:
        key, host = new.interface, _host_side(new.interface, inventory)
        users = [v.key for v in inventory.interfaces_on(key.server) if v.host_ifname == host]
        users = [user for user in users if user != key]
        if not _is_fit(key.ifname):
            continue
        if host and (users or hosts[host] > 1):
            whose = f" of {words.interface(users[0], inventory)}" if users else " of another new one"
            problems.append(
                Problem(
                    "host-name-taken",
                    "refuse",
                    f"{words.sentence(words.interface(key, inventory))} cannot be added: its name on the "
                    f"server would be {host}, which is that{whose}.",
                    (key, *users),
                    "Enter a name that ends in another number.",
                )
            )
    return problems


def new_interface_mac_is_fit(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """A MAC address of one interface; an odd first byte would be a group's."""
    return [
        Problem(
            "mac-unfit",
            "refuse",
            f"“{new.mac}” is not a MAC address that an interface can have.",
            (new.interface,),
            "Leave it empty, or enter one like 00:18:51:aa:bb:cc.",
        )
        for new in after.new_interfaces
        if new.mac and _MAC.fullmatch(new.mac) is None
    ]


def removed_interface_is_there(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Only a bridged interface that exists is removed; a host-routed one goes with its last address."""
    problems = []
    for key in after.gone_interfaces:
        view = inventory.interface(key)
        what = words.sentence(words.interface(key, inventory))
        if is_host_routed_name(key.ifname) or (view is not None and view.mode == "host-routed"):
            code, text = "host-routed-stays", f"{what} is host-routed and cannot be removed here."
            hint = "Take its IP addresses away instead."
        elif view is None or view.gone:
            code, text = "interface-gone", f"{what} does not exist, or not any more."
            hint = "Discard this edit."
        else:
            continue
        problems.append(Problem(code, "refuse", text, (key,), hint))
    return problems


def removed_interface_is_in_no_network(
    before: Desired, after: Desired, inventory: Inventory
) -> list[Problem]:
    """An interface leaves its network before it goes, or in the same draft."""
    return [
        Problem(
            "interface-in-network",
            "refuse",
            f"{words.sentence(words.interface(key, inventory))} cannot be removed: it is in "
            f"{words.network(member.network, after, before)}.",
            (key, NetworkRef(member.network)),
            "Remove it from the Virtual Network first, or in the same draft.",
        )
        for key in after.gone_interfaces
        for member in after.memberships(key)
    ]


def address_is_fit(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """An address of one interface, with its prefix length, in its usual form."""
    problems = []
    for change in after.address_changes:
        parsed = readable_address(change.address)
        if parsed is None:
            text = "is not an IP address with a prefix length"
        elif parsed.ip.is_multicast or parsed.ip.is_unspecified or parsed.ip.is_loopback:
            text = "is not an address that an interface can have"
        elif change.is_wanted and parsed.network.prefixlen == 0:
            text = "has a subnet that is the whole world, so nothing would be routed any more"
        elif change.is_wanted and parsed.version == 4 and _is_edge(change.address):
            text = "is the first or the last address of its subnet, which no interface can have"
        else:
            continue
        hint = "Enter an address like 10.77.0.5/24 or fd77::5/64."
        problems.append(
            Problem("address-unfit", "refuse", f"“{change.address}” {text}.", (change.interface,), hint)
        )
    return problems


def _is_edge(text: str) -> bool:
    parsed = readable_address(text)
    if parsed is None or parsed.network.prefixlen > 30:
        return False
    return parsed.ip in (parsed.network.network_address, parsed.network.broadcast_address)


def address_meets_an_interface(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Addresses are given to interfaces that are there and stay, and taken from those that have them."""
    made = {new.interface for new in after.new_interfaces}
    problems = []
    for change in after.address_changes:
        key = change.interface
        view = inventory.interface(key)
        what = words.sentence(words.interface(key, inventory))
        is_there = (view is not None and not view.gone) or key in made or key.ifname == HOST_ROUTED
        if not is_there or key in after.gone_interfaces:
            code, text = "interface-gone", f"{what} does not exist, or not any more."
        elif view is not None and change.is_wanted and is_on(view, change.address):
            code, text = "address-there", f"{what} has the IP address {change.address} already."
        elif not change.is_wanted and (view is None or not is_on(view, change.address)):
            code, text = "address-not-there", f"{what} has no IP address {change.address}."
        else:
            continue
        problems.append(Problem(code, "refuse", text, (key,), "Discard this edit."))
    return problems


def address_can_be_set(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """vzctl 4 keeps no addresses of bridged interfaces: they are set in the guest, which must run for it."""
    problems = []
    for change in _guest_changes(after, inventory):
        container = inventory.container(_container(change.interface))
        if container is None or container.status == "running":
            continue
        problems.append(
            Problem(
                "address-needs-guest",
                "refuse",
                f"The IP address {change.address} of {words.interface(change.interface, inventory)} cannot "
                "be changed: vzctl 4 keeps no addresses of bridged network adapters, they are set inside the "
                "Container, and it does not run.",
                (change.interface,),
                "Start the Container, or use its own network configuration.",
            )
        )
    return problems


def address_is_not_an_inner_bridges(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """An interface that a bridge inside the container joins has no addresses itself but the bridge's."""
    problems = []
    for change in after.address_changes:
        key = change.interface
        container = inventory.container(_container(key))
        if container is None or not any(key.ifname in group for group in container.joined):
            continue
        problems.append(
            Problem(
                "address-of-inner-bridge",
                "refuse",
                f"The IP addresses of {words.interface(key, inventory)} are those of a bridge inside the "
                "Container that joins it to others, and cannot be changed here.",
                (key,),
                "Change them in the Container's own configuration.",
            )
        )
    return problems


def address_may_not_last(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """On vzctl 4 an address outlives a restart only where the guest's own files could be changed as well."""
    problems = []
    changes = [
        change
        for change in _guest_changes(after, inventory)
        if (container := inventory.container(_container(change.interface))) and container.status == "running"
    ]
    for key in dict.fromkeys(_container(change.interface) for change in changes):
        keys = tuple(dict.fromkeys(c.interface for c in changes if _container(c.interface) == key))
        names = words.listed([interface.ifname for interface in keys])
        problems.append(
            Problem(
                "address-may-not-last",
                "warn",
                f"The IP addresses of {names} are changed inside {words.container(key, inventory)}: vzctl 4 "
                "keeps none for bridged network adapters. They outlive its restart only where its own "
                "configuration is Debian's /etc/network/interfaces or Red Hat's ifcfg files.",
                keys,
                "The result says whether it was; if not, change the Container's configuration yourself.",
            )
        )
    return problems


def _guest_changes(after: Desired, inventory: Inventory) -> list[AddressChange]:
    """Changes of addresses that vzctl has no way to keep."""
    found = []
    for change in after.address_changes:
        server = inventory.server(change.interface.server)
        if server is not None and server.dialect == "4" and not _is_host_routed(change.interface, inventory):
            found.append(change)
    return found


def _is_host_routed(key: InterfaceKey, inventory: Inventory) -> bool:
    view = inventory.interface(key)
    return view.mode == "host-routed" if view is not None else key.ifname == HOST_ROUTED


def _is_fit(ifname: str) -> bool:
    return is_link_name(ifname) and not is_host_routed_name(ifname)


def _host_side(key: InterfaceKey, inventory: Inventory) -> str:
    server = inventory.server(key.server)
    return host_ifname(server.dialect if server else None, key.ctid, key.ifname)


def _container(key: InterfaceKey) -> ContainerKey:
    return ContainerKey(key.server, key.ctid)


def _named(state: Desired) -> list[InterfaceKey]:
    return [
        *(new.interface for new in state.new_interfaces),
        *state.gone_interfaces,
        *(change.interface for change in state.address_changes),
    ]
