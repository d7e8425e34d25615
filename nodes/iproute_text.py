"""Parser of what `ip -o` prints, for iproute2 without JSON and for guests. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import replace

from nodes.facts import Address, Bond, Bridge, Link, ProxyEntry, Route, Vlan
from nodes.iproute import (
    BOND_MODES,
    MAX_ADDRESSES,
    MAX_LINKS,
    NOT_UNICAST,
    Family,
    NetView,
    SeenLink,
    bounded_routes,
    checked_proxy,
    checked_route,
    link_kind,
    policy_rules,
)
from nodes.names import clean, host_address, shown_link_name, shown_mac


def parse_text(text: str) -> NetView:
    """Answers of `ip -o`, each after a line "%name" (see `view` in nodes/probe.sh)."""
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.split("\n"):
        if line.startswith("%") and " " not in line:
            lines = parts.setdefault(line[1:], [])
        elif line.strip():
            lines.append(line)
    problems: list[str] = []
    links: dict[str, SeenLink] = {}
    for line in parts.get("link", ())[:MAX_LINKS]:
        if seen := _link(line):
            links.setdefault(seen.link.name, seen)
    if not links:
        problems.append("no links in the answer of ip")
    _add_addresses(links, parts.get("addr", ()))
    _mark_bridges(links, parts.get("bridges", ()))
    routes = [route for line in parts.get("route4", ()) if (route := _route(line, 4))]
    routes += [route for line in parts.get("route6", ()) if (route := _route(line, 6))]
    forwarding = dict(line.split(" ", 1) for line in parts.get("forward", ()) if " " in line)
    return NetView(
        tuple(links.values()),
        bounded_routes(routes, problems),
        _proxies(parts),
        (
            *policy_rules("\n".join(parts.get("rule4", ())), "inet"),
            *policy_rules("\n".join(parts.get("rule6", ())), "inet6"),
        ),
        _switch(forwarding.get("4")),
        _switch(forwarding.get("6")),
        tuple(problems),
    )


def _switch(word: str | None) -> bool | None:
    return None if word is None or not word.strip() else word.strip() == "1"


_LINK_LINE = re.compile(r"(\d{1,9}): ([^\s:@]{1,60})(?:@([^\s:]{1,60}))?: <([A-Z0-9_,-]*)>(.*)")
_ADDRESS_LINE = re.compile(r"\d{1,9}: (\S{1,60})\s+(inet6?) (\S+) ?(.*)")


def _pairs(words: Iterable[str]) -> dict[str, str]:
    """Every word with the word after it: iproute2's text is mostly that, whatever the version adds."""
    listed = list(words)
    return dict(reversed(list(itertools.pairwise(listed))))


def _link(line: str) -> SeenLink | None:
    match = _LINK_LINE.match(line[:4000])
    name = shown_link_name(match[2]) if match else ""
    if match is None or not name:
        return None
    flags, below = match[4].split(","), match[3] or ""
    header, *details = re.split(r"\\\s*", match[5])
    said = _pairs(header.split())
    mac, word, about = "", "", ""
    for detail in details:
        first = detail.split(" ", 1)[0]
        if first.startswith("link/"):
            mac = detail.split(" ")[1] if " " in detail else ""
        elif first and not first.endswith("_slave") and not word:
            word, about = first, detail
    more = _pairs(about.split())
    vlan, bond, bridge = None, None, None
    if word == "vlan" and shown_link_name(below) and 1 <= _decimal(more.get("id")) <= 4094:
        vlan = Vlan(below, _decimal(more.get("id")))
    if word == "bond" and more.get("mode") in BOND_MODES:
        bond = Bond(BOND_MODES.index(more["mode"]))
    if word == "bridge":
        # Every kernel answers vlan_filtering; only one that can do it answers vlan_protocol (br_netlink.c).
        filtering = more.get("vlan_filtering") == "1" if "vlan_protocol" in more else None
        bridge = Bridge(
            more.get("stp_state", "0") != "0", _decimal(more.get("forward_delay")) / 100, filtering
        )
    return SeenLink(
        Link(
            name=name,
            kind=link_kind(name, word),
            index=_decimal(match[1]),
            mac=shown_mac(mac),
            mtu=_decimal(said.get("mtu")),
            up="UP" in flags,
            carrier="LOWER_UP" in flags if "UP" in flags else None,
            master=shown_link_name(said.get("master", "")),
            vlan=vlan,
            bond=bond,
            bridge=bridge,
        ),
        word,
        _decimal(below[2:]) or None if re.fullmatch(r"if\d{1,9}", below) else None,
        clean(said.get("qdisc", ""), 16),
        foreign_vlan=word == "vlan" and more.get("protocol", "802.1Q") != "802.1Q",
    )


