"""What iproute2 says about one network namespace, whichever way it printed it. Pure.

`nodes/iproute_json.py` and `nodes/iproute_text.py` read the two ways; both give a `NetView` of the server or
of one container. What a container's own tools printed is written by a stranger, so everything is bounded and
nothing is trusted; the parsers never raise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from nodes.facts import Link, LinkKind, ProxyEntry, Route
from nodes.names import clean, host_address, network_address, shown_link_name

MAX_LINKS = 4096
MAX_ROUTES = 2000
MAX_RULES = 500
MAX_ADDRESSES = 256
"""Addresses of one link."""

Family = Literal[4, 6]

BOND_MODES = (
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
)
"""Names of bonding modes; the place of each is the kernel's number."""

_KERNELS_RULE = re.compile(
    r"0: from all lookup (local|255)|32766: from all lookup (main|254)|32767: from all lookup (default|253)"
)
_TABLES = {"253": "default", "254": "main", "255": "local"}
NOT_UNICAST = frozenset(
    {"local", "broadcast", "anycast", "multicast", "unreachable", "blackhole", "prohibit", "throw", "nat"}
)
"""Types of routes that lead to no other host; they are not kept."""


@dataclass(frozen=True, slots=True)
class SeenLink:
    """A link as iproute2 shows it, with what `Link` has no place for.

    `word` is the kernel's name for its kind ("" where not told), `peer_index` the index of a veth's other end
    in *another* namespace, `foreign_vlan` a VLAN that is not 802.1Q.
    """

    link: Link
    word: str = ""
    peer_index: int | None = None
    qdisc: str = ""
    foreign_vlan: bool = False


@dataclass(frozen=True, slots=True)
class NetView:
    """What iproute2 says about one network namespace. Forwarding is None where it did not say.

    `problems` are sentences for people about parts that could not be understood.
    """

    links: tuple[SeenLink, ...] = ()
    routes: tuple[Route, ...] = ()
    proxies: tuple[ProxyEntry, ...] = ()
    rules: tuple[str, ...] = ()
    forwarding4: bool | None = None
    forwarding6: bool | None = None
    problems: tuple[str, ...] = ()


def link_kind(name: str, word: str) -> LinkKind:
    """The kind of a link from its name and the kernel's word. A NIC has no word: the caller knows better."""
    if name.startswith("venet") or word == "venet":
        return "venet"
    match word:
        case "bridge" | "bond" | "vlan" | "veth":
            return word
        case "tun" | "tap":
            return "tap"
        case _:
            return "other"


def policy_rules(text: str, family: str) -> tuple[str, ...]:
    """Lines of `ip rule show` beyond the kernel's own three: "inet 100: from 10.0.0.0/24 lookup 100"."""
    rules: list[str] = []
    for line in text.split("\n")[:MAX_RULES]:
        match = re.match(r"([0-9]{1,10}):\s*(.*)", line)
        rule = f"{match[1]}: {' '.join(clean(match[2], 200).split())}" if match else ""
        if rule and not _KERNELS_RULE.fullmatch(rule):
            rules.append(f"{family} {rule}")
    return tuple(rules)


def bounded_routes(routes: list[Route], problems: list[str]) -> tuple[Route, ...]:
    """At most MAX_ROUTES of them, said so in `problems` if there were more."""
    if len(routes) > MAX_ROUTES:
        problems.append(f"more than {MAX_ROUTES} routes; the rest are not kept")
    return tuple(routes[:MAX_ROUTES])


def checked_route(
    family: Family,
    dst: str,
    *,
    via: str,
    dev: str,
    table: str,
    proto: str,
    src: str,
    metric: int,
    multipath: bool,
) -> Route | None:
    """A route with its words checked; None if the destination is none or it leads nowhere."""
    if dst not in {"default", "0.0.0.0/0", "::/0"}:
        network = network_address(dst)
        if network is None:
            return None
        dst, family = network.cidr, network.family
    else:
        dst = "default"
    gateway, source = host_address(via), host_address(src)
    if gateway is None and not shown_link_name(dev):
        return None  # busybox shows a route of several next hops without any of them
    return Route(
        family,
        dst,
        via=gateway.address if gateway else "",
        dev=shown_link_name(dev),
        table=_TABLES.get(table, table) or "main",
        proto=proto,
        src=source.address if source else "",
        metric=metric,
        multipath=multipath,
    )


def checked_proxy(address: str, dev: str) -> ProxyEntry | None:
    """A proxy entry with its words checked; None if one of them is wrong."""
    found, name = host_address(address), shown_link_name(dev)
    return ProxyEntry(found.family, found.address, name) if found and name else None
