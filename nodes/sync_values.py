"""What rows should say, given what a look found: plain values by column, no database.

Keys and columns are those of `nodes.models`; a reference to another row is its name until `nodes/sync.py`
knows its primary key. Only what a row can hold is passed on: names are cut, doubles are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nodes.choices import AdapterKind, InterfaceMode
from nodes.facts import (
    Address,
    Container,
    ContainerInside,
    ContainerInterface,
    Link,
    ProxyEntry,
    Route,
    ServerFacts,
)
from nodes.routing import (
    answers_without_address,
    container_forwards,
    destination,
    server_forwards,
    switched_off,
    telling_routes,
)

Values = dict[str, Any]

HOST_ROUTED_IFNAME = "venet0"
"""How vzctl names the one host-routed interface of a container (vzctl 4.11 man page, "venet")."""

_ADAPTER_KINDS = {"nic": AdapterKind.NIC, "bond": AdapterKind.BOND, "vlan": AdapterKind.VLAN}


def addresses_text(addresses: Iterable[Address]) -> str:
    """The addresses with prefix, separated by spaces, without the link-local ones that every link has."""
    return " ".join(a.cidr for a in addresses if a.scope not in ("link", "host"))


def is_adapter(link: Link) -> bool:
    """True for a NIC, a bond, and a VLAN with an id that 802.1Q has room for."""
    if link.kind == "vlan":
        return link.vlan is not None and 1 <= link.vlan.vid <= 4094
    return link.kind in _ADAPTER_KINDS


def management_links(facts: ServerFacts) -> frozenset[str]:
    """Names of all links that the panel's own connection passes: a bridge's ports, a VLAN's base, slaves."""
    links = {link.name: link for link in facts.links}
    found: set[str] = set()
    waiting = [facts.management_link]
    while waiting:
        name = waiting.pop()
        if name in found or name not in links:
            continue
        found.add(name)
        link = links[name]
        if link.vlan:
            waiting.append(link.vlan.base)
        waiting += [other.name for other in facts.links if other.master == name and is_adapter(other)]
    return frozenset(found)


def routing(routes: Iterable[Route], forwards: Iterable[int], proxies: Iterable[ProxyEntry] = ()) -> Values:
    """What a machine was seen to route, as its row keeps it."""
    return {
        "forwards": sorted(forwards),
        "routes": [[destination(route), route.via, route.dev] for route in telling_routes(routes)],
        "proxies": [[entry.address, entry.dev] for entry in proxies],
    }


def server_routing(facts: ServerFacts) -> Values:
    """What the server itself routes and answers for."""
    return routing(facts.routes, server_forwards(facts), facts.proxies)


def container_routing(inside: ContainerInside) -> Values:
    """What the container routes, and which of its interfaces it has switched off."""
    return {**routing(inside.routes, container_forwards(inside)), "off": list(switched_off(inside))}


def bridges(facts: ServerFacts) -> dict[str, Values]:
    """Bridge name to the columns of its row."""
    known = {i.host_ifname for c in facts.containers for i in c.interfaces if i.host_ifname}
    ports: dict[str, list[str]] = {}
    for link in facts.links:
        if link.master and not is_adapter(link) and link.name not in known:
            ports.setdefault(link.master, []).append(link.name)
    return {
        link.name: {
            "mac": link.mac,
            "mtu": link.mtu or None,
            "is_up": link.up,
            "vlan_filtering": link.bridge.vlan_filtering if link.bridge else None,
            "addresses_text": addresses_text(link.addresses),
            "foreign_ports": sorted(ports.get(link.name, ())),
            "answers": answers_without_address(link),
        }
        for link in facts.links
        if link.kind == "bridge"
    }


