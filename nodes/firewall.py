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
    sections: dict[str, str], sysctls: dict[str, str], names: frozenset[str]
) -> tuple[Finding, ...]:
    """Findings about filters, from the probe's sections iptables, ip6tables, nft and tc.

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
    for name in sorted(named & names):
        findings.append(
            Finding(
                "rule_names_link",
                f"Firewall rules name {name}; what reaches the server through a bridge does not match them",
                name,
            )
        )
    for name, qdisc in sorted(_shaped(sections.get("tc", "")).items()):
        if name in names:
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


def _shaped(text: str) -> dict[str, str]:
    """Links with a queueing discipline that somebody set: "qdisc htb 1: dev eth0 root ..."."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        words = line.split()
        if len(words) < 5 or words[0] != "qdisc" or "dev" not in words[2:-1]:
            continue
        name = words[words.index("dev", 2) + 1]
        if words[1] not in _PLAIN_QDISCS and shown_link_name(name):
            found.setdefault(name, shown_link_name(words[1]))
    return found
