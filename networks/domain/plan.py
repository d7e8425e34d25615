"""From desired and observed to the ordered, typed steps that make them one, for one server. Pure.

A plan names only what is the panel's (its bridges and VLAN adapters), adapters that desired assigns, and host
sides of members. Everything else stays as it is; where it is in the way, a note says so. The plan of a
server that is as desired has no step. What a draft does to containers themselves (errands) comes after the
commit, by vzctl, which saves outside any rollback.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from networks.domain.errands import host_ifname
from networks.domain.inventory import Inventory, ServerView
from networks.domain.names import is_link_name, name_bridges
from networks.domain.record import additions_recorded, keeps_of, record_differs, saves_recorded
from networks.domain.state import AddressChange, Desired, InterfaceKey, NewInterface, VlanAdapter
from networks.domain.wanted import (
    Adopted,
    Ours,
    Wanted,
    WantedBridge,
    adapters_in,
    bridge_faults,
    bridge_holding,
    committed_keeps,
    ours_on,
    wanted_on,
)
from networks.host.grammar import (
    Adopt,
    Bridge,
    Errand,
    HostPlan,
    IpAdd,
    IpDel,
    NetifAdd,
    NetifDel,
    Place,
    Port,
    RemoveBridge,
    RemoveVlan,
    Save,
    Step,
    Vlan,
)
from nodes.facts import Container, ContainerInterface, Dialect, Link, ServerFacts
from nodes.facts import Vlan as VlanFacts

__all__ = ["Adopted", "NotLookedAt", "ServerPlan", "plan"]

_OF_CONTAINERS = ("veth", "tap", "other")
"""Kinds of links that can be a container's end on the server."""


class NotLookedAt(ValueError):
    """No plan without a look at the server."""


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """What is to be done on one server, with sentences about what is passed over and why.

    `adopted` are bridges to record with their assignments (`wanted.record_adopted`) when it is done.
    `is_empty`: nothing is to be run, the server is as desired and its own record says so.
    """

    host: HostPlan = field(default_factory=HostPlan)
    notes: tuple[str, ...] = ()
    adopted: tuple[Adopted, ...] = ()
    is_empty: bool = True


def plan(server: ServerView, desired: Desired, before: Desired, inventory: Inventory) -> ServerPlan:
    """The plan that brings the server to `desired`.

    `before` is what this server last committed: what it has and `desired` has not is taken away. Networks
    without a bridge name get one; for many servers name them once before (`names.name_bridges`), which is
    also what is to be stored. Raises NotLookedAt without facts. A Windows server gets an empty plan.
    """
    if server.os == "windows":
        return ServerPlan(notes=(f"{server.name} runs Windows and is only shown.",))
    if server.facts is None:
        raise NotLookedAt(f"{server.name} has not been looked at")
    named = name_bridges(desired, inventory.bridge_names)
    return _Planner(server, server.facts, named, before).plan()


