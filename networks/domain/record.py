"""A server's own record of what was committed there: what its boot brings back (networks/host/README.md)."""

from __future__ import annotations

from networks.domain.wanted import Wanted, committed_keeps
from networks.host.grammar import Keep, KeepBridge, KeepVlan
from nodes.facts import ServerFacts


def keeps_of(wanted: Wanted) -> tuple[Keep, ...]:
    """The `keep` lines of a server that is as wanted."""
    vlans = [KeepVlan(vlan.name, vlan.base, vlan.vid) for vlan in wanted.vlans.values()]
    bridges = [KeepBridge(here.bridge, here.adapter, here.adopted) for here in wanted.bridges.values()]
    return (*sorted(vlans, key=lambda k: k.dev), *sorted(bridges, key=lambda k: k.bridge))


def record_differs(wanted: Wanted, facts: ServerFacts) -> tuple[frozenset[str], frozenset[str]]:
    """What the record lacks and what it has beyond, as lines "bridge vn-a eth0"; both empty: it agrees."""
    should = {" ".join(keep.words()[1:]) for keep in keeps_of(wanted)}
    has = {" ".join(words) for words in committed_keeps(facts)}
    return frozenset(should - has), frozenset(has - should)


def saves_recorded(facts: ServerFacts) -> dict[tuple[str, str], str]:
    """The bridge ("-": none) that the record has vzctl save, by CTID and interface name."""
    lines = (line.split() for line in facts.transaction.committed if line.startswith("save "))
    return {(words[2], words[3]): words[5] for words in lines if len(words) == 6}


def additions_recorded(facts: ServerFacts) -> dict[tuple[str, str], str]:
    """The bridge ("": none) in which the record has vzctl make an interface, by CTID and interface name."""
    lines = (line.split() for line in facts.transaction.committed if line.startswith("netif_add "))
    return {(words[2], words[3]): words[6].removeprefix("-") for words in lines if len(words) == 7}