def adapters(facts: ServerFacts) -> dict[str, Values]:
    """Adapter name to the columns of its row; `base`, `bond` and `bridge` are names ("" for none)."""
    managing = management_links(facts)
    kinds = {link.name: link.kind for link in facts.links}
    tags: set[tuple[str, int]] = set()
    found: dict[str, Values] = {}
    for link in facts.links:
        if not is_adapter(link) or link.name in found:
            continue
        base, vid = (link.vlan.base, link.vlan.vid) if link.vlan and link.kind == "vlan" else ("", None)
        # 802.1ad and 802.1Q adapters may share base and id; a row of ours cannot say which is which.
        if vid is not None and (base, vid) in tags:
            base = ""
        tags.add((base, vid or 0))
        found[link.name] = {
            "kind": _ADAPTER_KINDS[link.kind],
            "vlan_id": vid,
            "base": base,
            "bond": link.master if kinds.get(link.master) == "bond" else "",
            "bond_mode": link.bond.mode if link.bond else None,
            "bridge": link.master if kinds.get(link.master) == "bridge" else "",
            "mac": link.mac,
            "mtu": link.mtu or None,
            "is_up": link.up,
            "has_carrier": link.carrier,
            "addresses_text": addresses_text(link.addresses),
            "is_management": link.name in managing,
            "owner": link.owner,
        }
    return found


def containers(facts: ServerFacts) -> dict[str, Values]:
    """CTID to the columns of the container's row; without `joined` where nobody could look inside.

    The row keeps then what was seen last: the bridge is there again as soon as the container runs.
    """
    problems: dict[str, str] = {}
    for finding in facts.findings:
        problems.setdefault(finding.subject, finding.text)
    return {
        one.ctid: {
            "name": one.name,
            "hostname": one.hostname,
            "status": one.status,
            "ostemplate": one.ostemplate,
            "host_routed_text": " ".join(one.host_routed),
            "problem": problems.get(one.ctid, ""),
            "routing": container_routing(one.inside) if one.inside else None,
            **({"joined": joined_inside(one.inside)} if one.inside else {}),
        }
        for one in facts.containers
    }


def interfaces(facts: ServerFacts) -> dict[tuple[str, str], Values]:
    """(CTID, interface name) to the columns of its row; `bridge` is a name ("" for none)."""
    masters = {link.name: link.master for link in facts.links}
    found: dict[tuple[str, str], Values] = {}
    for container in facts.containers:
        for one in _interfaces_of(container):
            known, addresses = _addresses(container, one)
            found[container.ctid, one.ifname] = {
                "mode": InterfaceMode(one.mode),
                "mac": one.mac,
                "host_ifname": one.host_ifname,
                "configured_bridge": one.configured_bridge,
                "bridge": masters.get(one.host_ifname, "") if one.host_ifname else "",
                "addresses_text": addresses,
                "addresses_known": known,
                "is_saved": one.saved,
            }
    return found


def _interfaces_of(container: Container) -> tuple[ContainerInterface, ...]:
    """The container's interfaces, the host-routed one included: vzctl 4 keeps no NETIF entry for it."""
    if container.host_routed and not any(one.mode == "host-routed" for one in container.interfaces):
        return (ContainerInterface(HOST_ROUTED_IFNAME, "host-routed"), *container.interfaces)
    return container.interfaces


def _addresses(container: Container, one: ContainerInterface) -> tuple[bool, str]:
    """Whether the addresses that answer on the interface are known, and which they are.

    A port of a bridge inside the container answers on the bridge's addresses (201 of the manual's scheme).
    """
    if one.mode == "host-routed":
        return True, " ".join(container.host_routed)
    inside = {link.name: link for link in container.inside.links} if container.inside else {}
    if (link := inside.get(one.ifname)) is None:
        return bool(one.configured_addresses), " ".join(one.configured_addresses)
    bridge = inside.get(link.master)
    return True, addresses_text((*link.addresses, *(bridge.addresses if bridge else ())))


def joined_inside(inside: ContainerInside) -> list[list[str]]:
    """Names of interfaces that a bridge inside the container joins, a list for each such bridge."""
    ports: dict[str, list[str]] = {link.name: [] for link in inside.links if link.kind == "bridge"}
    for link in inside.links:
        if link.master in ports:
            ports[link.master].append(link.name)
    return [sorted(names) for _, names in sorted(ports.items()) if len(names) > 1]