@dataclass(slots=True)
class _Planner:
    """Collects one server's steps; each method adds one kind."""

    server: ServerView
    facts: ServerFacts
    desired: Desired
    before: Desired
    notes: list[str] = field(default_factory=list)
    saves: list[Save | Place] = field(default_factory=list)
    ours: Ours = field(init=False)
    wanted: Wanted = field(init=False)
    former: Wanted = field(init=False)
    recorded: dict[tuple[str, str], str] = field(init=False)
    on_other_vlan: set[str] = field(default_factory=set)
    """Bridges that hold another VLAN adapter than the one decided on."""

    def plan(self) -> ServerPlan:
        self.recorded = saves_recorded(self.facts)
        self.ours = ours_on(self.server.id, self.facts, self.before, self.desired)
        self.wanted = wanted_on(self.server.id, self.desired, self.facts, self.ours, self.before)
        self.former = wanted_on(self.server.id, self.before, self.facts, self.ours, self.before)
        vlans, gone_vlans = self._vlans(), self._gone_vlans()
        bridges = self._bridges({step.dev for step in vlans})
        removed = self._removed_bridges()
        ports = self._ports({step.bridge for step in bridges if isinstance(step, Bridge)}, removed)
        early = [r for r in removed if any(r.adapter and r.adapter == b.adapter for b in bridges)]
        late = [r for r in removed if r not in early]
        steps: list[Step] = [*vlans, *early, *self._freeing_first(bridges), *ports, *late, *gone_vlans]
        errands = tuple(self._errands())
        host = HostPlan(tuple(steps), keeps_of(self.wanted), tuple(self.saves), errands)
        return ServerPlan(
            host,
            tuple(dict.fromkeys(self.notes)),
            self._adopted(),
            is_empty=not (steps or self.saves or errands or any(record_differs(self.wanted, self.facts))),
        )

    # --- VLAN adapters ---

    def _vlans(self) -> list[Vlan]:
        steps = []
        for vlan in self.wanted.vlans.values():
            link = self.facts.link(vlan.name)
            if self._is_made_anew(vlan):
                self.notes.append(f"{vlan.name} is not VLAN {vlan.vid} on {vlan.base}: it is left as it is.")
            elif self.facts.link(vlan.base) is None:
                self.notes.append(f"{vlan.base} is not there, so VLAN adapter {vlan.name} cannot be.")
            elif link is None or not link.up:
                steps.append(Vlan(vlan.name, vlan.base, vlan.vid))
        return steps

    def _is_made_anew(self, vlan: VlanAdapter) -> bool:
        """Somebody has put another link in its place: frames of a network on it would get elsewhere."""
        link = self.facts.link(vlan.name)
        return link is not None and link.vlan != VlanFacts(vlan.base, vlan.vid)

    def _gone_vlans(self) -> list[RemoveVlan]:
        steps: list[RemoveVlan] = []
        for name in self._from_the_top(n for n in self.ours.vlans if n not in self.wanted.vlans):
            base, vid = self.ours.vlans[name]
            link = self.facts.link(name)
            if link is None:
                continue
            holder = bridge_holding(name, self.facts)
            uppers = [u.name for u in self._uppers(name) if RemoveVlan(u.name) not in steps]
            if link.vlan != VlanFacts(base, vid):
                self.notes.append(f"{name} is not the VLAN adapter that the panel made: it is left as it is.")
            elif holder and name not in self.ours.bridges.get(holder, ()):
                self.notes.append(f"{name} stays: bridge {holder}, which is not the panel's, holds it.")
            elif uppers:
                verb = "stands" if len(uppers) == 1 else "stand"
                self.notes.append(f"{name} stays: {', '.join(uppers)} {verb} on it.")
            else:
                steps.append(RemoveVlan(name))
        return steps

    def _uppers(self, name: str) -> list[Link]:
        return [link for link in self.facts.links if link.vlan is not None and link.vlan.base == name]

    def _from_the_top(self, names: Iterable[str]) -> list[str]:
        """In such an order that each goes before its base, with which the kernel would take it away."""
        waiting, ordered = list(names), list[str]()
        while waiting:
            # A server can say anything: adapters that stand on each other in a circle come as they are.
            top = [n for n in waiting if not any(u.name in waiting for u in self._uppers(n))] or waiting
            ordered += top
            waiting = [n for n in waiting if n not in top]
        return ordered

    # --- bridges ---

    def _bridges(self, new_vlans: set[str]) -> list[Bridge | Adopt]:
        steps: list[Bridge | Adopt] = []
        for here in self.wanted.bridges.values():
            leads_elsewhere = self._leads_elsewhere(here)
            if here.adopted:
                steps.extend(self._adopt(here))
            elif leads_elsewhere:
                continue
            elif here.adapter and here.adapter not in new_vlans and self.facts.link(here.adapter) is None:
                self.notes.append(f"{here.adapter} is not there, so {here.bridge} cannot be bridged to it.")
            elif self._needs_step(here) and not self._is_taken(here):
                steps.append(Bridge(here.bridge, here.adapter))
        return steps

    def _leads_elsewhere(self, here: WantedBridge) -> bool:
        """Its VLAN adapter is another one by now: bridged to it, the network would be on a wrong VLAN."""
        vlan = self.wanted.vlans.get(here.adapter)
        if vlan is None or not self._is_made_anew(vlan):
            return False
        decided = f"VLAN {vlan.vid} on {vlan.base}"
        if bridge_holding(vlan.name, self.facts) == here.bridge:
            self.on_other_vlan.add(here.bridge)
            self.notes.append(f"{here.bridge} holds {vlan.name} and keeps it, though that is not {decided}.")
        else:
            self.notes.append(
                f"{here.bridge} cannot be bridged to {vlan.name} until that is {decided} again."
            )
        return True

    def _adopt(self, here: WantedBridge) -> list[Adopt]:
        assignment = self.desired.assignment(here.network, self.server.id)
        if assignment is not None and not assignment.bridge:
            strangers = self._strangers(here.bridge, besides={here.adapter})
            if strangers:
                self.notes.append(
                    f"{here.bridge} also holds {', '.join(strangers)}, which the panel does not manage."
                )
            return [Adopt(here.bridge, here.adapter)]
        if bridge_holding(here.adapter, self.facts) != here.bridge:
            self.notes.append(
                f"{here.adapter} is not in {here.bridge} any more. The panel did not make that bridge and "
                "leaves it as it is: put the adapter back, or take the network off this server and assign it "
                "anew."
            )
        return []

    def _is_taken(self, here: WantedBridge) -> bool:
        """Somebody has put the adapter into a bridge of theirs since: that never stops unrelated edits."""
        holder = bridge_holding(here.adapter, self.facts) if here.adapter else ""
        if holder in ("", here.bridge) or here.adapter in self.ours.bridges.get(holder, ()):
            return False
        self.notes.append(
            f"{here.adapter} is in {holder}, which the panel did not make, so {here.bridge} cannot have it: "
            "take it out there, or take the network off this server and assign it anew."
        )
        return True

    def _needs_step(self, here: WantedBridge) -> bool:
        link = self.facts.link(here.bridge)
        if link is None:
            return True
        held = {adapter.name for adapter in adapters_in(here.bridge, self.facts)}
        foreign = held - self.ours.bridges.get(here.bridge, frozenset()) - {here.adapter}
        for name in sorted(foreign):
            self.notes.append(f"{here.bridge} holds {name}, which the panel did not put there: it stays.")
        differs = held - foreign != ({here.adapter} if here.adapter else set())
        return differs or bool(bridge_faults(here, self.facts))

    def _removed_bridges(self) -> list[RemoveBridge]:
        recorded = {words[1] for words in committed_keeps(self.facts) if words[0] == "bridge"}
        recorded |= {here.bridge for here in self.former.bridges.values() if not here.adopted}
        steps = []
        for bridge in sorted(recorded - self.wanted.bridges.keys()):
            link = self.facts.link(bridge)
            if link is None or link.kind != "bridge":
                continue
            held = [adapter.name for adapter in adapters_in(bridge, self.facts)]
            mine = [name for name in held if name in self.ours.bridges.get(bridge, ())]
            for name in held:
                if name not in mine:
                    self.notes.append(f"{bridge} holds {name}, which the panel did not put there.")
            strangers = self._strangers(bridge, besides=set(held))
            if strangers:
                verb = "leaves" if len(strangers) == 1 else "leave"
                self.notes.append(f"{', '.join(strangers)} {verb} {bridge}, which goes.")
            steps.append(RemoveBridge(bridge, mine[0] if mine else ""))
        return steps

    def _strangers(self, bridge: str, besides: set[str]) -> list[str]:
        members = {*self.wanted.ports, *self.former.ports}
        known = {
            interface.host_ifname
            for container in self.facts.containers
            for interface in container.interfaces
            if InterfaceKey(self.server.id, container.ctid, interface.ifname) in members
        }
        return [link.name for link in self.facts.ports(bridge) if link.name not in known | besides]

    def _freeing_first(self, steps: list[Bridge | Adopt]) -> list[Bridge | Adopt]:
        """Steps in such an order that an adapter leaves a bridge before another takes it.

        Two bridges that swap their adapters have no such order; the server's script lets the first take
        from the second.
        """
        by_bridge = {step.bridge: step for step in steps}
        ordered: dict[str, Bridge | Adopt] = {}
        for first in steps:
            chain = []
            step: Bridge | Adopt | None = first
            while step is not None and step.bridge not in ordered and step not in chain:
                chain.append(step)
                holder = bridge_holding(step.adapter, self.facts) if step.adapter else ""
                step = by_bridge.get(holder) if holder != step.bridge else None
            ordered |= {step.bridge: step for step in reversed(chain)}
        return list(ordered.values())

    # --- container interfaces ---

    def _ports(self, made: set[str], removed: list[RemoveBridge]) -> list[Port]:
        going = {step.bridge for step in removed}
        leaving_from = set(self.ours.bridges) | set(self.former.bridges)
        steps: dict[str, Port] = {}
        found: set[InterfaceKey] = set()
        for container in self.facts.containers:
            for interface in container.interfaces:
                key = InterfaceKey(self.server.id, container.ctid, interface.ifname)
                if key in found:
                    continue
                found.add(key)
                step: Port | None = None
                bridge = self.wanted.ports.get(key)
                if bridge is not None:
                    step = self._join(container, interface, bridge, made)
                elif key in self.former.ports:
                    step = self._leave(container, interface, leaving_from, going)
                elif key in self.desired.gone_interfaces:
                    continue
                elif interface.configured_bridge in going and interface.mode == "bridged":
                    self.notes.append(
                        f"Container {container.ctid} has {interface.configured_bridge} saved for "
                        f"{interface.ifname} though it is no member; that is cleared, as the bridge goes."
                    )
                    self._save(container, interface, "")
                if step is not None and steps.setdefault(step.iface, step) is not step:
                    self.notes.append(f"Two interfaces claim {step.iface}: only the first is moved.")
        coming = {new.interface for new in self.desired.new_interfaces}
        for key in sorted(self.wanted.ports.keys() - found - coming):
            self.notes.append(f"{key.ifname} of Container {key.ctid} is not on this server: passed over.")
        self._place_unmade(found | coming)
        return list(steps.values())

    def _place_unmade(self, known: set[InterfaceKey]) -> None:
        """Interfaces that an earlier Change has vzctl make are made where they belong by now."""
        for (ctid, ifname), recorded in additions_recorded(self.facts).items():
            key = InterfaceKey(self.server.id, ctid, ifname)
            bridge = self.wanted.ports.get(key, "")
            if key not in known and key not in self.desired.gone_interfaces and bridge != recorded:
                self._place(key, bridge)

    def _place(self, key: InterfaceKey, bridge: str) -> None:
        if self.facts.vzctl_dialect is not None and is_link_name(key.ifname):
            self.saves.append(Place(self.facts.vzctl_dialect, key.ctid, key.ifname, bridge))
            where = f"in {bridge}" if bridge else "in no network"
            self.notes.append(
                f"What vzctl has yet to do for {key.ifname} of Container {key.ctid} is done {where} now."
            )

    def _join(
        self, container: Container, interface: ContainerInterface, bridge: str, made: set[str]
    ) -> Port | None:
        if interface.mode == "host-routed":
            self.notes.append(
                f"{interface.ifname} of Container {container.ctid} is host-routed: passed over."
            )
            return None
        if interface.configured_bridge != bridge or self._pending_save(container, interface) not in (
            "",
            bridge,
        ):
            self._save(container, interface, bridge)
        link = self._host_side(container, interface)
        if link is None:
            if container.status == "running":
                self.notes.append(
                    f"{interface.host_ifname or interface.ifname} of Container {container.ctid} is not there "
                    "though the Container runs: it joins at the Container's next start."
                )
            return None
        if link.master == bridge:
            return None
        if bridge in self.on_other_vlan:
            self.notes.append(f"{link.name} does not join {bridge}: it would be on another VLAN there.")
            return None
        if self.facts.link(bridge) is None and bridge not in made:
            self.notes.append(f"{bridge} is not there, so {link.name} cannot join it.")
            return None
        return Port(link.name, bridge)

    def _leave(
        self,
        container: Container,
        interface: ContainerInterface,
        leaving_from: set[str],
        going: set[str],
    ) -> Port | None:
        pending = self._pending_save(container, interface)
        if (interface.configured_bridge or pending) in leaving_from:
            self._save(container, interface, "")
        elif pending in leaving_from:
            # Somebody has saved a bridge that is not the panel's: that stays.
            self._place(InterfaceKey(self.server.id, container.ctid, interface.ifname), "")
        link = self._host_side(container, interface)
        if link is None or link.master not in leaving_from or link.master in going:
            return None
        return Port(link.name)

    def _host_side(self, container: Container, interface: ContainerInterface) -> Link | None:
        """The interface's link on the server; None while there is none, or if it is something else.

        Saved configurations are written in containers' own files: one may claim the server's NIC.
        """
        link = self.facts.link(interface.host_ifname) if interface.host_ifname else None
        if link is None or container.status in ("stopped", "mounted", "suspended"):
            return None
        return link if link.kind in _OF_CONTAINERS else None

    def _pending_save(self, container: Container, interface: ContainerInterface) -> str:
        """The bridge ("-": none) that the server's record has vzctl save; "" if it says nothing of it.

        vzctl may not have done so yet, and would after this plan's own commit, unless that says otherwise.
        """
        return self.recorded.get((container.ctid, interface.ifname), "")

    def _save(self, container: Container, interface: ContainerInterface, bridge: str) -> None:
        what = f"{interface.ifname} of Container {container.ctid}"
        if InterfaceKey(self.server.id, container.ctid, interface.ifname) in self.desired.gone_interfaces:
            return
        dialect: Dialect | None = self.facts.vzctl_dialect
        if dialect is None:
            self.notes.append(f"The server has no vzctl, so nothing is saved for {what}.")
        elif not interface.saved:
            self.notes.append(f"{what} is not in its saved configuration and is lost at the next restart.")
        elif not (is_link_name(interface.host_ifname) and is_link_name(interface.ifname)):
            self.notes.append(f"{what} has a name that vzctl cannot be told: nothing is saved for it.")
        elif (link := self.facts.link(interface.host_ifname)) and link.kind not in _OF_CONTAINERS:
            # vzctl itself, or a script that it calls, may move the link while the container runs.
            self.notes.append(
                f"{what} is called {link.name} on the server by its saved configuration, but {link.name} is "
                "the server's own: nothing is saved for it. Give it another name first."
            )
        else:
            self.saves.append(Save(dialect, container.ctid, interface.ifname, interface.host_ifname, bridge))

    # --- containers themselves ---

    def _errands(self) -> list[Errand]:
        """What vzctl is to do, in the order in which it can be done: made, removed, addressed."""
        found: list[Errand] = []
        dialect = self.facts.vzctl_dialect
        there = {container.ctid: container for container in self.facts.containers}
        for errand in self.desired.errands_on(self.server.id):
            key = errand if isinstance(errand, InterfaceKey) else errand.interface
            if dialect is None:
                self.notes.append(f"The server has no vzctl, so nothing is done to Container {key.ctid}.")
            elif key.ctid not in there:
                self.notes.append(f"Container {key.ctid} is not on this server: passed over.")
            elif (made := self._errand(errand, dialect, there[key.ctid])) is not None:
                found.append(made)
        return found

    def _errand(
        self, errand: NewInterface | InterfaceKey | AddressChange, dialect: Dialect, container: Container
    ) -> Errand | None:
        ctid = container.ctid
        match errand:
            case NewInterface(key, mac):
                bridge = self.wanted.ports.get(key, "")
                return NetifAdd(
                    dialect, ctid, key.ifname, mac, host_ifname(dialect, ctid, key.ifname), bridge
                )
            case AddressChange(key, address, is_wanted):
                kind = IpAdd if is_wanted else IpDel
                return kind(dialect, ctid, key.ifname, address)
            case key if any(i.ifname == key.ifname and not i.saved for i in container.interfaces):
                self.notes.append(
                    f"{key.ifname} of Container {ctid} is not in its saved configuration: it goes at the "
                    "Container's next restart."
                )
                return None
            case key:
                return NetifDel(dialect, ctid, key.ifname)

    # --- the record ---

    def _adopted(self) -> tuple[Adopted, ...]:
        return tuple(
            Adopted(here.network, here.bridge)
            for here in self.wanted.bridges.values()
            if here.adopted
            and (assignment := self.desired.assignment(here.network, self.server.id)) is not None
            and not assignment.bridge
        )
