"""A server as far as plans go: what a look finds after a plan has run. Pure.

It refuses what the kernel or the transaction script would refuse, so that a plan in a wrong order fails.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from networks.domain.wanted import ARP_IGNORE_ALL, carries_layer3
from networks.host.grammar import (
    Adopt,
    Bridge,
    Errand,
    HostPlan,
    IpAdd,
    IpDel,
    KeepBridge,
    NetifAdd,
    NetifDel,
    Port,
    RemoveBridge,
    RemoveVlan,
    Save,
    Step,
    Vlan,
)
from nodes.facts import Bridge as BridgeFacts
from nodes.facts import Container, ContainerInterface, Link, ServerFacts, Transaction
from nodes.facts import Vlan as VlanFacts

ADAPTERS = ("nic", "bond", "vlan")


class Refused(Exception):
    """The server would refuse this step."""


def simulate(facts: ServerFacts, plan: HostPlan) -> ServerFacts:
    """What a look finds after the plan has been applied, confirmed and followed by vzctl."""
    machine = _Machine(facts, plan)
    for step in plan.steps:
        machine.run(step)
    for errand in plan.errands:
        machine.errand(errand)
    return machine.look(plan)


class _Machine:
    def __init__(self, facts: ServerFacts, plan: HostPlan) -> None:
        self.facts = facts
        self.links = {link.name: link for link in facts.links}
        self.routes, self.proxies = list(facts.routes), list(facts.proxies)
        # What the panel put where, by the server's record; the script releases nothing else.
        self.put: dict[str, str] = {}
        for line in facts.transaction.committed:
            words = line.split()
            if words[:2] == ["keep", "bridge"] and words[3] != "-":
                self.put[words[3]] = words[2]
        self.kept = {keep.bridge: keep for keep in plan.keeps if isinstance(keep, KeepBridge)}
        self.emptied: set[str] = set()

    def run(self, step: Step) -> None:
        match step:
            case Vlan(dev, base, vid):
                self.vlan(dev, base, vid)
            case Bridge(bridge, adapter):
                self.bridge(bridge, adapter)
            case Adopt(bridge, adapter):
                self.need(self.link(adapter).master == bridge, f"{bridge} does not hold {adapter}")
            case Port(iface, bridge):
                self.port(iface, bridge)
            case RemoveBridge(bridge, adapter):
                self.remove_bridge(bridge, adapter)
            case RemoveVlan(dev):
                link = self.link(dev)
                self.need(link.vlan is not None and not link.master and not link.addresses, f"{dev} in use")
                del self.links[dev]

    def need(self, holds: bool, text: str) -> None:
        if not holds:
            raise Refused(text)

    def link(self, name: str) -> Link:
        self.need(name in self.links, f"{name} is not there")
        return self.links[name]

    def change(self, name: str, **fields: object) -> None:
        self.links[name] = replace(self.link(name), **fields)

    def up(self, name: str) -> None:
        """No VLAN adapter without its base, with which all of them come up (net/8021q)."""
        vlan = self.link(name).vlan
        self.need(vlan is None or self.link(vlan.base).up, f"the base of {name} is down")
        for one in [
            x.name for x in self.links.values() if x.name == name or (x.vlan and x.vlan.base == name)
        ]:
            self.change(one, up=True)

    def vlan(self, dev: str, base: str, vid: int) -> None:
        self.need(self.link(base).kind in ("nic", "bond"), f"{base} is no base")
        same_tag = [x.name for x in self.links.values() if x.vlan == VlanFacts(base, vid) and x.name != dev]
        self.need(not same_tag, f"VLAN {vid} on {base} exists as {same_tag}")
        if dev not in self.links:
            under = self.link(base)
            self.links[dev] = Link(dev, "vlan", mac=under.mac, mtu=under.mtu, vlan=VlanFacts(base, vid))
        self.need(self.link(dev).vlan == VlanFacts(base, vid), f"{dev} is something else")
        self.up(base)
        self.up(dev)

    def bridge(self, bridge: str, adapter: str) -> None:
        if bridge not in self.links:
            self.links[bridge] = Link(bridge, "bridge", mac="fe:00:00:00:00:01", mtu=1500)
        self.need(self.link(bridge).kind == "bridge", f"{bridge} is no bridge")
        self.change(bridge, up=True, bridge=BridgeFacts(False, 0, True))
        for held in [x for x in self.links.values() if x.master == bridge and x.kind in ADAPTERS]:
            if held.name != adapter:
                self.release(held.name, bridge)
        if not adapter:
            return
        link = self.link(adapter)
        self.need(link.kind in ADAPTERS, f"{adapter} is no adapter")
        if link.master and link.master != bridge:
            self.release(adapter, link.master)
        self.move(adapter, bridge)
        self.change(adapter, master=bridge)
        self.up(adapter)
        self.change(bridge, mac=link.mac, mtu=link.mtu, mac_pinned=True)
        self.put[adapter] = bridge

    def release(self, adapter: str, bridge: str) -> None:
        self.need(self.put.get(adapter) == bridge, f"{bridge} holds {adapter}, which is not ours")
        self.move(bridge, adapter)
        self.change(adapter, master="")

    def move(self, source: str, target: str) -> None:
        """Layer 3: addresses, routes and proxied neighbours."""
        addresses = self.link(source).addresses
        self.change(source, addresses=())
        self.change(target, addresses=(*self.link(target).addresses, *addresses))
        self.routes = [replace(r, dev=target) if r.dev == source else r for r in self.routes]
        self.proxies = [replace(p, dev=target) if p.dev == source else p for p in self.proxies]

    def port(self, iface: str, bridge: str) -> None:
        self.need(self.link(iface).kind == "veth", f"{iface} is no container's interface")
        if bridge:
            self.need(self.link(bridge).kind == "bridge", f"{bridge} is no bridge")
        self.change(iface, master=bridge, up=True)

    def remove_bridge(self, bridge: str, adapter: str) -> None:
        self.need(self.link(bridge).kind == "bridge", f"{bridge} is no bridge")
        for held in [x for x in self.links.values() if x.master == bridge]:
            if held.kind in ADAPTERS:
                self.release(held.name, bridge)
            self.change(held.name, master="")
        self.need(not self.link(bridge).addresses, f"{bridge} keeps addresses")
        self.emptied.add(bridge)

    def errand(self, errand: Errand) -> None:
        """What vzctl does after the commit."""
        by_ctid = {container.ctid: container for container in self.facts.containers}
        self.need(errand.ctid in by_ctid, f"there is no container {errand.ctid}")
        container = by_ctid[errand.ctid]
        interfaces = {i.ifname: i for i in container.interfaces}
        match errand:
            case NetifAdd(_, _, ifname, mac, host, bridge):
                self.need(ifname not in interfaces, f"{ifname} exists")
                host = host or next(name for n in count(1) if (name := f"veth{n:08x}") not in self.links)
                interfaces[ifname] = ContainerInterface(
                    ifname, "bridged", mac=mac, host_ifname=host, configured_bridge=bridge
                )
                if container.status == "running":
                    self.need(not bridge or self.link(bridge).kind == "bridge", f"{bridge} is no bridge")
                    self.links[host] = Link(host, "veth", mtu=1500, up=True, master=bridge)
            case NetifDel(_, _, ifname):
                self.need(ifname in interfaces, f"{ifname} is not there")
                self.links.pop(interfaces.pop(ifname).host_ifname, None)
            case IpAdd(_, _, ifname, address) | IpDel(_, _, ifname, address):
                container = _addressed(container, ifname, address, isinstance(errand, IpAdd))
                interfaces = {i.ifname: i for i in container.interfaces}
        container = replace(container, interfaces=tuple(interfaces.values()))
        self.facts = replace(self.facts, containers=tuple({**by_ctid, errand.ctid: container}.values()))

    def look(self, plan: HostPlan) -> ServerFacts:
        saved = {(save.ctid, save.ifname): save for save in plan.saves if isinstance(save, Save)}
        containers = tuple(
            replace(
                c,
                interfaces=tuple(
                    replace(i, configured_bridge=_saved(saved[c.ctid, i.ifname]))
                    if (c.ctid, i.ifname) in saved
                    else i
                    for i in c.interfaces
                ),
            )
            for c in self.facts.containers
        )
        refers = {i.configured_bridge for c in containers for i in c.interfaces}
        for bridge in self.emptied - refers:
            del self.links[bridge]
        facts = replace(
            self.facts,
            routes=tuple(self.routes),
            proxies=tuple(self.proxies),
            containers=containers,
            links=tuple(self.links.values()),
            transaction=Transaction("t", "", (*(" ".join(keep.words()) for keep in plan.keeps), "end")),
        )
        links = [
            replace(link, ipv6_disabled=True, arp_ignore=ARP_IGNORE_ALL)
            if link.name in self.kept
            and not self.kept[link.name].adopted
            and not carries_layer3(link.name, facts)
            else link
            for link in facts.links
        ]
        return replace(facts, links=tuple(links))


def _addressed(container: Container, ifname: str, address: str, is_wanted: bool) -> Container:
    """The container with an address more or less in its saved configuration."""
    if ifname == "venet0":
        host = address.partition("/")[0]
        kept = tuple(a for a in container.host_routed if a != host)
        return replace(container, host_routed=(*kept, *([host] if is_wanted else [])))
    interfaces = []
    for one in container.interfaces:
        if one.ifname == ifname:
            kept = tuple(a for a in one.configured_addresses if a != address)
            one = replace(one, configured_addresses=(*kept, *([address] if is_wanted else [])))
        interfaces.append(one)
    return replace(container, interfaces=tuple(interfaces))


def _saved(save: Save) -> str:
    return save.bridge or ("vn-none" if save.dialect == "4" else "")
