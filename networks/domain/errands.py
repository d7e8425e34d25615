"""What a draft does to containers themselves: how they will look, and how vzctl names what it makes. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from networks.domain.inventory import ContainerKey, InterfaceView, Inventory
from networks.domain.state import AddressChange, Desired, NewInterface, grouped
from nodes.facts import Dialect

HOST_ROUTED = "venet0"
"""The one host-routed interface that a container can have (vzctl 4.11 man page, "venet")."""


def is_host_routed_name(ifname: str) -> bool:
    """Whether vzctl keeps the name for host-routed interfaces."""
    return ifname.startswith("venet")


def host_ifname(dialect: Dialect | None, ctid: str, ifname: str) -> str:
    """The host side of a new interface: "veth102.1" on vzctl 4, "" where vzctl makes one of its MAC.

    As vzctl 4 does it itself: veth, the CTID, and the digits of the name, 0 without any (src/lib/config.c).
    """
    if dialect != "4":
        return ""
    digits = re.search(r"[0-9]+", ifname)
    return f"veth{ctid}.{int(digits[0]) if digits else 0}"


def readable_address(text: str) -> IPv4Interface | IPv6Interface | None:
    """The address with its prefix length; None if it is none, or in a form that is not the usual one."""
    try:
        parsed = ip_interface(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text and "%" not in text else None


def with_errands(inventory: Inventory, state: Desired) -> Inventory:
    """The inventory as it will be when the state's errands are done.

    Interfaces that are to be removed stay in it: rules say what is in the way of removing them.
    """
    if not state.new_interfaces and not state.address_changes:
        return inventory
    views = {view.key: view for view in inventory.interfaces}
    for new in state.new_interfaces:
        seen = views.get(new.interface)
        if seen is None or seen.gone:
            views[new.interface] = _planned(new, inventory)
    for key, changes in grouped(state.address_changes, lambda change: change.interface).items():
        if key in views:
            views[key] = _addressed(views[key], changes)
        elif key.ifname == HOST_ROUTED:
            views[key] = _addressed(InterfaceView(key, "host-routed", addresses_known=True), changes)
    return replace(inventory, interfaces=tuple(views.values()))


def _planned(new: NewInterface, inventory: Inventory) -> InterfaceView:
    key = new.interface
    container = inventory.container(ContainerKey(key.server, key.ctid))
    server = inventory.server(key.server)
    return InterfaceView(
        key,
        mac=new.mac,
        addresses_known=True,
        container_name=container.name if container else "",
        container_status=container.status if container else "unknown",
        host_ifname=host_ifname(server.dialect if server else None, key.ctid, key.ifname),
    )


def _addressed(view: InterfaceView, changes: list[AddressChange]) -> InterfaceView:
    lost = {_host(change.address) for change in changes}
    kept = tuple(address for address in view.addresses if _host(address) not in lost)
    return replace(view, addresses=(*kept, *(change.address for change in changes if change.is_wanted)))


def _host(address: str) -> str:
    return address.partition("/")[0]


def is_on(view: InterfaceView, address: str) -> bool:
    """Whether the interface has that address, whatever its prefix length."""
    return _host(address) in {_host(other) for other in view.addresses}