def _decimal(text: str | None, top: int = 2**32 - 1) -> int:
    if text is None or not re.fullmatch(r"[0-9]{1,10}", text):
        return 0
    return int(text) if int(text) <= top else 0


def _add_addresses(links: dict[str, SeenLink], lines: Iterable[str]) -> None:
    for line in lines:
        match = _ADDRESS_LINE.match(line[:1000])
        seen = links.get(match[1].split("@")[0]) if match else None
        if match is None or seen is None or len(seen.link.addresses) >= MAX_ADDRESSES:
            continue
        if address := _address(match[3], match[4], seen.link.name):
            link = replace(seen.link, addresses=(*seen.link.addresses, address))
            links[link.name] = replace(seen, link=link)


def _address(address: str, rest: str, dev: str) -> Address | None:
    words = rest.split("\\")[0].split()
    said = _pairs(words)
    # "inet 10.8.0.1 peer 10.8.0.2/32": the length is the peer's.
    peer = host_address(said.get("peer", ""))
    found = host_address(address)
    if found is None:
        return None
    label = words[-1] if words and (words[-1] == dev or words[-1].startswith(f"{dev}:")) else ""
    return Address(
        found.family,
        found.address,
        peer.prefix if peer and "/" not in address else found.prefix,
        scope=clean(said.get("scope", "global"), 16),
        label="" if label == dev else clean(label, 15),
        peer=peer.address if peer else "",
        dynamic="dynamic" in words,
    )


def _mark_bridges(links: dict[str, SeenLink], lines: Iterable[str]) -> None:
    """Bridges and their ports by sysfs paths, for an ip that shows neither."""
    for path in " ".join(lines).split():
        words = path.split("/")
        if len(words) < 6 or words[:4] != ["", "sys", "class", "net"] or "*" in path:
            continue
        seen = links.get(words[4])
        if words[5] == "bridge" and seen:
            link = replace(seen.link, kind="bridge", bridge=seen.link.bridge or Bridge(False, 0.0))
            links[words[4]] = replace(seen, link=link)
        elif words[5] == "brif" and len(words) == 7 and (port := links.get(words[6])):
            links[words[6]] = replace(port, link=replace(port.link, master=port.link.master or words[4]))


def _route(line: str, family: Family) -> Route | None:
    words = line[:2000].replace("\\", " ").split()
    # "cache": learnt by the kernel from another route; EL6's ip lists such ones of IPv6.
    if not words or words[0] in NOT_UNICAST or "cache" in words:
        return None
    if words[0] == "unicast":
        words = words[1:]
    said = _pairs(words[1:])
    via = said.get("via", "")
    if via in {"inet", "inet6"}:  # a gateway of the other family
        via = said.get(via, "")
    return checked_route(
        family,
        words[0] if words else "",
        via=via,
        dev=said.get("dev", ""),
        table=clean(said.get("table", ""), 64),
        # Not shown without -d: what a person or a script added (RTPROT_BOOT in ip/iproute.c).
        proto=clean(said.get("proto", "boot"), 64),
        src=said.get("src", ""),
        metric=_decimal(said.get("metric")),
        multipath=words.count("nexthop") > 1,
    )


def _proxies(parts: dict[str, list[str]]) -> tuple[ProxyEntry, ...]:
    found: dict[ProxyEntry, None] = {}
    for line in parts.get("proxy", ()):
        words = line.split()
        if "proxy" in words[1:] and (entry := checked_proxy(words[0], _pairs(words).get("dev", ""))):
            found[entry] = None
    # /proc/net/arp "ADDRESS MAC MASK DEVICE" of published entries, for an ip that cannot show them.
    for line in parts.get("arp", ()):
        words = line.split()
        if words and (entry := checked_proxy(words[0], words[-1])):
            found[entry] = None
    return tuple(found)
