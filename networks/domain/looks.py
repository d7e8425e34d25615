"""From a look at a server to what the inventory has of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from networks.domain.inventory import (
    AdapterKind,
    AdapterView,
    BridgeView,
    ContainerView,
    InterfaceView,
    Inventory,
    RouteView,
    RoutingView,
    ServerView,
    boot_view,
)
from networks.domain.state import InterfaceKey, ServerId, grouped
from nodes.boot import boot_summary
from nodes.facts import Container, ContainerInside, Dialect, Link, Route, ServerFacts
from nodes.routing import (
    answers_without_address,
    container_forwards,
    destination,
    server_forwards,
    switched_off,
    telling_routes,
)


def with_look(inventory: Inventory, server: ServerView, facts: ServerFacts) -> Inventory:
    """The inventory with one server as a fresh look found it.

    Segments are kept by adapter name, and what is joined inside of containers that nobody could look into.
    """
    view, adapters, containers, interfaces = views_of_server(server, facts)
    known = {a.name: a for a in inventory.adapters if a.server == server.id}
    adapters = tuple(
        replace(a, segment=known[a.name].segment, segment_name=known[a.name].segment_name)
        if a.name in known
        else a
        for a in adapters
    )
    containers = tuple(
        # The bridge inside is there again as soon as the container runs: unknown, not none.
        replace(c, joined=seen.joined)
        if c.routing is None and (seen := inventory.container(c.key)) is not None
        else c
        for c in containers
    )
    return Inventory(
        servers=(*(s for s in inventory.servers if s.id != server.id), view),
        adapters=(*(a for a in inventory.adapters if a.server != server.id), *adapters),
        containers=(*(c for c in inventory.containers if c.server != server.id), *containers),
        interfaces=(*(i for i in inventory.interfaces if i.key.server != server.id), *interfaces),
        bridges=frozenset(b for b in inventory.bridges if b[0] != server.id)
        | {(server.id, link.name) for link in facts.links if link.kind == "bridge"},
        hidden=inventory.hidden,
        bridge_views=(
            *(b for b in inventory.bridge_views if b.server != server.id),
            *bridges_of_server(server.id, facts),
        ),
    )


def joined_inside(inside: ContainerInside) -> tuple[tuple[str, ...], ...]:
    """The groups of two or more interfaces that bridges inside the container join."""
    bridges = {link.name for link in inside.links if link.kind == "bridge"}
    ports = grouped((link for link in inside.links if link.master in bridges), lambda link: link.master)
    return tuple(
        tuple(sorted(port.name for port in group)) for _, group in sorted(ports.items()) if len(group) > 1
    )


def addresses_inside(inside: ContainerInside, ifname: str) -> tuple[str, ...]:
    """Addresses (CIDR) that answer on the interface: its own, or those of the bridge it is a port of.

    Link-local ones are left out: every interface has them and they say nothing about subnets.
    """
    links = {link.name: link for link in inside.links}
    here = links.get(ifname)
    if here is None:
        return ()
    carriers = [here, links[here.master]] if here.master in links else [here]
    return tuple(
        address.cidr
        for link in carriers
        for address in link.addresses
        if address.scope not in ("link", "host")
    )


def routing_seen(
    routes: Iterable[Route], forwards: frozenset[int], proxies: tuple[tuple[str, str], ...] = ()
) -> RoutingView:
    """Routes that lead further than the own subnet, with what is forwarded."""
    kept = (RouteView(destination(route), route.via, route.dev) for route in telling_routes(routes))
    return RoutingView(forwards, tuple(kept), proxies)


def bridges_of_server(server: ServerId, facts: ServerFacts) -> tuple[BridgeView, ...]:
    """The bridges that one look found."""
    known = {i.host_ifname for c in facts.containers for i in c.interfaces if i.host_ifname}
    return tuple(
        BridgeView(
            server,
            link.name,
            tuple(a.cidr for a in link.addresses if a.scope not in ("link", "host")),
            tuple(
                sorted(
                    port.name
                    for port in facts.ports(link.name)
                    if port.kind not in ("nic", "bond", "vlan") and port.name not in known
                )
            ),
            answers_without_address(link),
            link.bridge.vlan_filtering if link.bridge else None,
        )
        for link in facts.links
        if link.kind == "bridge"
    )


def views_of_server(
    server: ServerView, facts: ServerFacts
) -> tuple[ServerView, tuple[AdapterView, ...], tuple[ContainerView, ...], tuple[InterfaceView, ...]]:
    """The views that one look gives. Physical segments are unknown to a look: they stay None."""
    bonds = {slave: link.name for link in facts.links if link.bond for slave in link.bond.slaves}
    bridges = {link.name for link in facts.links if link.kind == "bridge"}
    masters = {link.name: link.master for link in facts.links if link.master in bridges}
    view = replace(
        server,
        dialect=facts.vzctl_dialect,
        filters_tags="vlan_filtering" in facts.capabilities,
        facts=facts,
        boot=boot_view(boot_summary(facts)),
        routing=routing_seen(
            facts.routes,
            server_forwards(facts),
            tuple((entry.address, entry.dev) for entry in facts.proxies),
        ),
    )
    adapters = tuple(
        _adapter_view(server.id, link, bonds.get(link.name, ""), masters.get(link.name, ""))
        for link in facts.links
        if link.kind in ("nic", "bond", "vlan")
    )
    containers = tuple(
        ContainerView(
            server.id,
            c.ctid,
            c.name or c.hostname,
            c.status,
            joined_inside(c.inside) if c.inside else (),
            c.host_routed,
            routing_seen(c.inside.routes, container_forwards(c.inside)) if c.inside else None,
            switched_off(c.inside) if c.inside else (),
        )
        for c in facts.containers
    )
    interfaces = tuple(
        view
        for c in facts.containers
        for view in _interface_views(server.id, c, facts.vzctl_dialect, masters)
    )
    return view, adapters, containers, interfaces


def _adapter_view(server: ServerId, link: Link, bond: str, bridge: str) -> AdapterView:
    kind: AdapterKind = "bond" if link.kind == "bond" else "vlan" if link.kind == "vlan" else "nic"
    return AdapterView(
        server,
        link.name,
        kind,
        base=link.vlan.base if link.vlan else "",
        vid=link.vlan.vid if link.vlan else None,
        bond_mode=link.bond.mode if link.bond else None,
        bond=bond,
        bridge=bridge,
        addresses=tuple(a.cidr for a in link.addresses if a.scope not in ("link", "host")),
        up=link.up,
        carrier=link.carrier,
    )


def _interface_views(
    server: ServerId, container: Container, dialect: Dialect | None, masters: Mapping[str, str]
) -> Iterable[InterfaceView]:
    for interface in container.interfaces:
        if container.inside is not None:
            addresses, known = addresses_inside(container.inside, interface.ifname), True
        else:
            addresses, known = interface.configured_addresses, dialect == "7"
        yield InterfaceView(
            InterfaceKey(server, container.ctid, interface.ifname),
            interface.mode,
            mac=interface.mac,
            addresses=addresses,
            addresses_known=known,
            container_name=container.name or container.hostname,
            container_status=container.status,
            host_ifname=interface.host_ifname,
            configured_bridge=interface.configured_bridge,
            bridge=masters.get(interface.host_ifname, ""),
        )
