"""Parser of what `ip -j -d -batch` prints (iproute2 with JSON, 4.16 and later). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from nodes.facts import Address, Bond, Bridge, Link, ProxyEntry, Route, Vlan
from nodes.iproute import (
    BOND_MODES,
    MAX_ADDRESSES,
    MAX_LINKS,
    MAX_ROUTES,
    MAX_RULES,
    NOT_UNICAST,
    NetView,
    SeenLink,
    bounded_routes,
    checked_proxy,
    checked_route,
    link_kind,
    policy_rules,
)
from nodes.names import clean, host_address, shown_link_name, shown_mac

# Between two objects there is nothing but the commas and brackets of the arrays around them.
_BETWEEN = re.compile(r"[\s,\[\]]*")


def parse_json(text: str) -> NetView:
    """Answers of one `ip -j -d -force -batch`: addresses, routes, proxy entries and, perhaps, netconf.

    A command that failed printed no document, so documents are told apart by what is in them. Of a document
    that was cut off, the entries before the cut are kept.
    """
    problems: list[str] = []
    links: dict[str, SeenLink] = {}
    routes: list[Route] = []
    proxies: dict[ProxyEntry, None] = {}
    rules: list[str] = []
    forwarding: dict[str, bool] = {}
    for entry in _entries(text, problems):
        if "addr_info" in entry:
            if (seen := _link(entry)) and len(links) < MAX_LINKS:
                links.setdefault(seen.link.name, seen)
        elif "proxy" in entry:
            if proxy := checked_proxy(_text(entry, "dst"), _text(entry, "dev")):
                proxies[proxy] = None
        elif "forwarding" in entry:
            if entry.get("interface") == "all":
                forwarding[_text(entry, "family")] = entry["forwarding"] is True
        elif "priority" in entry:
            rules.append(_rule(entry))
        elif "dst" in entry and len(routes) <= MAX_ROUTES and (route := _route(entry)):
            routes.append(route)
    if not links:
        problems.append("no links in the answer of ip")
    return NetView(
        tuple(links.values()),
        bounded_routes(routes, problems),
        tuple(proxies),
        policy_rules("\n".join(rules[:MAX_RULES]), "inet"),
        forwarding.get("inet"),
        forwarding.get("inet6"),
        tuple(problems),
    )


def _entries(text: str, problems: list[str]) -> Iterator[dict[str, Any]]:
    """The objects of all arrays in the text, one after the other."""
    decoder = json.JSONDecoder()
    position = 0
    cut = False
    while True:
        match = _BETWEEN.match(text, position)
        position = match.end() if match else position
        if position >= len(text):
            break
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            # An object that cannot be read: go on at the next document, which starts on a line of its own.
            cut = True
            position = text.find("\n[", position) + 1
            if not position:
                break
            continue
        if isinstance(value, dict):
            yield value
        else:
            cut = True
    if cut:
        problems.append("part of the answer of ip is not JSON or was cut off")


def _text(entry: dict[str, Any], key: str, limit: int = 64) -> str:
    value = entry.get(key)
    return clean(value, limit) if isinstance(value, str) else ""


def _number(entry: dict[str, Any], key: str, top: int = 2**32 - 1) -> int:
    value = entry.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= top else 0


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _link(entry: dict[str, Any]) -> SeenLink | None:
    name = shown_link_name(str(entry.get("ifname", "")))
    if not name:
        return None
    flags = [flag for flag in _list(entry.get("flags")) if isinstance(flag, str)]
    info = _dict(entry.get("linkinfo"))
    word, data = _text(info, "info_kind"), _dict(info.get("info_data"))
    base = shown_link_name(str(entry.get("link", "")))
    vlan, bond, bridge = None, None, None
    if word == "vlan" and base and 1 <= _number(data, "id") <= 4094:
        vlan = Vlan(base, _number(data, "id"))
    if word == "bond" and _text(data, "mode") in BOND_MODES:
        bond = Bond(BOND_MODES.index(_text(data, "mode")))
    if word == "bridge":
        # Every kernel answers vlan_filtering; only one that can do it answers vlan_protocol (br_netlink.c).
        filtering = bool(_number(data, "vlan_filtering")) if "vlan_protocol" in data else None
        bridge = Bridge(_number(data, "stp_state") != 0, _number(data, "forward_delay") / 100, filtering)
    addresses = [
        address
        for found in _list(entry.get("addr_info"))[:MAX_ADDRESSES]
        if (address := _address(_dict(found), name))
    ]
    return SeenLink(
        Link(
            name=name,
            kind=link_kind(name, "tap" if _text(data, "type") == "tap" else word),
            index=_number(entry, "ifindex", 2**31 - 1),
            mac=shown_mac(_text(entry, "address")),
            mtu=_number(entry, "mtu"),
            up="UP" in flags,
            carrier="LOWER_UP" in flags if "UP" in flags else None,
            master=shown_link_name(str(entry.get("master", ""))),
            vlan=vlan,
            bond=bond,
            bridge=bridge,
            addresses=tuple(addresses),
        ),
        word,
        _number(entry, "link_index", 2**31 - 1) or None,
        _text(entry, "qdisc", 16),
        foreign_vlan=word == "vlan" and _text(data, "protocol") not in {"", "802.1Q"},
    )


def _address(entry: dict[str, Any], dev: str) -> Address | None:
    found = host_address(_text(entry, "local"))
    prefix = _number(entry, "prefixlen", 128)
    if found is None or prefix > (32 if found.family == 4 else 128):
        return None
    label = _text(entry, "label", 15)
    peer = host_address(_text(entry, "address"))
    return Address(
        found.family,
        found.address,
        prefix,
        scope=_text(entry, "scope", 16) or "global",
        label="" if label == dev else label,
        peer=peer.address if peer else "",
        dynamic=entry.get("dynamic") is True,
    )


def _route(entry: dict[str, Any]) -> Route | None:
    if _text(entry, "type") in NOT_UNICAST:
        return None
    hops = [_dict(hop) for hop in _list(entry.get("nexthops"))[:64]]
    first = hops[0] if hops else entry
    gateway = _text(first, "gateway")
    dst, src = _text(entry, "dst"), _text(entry, "prefsrc")
    # Only IPv6 routes have a preference: what tells "default dev eth0" of one family from the other's. Old
    # kernels tell none; and a next hop that is said as `via` is of the family which the route is not of.
    is_6 = ":" in dst + gateway + src or "pref" in entry
    return checked_route(
        6 if is_6 else 4,
        dst,
        via=gateway or _text(_dict(first.get("via")), "host"),
        dev=_text(first, "dev"),
        table=_text(entry, "table"),
        proto=_text(entry, "protocol"),
        src=src,
        metric=_number(entry, "metric"),
        multipath=len(hops) > 1,
    )


def _rule(entry: dict[str, Any]) -> str:
    """A policy rule as `ip rule` would print it (ip/iprule.c, print_rule)."""
    words = [f"{_number(entry, 'priority')}:"]
    if "not" in entry:
        words.append("not")
    for key, word in (("src", "from"), ("dst", "to")):
        if address := _text(entry, key):
            length = f"/{_number(entry, key + 'len', 128)}" if key + "len" in entry else ""
            words += [word, address + length]
    for key, word in (
        ("tos", "tos"),
        ("fwmark", "fwmark"),
        ("iif", "iif"),
        ("oif", "oif"),
        ("table", "lookup"),
    ):
        if value := _text(entry, key):
            mask = f"/{_text(entry, 'fwmask')}" if key == "fwmark" and "fwmask" in entry else ""
            words += [word, value + mask]
    if action := _text(entry, "action"):
        words.append(action)
    return " ".join(words)
