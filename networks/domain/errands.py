"""What a draft does to containers themselves: how they will look, and how vzctl names what it makes. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from networks.domain.inventory import (
    ContainerKey,
    ContainerView,
    InterfaceView,
    Inventory,
    RouteView,
    RoutingView,
)
from networks.domain.state import AddressChange, Desired, NewInterface, ServerId, grouped
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
    return _routed(replace(inventory, interfaces=tuple(views.values())), state)


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


def _routed(inventory: Inventory, state: Desired) -> Inventory:
    """What host-routed addresses change beside the interface: vzctl routes them and answers for them.

    It does so on every adapter in the subnet of the address (NEIGHBOUR_DEVS=detect), which the proxy without
    an adapter's name stands for, and only while the container runs.
    """
    found = [change for change in state.address_changes if _is_host_routed(change, inventory)]
    if not found:
        return inventory
    by_container = grouped(found, lambda c: ContainerKey(c.interface.server, c.interface.ctid))
    by_server: dict[ServerId, list[AddressChange]] = {}
    containers = []
    for container in inventory.containers:
        changes = by_container.get(container.key, [])
        containers.append(_with_host_routed(container, changes) if changes else container)
        if container.status == "running" and changes:
            by_server.setdefault(container.server, []).extend(changes)
    servers = (
        replace(server, routing=_answering(server.routing, by_server[server.id]))
        if server.routing is not None and server.id in by_server
        else server
        for server in inventory.servers
    )
    return replace(inventory, containers=tuple(containers), servers=tuple(servers))


def _is_host_routed(change: AddressChange, inventory: Inventory) -> bool:
    view = inventory.interface(change.interface)
    return view is not None and view.mode == "host-routed"


def _with_host_routed(container: ContainerView, changes: list[AddressChange]) -> ContainerView:
    """The container with other host-routed addresses, and with the way out that the first brings along."""
    lost = {_host(change.address) for change in changes}
    wanted = [_host(change.address) for change in changes if change.is_wanted]
    kept = [address for address in container.host_routed if _host(address) not in lost]
    now = (*kept, *wanted)
    routing = container.routing
    if routing is not None:
        routes = list(routing.routes)
        for default, is_of_version in _DEFAULTS:
            if any(map(is_of_version, now)):
                if all(route.dst != default for route in routes):
                    routes.append(RouteView(default, "", HOST_ROUTED))
            else:
                routes = [route for route in routes if (route.dst, route.dev) != (default, HOST_ROUTED)]
        routing = replace(routing, routes=tuple(routes))
    return replace(container, host_routed=now, routing=routing)


_DEFAULTS = (
    ("default", lambda address: ":" not in address),
    ("::/0", lambda address: ":" in address),
)
"""The default route of each IP version, and which addresses are of it."""


def _answering(routing: RoutingView, changes: list[AddressChange]) -> RoutingView:
    lost = {_host(change.address) for change in changes}
    kept = (proxy for proxy in routing.proxies if _host(proxy[0]) not in lost)
    new = ((_host(change.address), "") for change in changes if change.is_wanted)
    return replace(routing, proxies=(*kept, *new))


def _host(address: str) -> str:
    return address.partition("/")[0]


def is_on(view: InterfaceView, address: str) -> bool:
    """Whether the interface has that address, whatever its prefix length."""
    return _host(address) in {_host(other) for other in view.addresses}
