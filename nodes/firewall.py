"""Traits of the server's packet filters that bridging would trip over. Pure; never raises.

The panel changes no rule: it says what is there and why it matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nodes.facts import Finding
from nodes.names import shown_link_name

_PLAIN_QDISCS = frozenset({"noqueue", "pfifo_fast", "fq_codel", "fq", "mq", "noop", "pfifo", "multiq"})
_TABLES_RULE = re.compile(r"\s(?:-i|-o|--physdev-in|--physdev-out)\s+(\S{1,15})")
_NFT_RULE = re.compile(r'\b[io]if(?:name)?\s+(?:!=\s+)?(?:\{([^}]{1,500})\}|"?([^\s"{}]{1,15})"?)')
_NFT_TABLE = re.compile(r"table\s+(\S+)\s")


def firewall_traits(
    sections: dict[str, str], sysctls: dict[str, str], qdiscs: dict[str, str]
) -> tuple[Finding, ...]:
    """Findings about filters, from the probe's sections iptables, ip6tables and nft.

    `qdiscs` are the server's links with their root queueing disciplines (an ingress one shows nowhere here).
    Codes: forward_drop (bridged frames are filtered and forwarding is refused by default), rule_names_link
    (`subject` is the link that rules name), traffic_control (`subject` is the link).
    """
    nft = sections.get("nft", "")
    families = _nft_forward_drops(nft)
    if re.search(r"^:FORWARD (DROP|REJECT)", sections.get("iptables", ""), re.MULTILINE):
        families.add("ip")
    if re.search(r"^:FORWARD (DROP|REJECT)", sections.get("ip6tables", ""), re.MULTILINE):
        families.add("ip6")
    findings = [*_drops(families, sysctls)]
    named = _named(sections.get("iptables", ""), sections.get("ip6tables", ""), nft)
    for name in sorted(named & set(qdiscs)):
        findings.append(
            Finding(
                "rule_names_link",
                f"Firewall rules name {name}; what reaches the server through a bridge does not match them",
                name,
            )
        )
    for name, qdisc in sorted(qdiscs.items()):
        if qdisc and qdisc not in _PLAIN_QDISCS:
            findings.append(
                Finding(
                    "traffic_control",
                    f"Traffic control ({qdisc}) is set on {name}; it will see bridged traffic as well",
                    name,
                )
            )
    return tuple(findings[:200])


def _drops(families: set[str], sysctls: dict[str, str]) -> Iterable[Finding]:
    for family, key, label in (("ip", "iptables", "IPv4"), ("ip6", "ip6tables", "IPv6")):
        if families & {family, "inet"} and sysctls.get(f"net.bridge.bridge-nf-call-{key}") == "1":
            yield Finding(
                "forward_drop",
                f"{label} forwarding is refused by default and net.bridge.bridge-nf-call-{key} is 1: "
                "containers in a bridge will not reach each other",
                family,
            )
    if "bridge" in families:
        yield Finding(
            "forward_drop",
            "A bridge filter of nftables refuses forwarding between ports by default",
            "bridge",
        )


def _nft_forward_drops(text: str) -> set[str]:
    """Families of tables with a forward chain that drops by default."""
    found, family = set(), ""
    for line in text.split("\n"):
        if match := _NFT_TABLE.match(line.strip()):
            family = match[1]
        elif "hook forward" in line and "policy drop" in line:
            found.add(family)
    return found


def _named(*texts: str) -> set[str]:
    """Names of links in rules, whole ones only ("eth+" and "eth*" are patterns, not names)."""
    found: set[str] = set()
    for text in texts:
        for line in text.split("\n"):
            found.update(_TABLES_RULE.findall(line[:2000]))
            for listed, single in _NFT_RULE.findall(line[:2000]):
                found.update(word.strip(' "') for word in (listed or single).split(","))
    return {name for name in found if shown_link_name(name)}
