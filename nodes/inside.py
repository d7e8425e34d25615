"""What was seen inside a container, joined with what its configuration says. Pure; never raises."""

from __future__ import annotations

import re
from dataclasses import replace

from nodes.facts import Container, ContainerInside, ContainerInterface, Link
from nodes.iproute import NetView, SeenLink


def container_inside(container: Container, view: NetView) -> Container:
    """The container with `inside` filled, and with host-routed addresses that are in use but not saved."""
    bridged = {interface.ifname for interface in container.interfaces if interface.mode == "bridged"}
    links = []
    host_routed = dict.fromkeys(container.host_routed)
    for seen in view.links:
        link = seen.link
        if link.kind == "other" and link.name in bridged:
            link = replace(link, kind="veth")  # OpenVZ's 2.6.32 has no word for it
        if link.kind == "venet":
            for address in link.addresses:
                # vzctl gives venet0 127.0.0.2 as a first address (dists/scripts/*-add_ip.sh).
                if address.scope == "global" and not address.address.startswith("127."):
                    host_routed[address.address] = None
        links.append(link)
    return replace(
        container,
        host_routed=tuple(host_routed),
        inside=ContainerInside(
            tuple(links),
            view.routes,
            forwarding4=view.forwarding4 is True,
            forwarding6=view.forwarding6 is True,
        ),
    )


def by_saved_names(
    container: Container, view: NetView, server: NetView, links: tuple[Link, ...]
) -> tuple[NetView, dict[str, str]]:
    """The view with each saved interface under its saved name.

    Beside it the saved names of those that are called otherwise inside, by what they are called there.
    Whoever is root in a container may rename them; what an interface is, its other end on the server tells.
    """
    saved = {one.host_ifname: one.ifname for one in container.interfaces if one.host_ifname}
    server_ends = {seen.link.index: seen for seen in server.links}
    names: dict[str, str] = {}
    for seen in view.links:
        end = _server_end(container.ctid, seen, server_ends, links)
        name = saved.get(end.name, "") if end else ""
        if name and name not in names.values():
            names[seen.link.name] = name
    # Others that are called as a saved one take the names that become free: no two have the same.
    free = zip(sorted(names.values() - names.keys()), sorted(names.keys() - names.values()), strict=True)
    renamed = {inside: name for inside, name in names.items() if inside != name}
    return (_under(names | dict(free), view) if renamed else view), renamed


def _under(names: dict[str, str], view: NetView) -> NetView:
    """The view with links of these names under the others."""

    def renamed(link: Link) -> Link:
        vlan = link.vlan and replace(link.vlan, base=names.get(link.vlan.base, link.vlan.base))
        return replace(
            link,
            name=names.get(link.name, link.name),
            master=names.get(link.master, link.master),
            vlan=vlan,
        )

    return replace(
        view,
        links=tuple(replace(seen, link=renamed(seen.link)) for seen in view.links),
        routes=tuple(replace(route, dev=names.get(route.dev, route.dev)) for route in view.routes),
    )


def unsaved_interfaces(
    container: Container, view: NetView, server: NetView, links: tuple[Link, ...]
) -> tuple[ContainerInterface, ...]:
    """Interfaces with their other end on the server that are not in the saved configuration."""
    known = {interface.ifname for interface in container.interfaces}
    server_ends = {seen.link.index: seen for seen in server.links}
    found = []
    for seen in view.links:
        if seen.link.name in known:
            continue
        end = _server_end(container.ctid, seen, server_ends, links)
        if end is not None:
            found.append(
                ContainerInterface(
                    seen.link.name,
                    "bridged",
                    mac=seen.link.mac,
                    host_ifname=end.name,
                    host_mac=end.mac,
                    saved=False,
                )
            )
    return tuple(found)


def _server_end(
    ctid: str, seen: SeenLink, server_ends: dict[int, SeenLink], links: tuple[Link, ...]
) -> Link | None:
    """The link on the server that is the other end of this one, if both say so or its name does.

    Indexes alone do not do: the other end of a veth may be in a third namespace, and indexes repeat.
    """
    if seen.peer_index is None or seen.link.kind != "veth":
        return None
    end = server_ends.get(seen.peer_index)
    if end is None or end.peer_index != seen.link.index:
        return None
    named = re.fullmatch(r"veth([0-9]{1,10})\.[0-9]+", end.link.name)
    if named and named[1] != ctid:
        return None
    return next((link for link in links if link.name == end.link.name), None)
