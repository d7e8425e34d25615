"""Who sees whom in one state: the object that pages, the review and what-if ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from networks.domain.errands import with_errands
from networks.domain.inventory import ContainerKey, Inventory
from networks.domain.state import Desired, Edit, InterfaceKey, ServerId, apply_edits
from networks.domain.visibility import components as parts
from networks.domain.visibility.components import Component, Group
from networks.domain.visibility.crossing import Crossing
from networks.domain.visibility.difference import Difference, difference
from networks.domain.visibility.explain import Explainer
from networks.domain.visibility.fixes import Fixer
from networks.domain.visibility.hosts import Host, Scene, on_interface
from networks.domain.visibility.naming import Names
from networks.domain.visibility.paths import judge, may_be_lost, shares_segment
from networks.domain.visibility.verdict import Answer, EndPoint, HostKey, Verdict
from networks.domain.visibility.world import World


@dataclass(frozen=True)
class Visibility:
    """Who reaches whom, and why. Everything is computed on first use; nothing is stored per pair."""

    world: World
    names: Names

    def reaches(self, a: EndPoint, b: EndPoint) -> Verdict:
        """Whether a ping from `a` is answered by `b`, at IP level, with the reason."""
        first, second = self.host(a), self.host(b)
        if first is None or second is None:
            return self._missing(a, b)
        if _machine(a) == _machine(b):
            return Verdict("yes", "It is the same machine.")
        way = judge(self.world, first, second)
        verdict = self._explainer.ip(first, second, (a, b), way)
        if verdict.answer == "yes":
            return verdict
        ports = self._explainer.ports(first, second)
        return replace(verdict, fixes=self._fixer.fixes(first, second, *ports, way))

    def with_edits(self, edits: Iterable[Edit]) -> Visibility:
        """Who would see whom after those edits on top of this state: the effect of a fix, for example."""
        scene = self.world.scene
        return visibility(apply_edits(scene.after, edits), scene.before, scene.inventory)

    def shares_layer2(self, a: EndPoint, b: EndPoint) -> Verdict:
        """Whether frames pass between the two, whatever their addresses: what arping shows."""
        first, second = self.host(a), self.host(b)
        if first is None or second is None:
            return self._missing(a, b)
        if _machine(a) == _machine(b):
            return Verdict("yes", "It is the same machine.")
        return self._explainer.frames(first, second, (a, b))

    def answer(self, a: EndPoint, b: EndPoint) -> Answer:
        """As `reaches`, without the reason: quick."""
        first, second = self.host(a), self.host(b)
        if first is None or second is None:
            return "no"
        return "yes" if _machine(a) == _machine(b) else judge(self.world, first, second).answer

    def layer2_answer(self, a: EndPoint, b: EndPoint) -> Answer:
        """As `shares_layer2`, without the reason."""
        first, second = self.host(a), self.host(b)
        if first is None or second is None or first.up is False or second.up is False:
            return "no"
        if _machine(a) == _machine(b):
            return "yes"
        answer, mine, _ = shares_segment(self.world, first, second)
        if mine is None:
            return answer
        if None in (first.up, second.up) or may_be_lost(self.world, first, mine, second) is not None:
            return "unknown"
        return answer

    def components(self) -> tuple[Component, ...]:
        """The layer-2 networks as they are, with readable names and their members."""
        return self._components

    def component_of(self, interface: InterfaceKey) -> Component | None:
        """The layer-2 network that the container interface is on."""
        return self._component_of.get(interface)

    def groups(self, keys: Iterable[HostKey]) -> tuple[Group, ...]:
        """Those hosts in groups that see the same: ask `reaches` about the first member of each.

        Two members of one group see each other as `within` says.
        """
        known = [key for key in dict.fromkeys(keys) if key in self.world.hosts]
        return parts.groups(self.world, self.names, known)

    def within(self, group: Group) -> Verdict | None:
        """What two members of a group see of each other; None for a group of one."""
        return self.reaches(group.members[0], group.members[1]) if len(group.members) > 1 else None

    def difference(self, after: Visibility) -> Difference:
        """What is gained and lost from this state to `after`, by groups of hosts."""
        return difference(self, after)

    def hosts(self) -> tuple[HostKey, ...]:
        """Every container, server and physical segment's other hosts."""
        return tuple(self.world.hosts)

    def name(self, key: EndPoint, *, short: bool = False) -> str:
        """ "Container 303 on physical server server3"."""
        return self.names.end(key, short=short)

    def host(self, key: EndPoint) -> Host | None:
        """The host of an end point; of an interface, its container on that interface alone."""
        if isinstance(key, InterfaceKey):
            whole = self.world.hosts.get(ContainerKey(key.server, key.ctid))
            view = self.world.scene.inventory.interface(key)
            if whole is None or view is None or view.gone:
                return None
            return on_interface(whole, key) if view.mode == "bridged" else replace(whole, ports=())
        return self.world.hosts.get(key)

    def _missing(self, a: EndPoint, b: EndPoint) -> Verdict:
        gone = a if self.host(a) is None else b
        return Verdict("no", f"{self.names.end(gone)} is not there, or not any more.")

    @cached_property
    def _crossing(self) -> Crossing:
        return Crossing(self.world.scene, self.names)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.world, self.names, self._crossing)

    @cached_property
    def _fixer(self) -> Fixer:
        return Fixer(self.world, self.names, self._crossing)

    @cached_property
    def _components(self) -> tuple[Component, ...]:
        return parts.components(self.world, self.names)

    @cached_property
    def _component_of(self) -> Mapping[InterfaceKey, Component]:
        return {interface: c for c in self._components for interface in c.interfaces}


def _machine(key: EndPoint) -> HostKey:
    return ContainerKey(key.server, key.ctid) if isinstance(key, InterfaceKey) else key


def visibility(state: Desired, before: Desired, inventory: Inventory) -> Visibility:
    """Who sees whom in `state` (a draft, or desired), on the servers as the inventory has seen them.

    `before` is what has been decided so far: it says which bridges are the panel's own and what leaves them.
    For desired itself, give it twice.
    """
    scene = Scene(before, state, with_errands(inventory, state))
    return Visibility(World(scene), Names(scene))


def observed(inventory: Inventory, named: Desired | None = None) -> Visibility:
    """Who sees whom by what the last looks found, whatever was decided.

    `named` gives bridges the names of its virtual networks, where they are the panel's.
    """
    nothing = Desired()
    scene = Scene(nothing, nothing, inventory)
    names: dict[tuple[ServerId, str], str] = {}
    named = named or nothing
    for network in named.networks:
        for server in named.servers_of(network.id):
            assignment = named.assignment(network.id, server)
            bridge = assignment.bridge if assignment and assignment.bridge else network.bridge
            if bridge:
                names[server, bridge] = f"Virtual Network {network.name}"
    return Visibility(World(scene), Names(scene, names))
