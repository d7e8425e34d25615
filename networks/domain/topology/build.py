"""From desired (or a draft of it) and what exists to the scene that is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from networks.domain.inventory import (
    AdapterView,
    ContainerKey,
    ContainerView,
    InterfaceView,
    Inventory,
    NetworkRef,
    ServerRef,
    Subject,
)
from networks.domain.rules import Problem
from networks.domain.state import AdapterKey, Desired, InterfaceKey, Network, NetworkId, ServerId, grouped
from networks.domain.topology.scene import (
    LOOSE,
    Band,
    BandId,
    Box,
    Column,
    Dot,
    Line,
    LineId,
    Mark,
    Piece,
    Scene,
    Sign,
    Socket,
)
from networks.domain.wires import ForeignBridge, NetworkHere, Places, adapter_wanted, wire_of

COLOURS = 8
"""Bands are told apart by as many colours, and always by their names."""
MOST_IDLE_SOCKETS = 4
"""So many adapters that nothing uses are drawn on a server."""


@dataclass(frozen=True)
class Seen:
    """What looks found besides what the rules need: states, addresses, what is down."""

    states: Mapping[ServerId, str] = field(default_factory=dict)
    addresses: Mapping[ServerId, str] = field(default_factory=dict)
    down: frozenset[AdapterKey] = frozenset()
    own: frozenset[AdapterKey] = frozenset()


@dataclass(frozen=True)
class Kept:
    """The part that is drawn: None is everything."""

    servers: frozenset[ServerId]
    containers: frozenset[ContainerKey] | None = None
    networks: frozenset[NetworkId] | None = None

    def has(self, network: NetworkId) -> bool:
        return self.networks is None or network in self.networks


def signs_of(problems: Iterable[Problem]) -> dict[Subject, tuple[Sign, ...]]:
    """Problems where they happen: at their most exact subjects, else at the network."""
    found: dict[Subject, list[Sign]] = {}
    for problem in problems:
        exact = [s for s in problem.subjects if not isinstance(s, NetworkRef | ServerRef)]
        for subject in exact or problem.subjects:
            found.setdefault(subject, []).append(Sign(problem.severity, problem.text))
    return {subject: tuple(signs) for subject, signs in found.items()}


def scene_of(
    decided: Desired,
    drafted: Desired,
    inventory: Inventory,
    kept: Kept,
    seen: Seen | None = None,
    problems: Iterable[Problem] = (),
    wires: Mapping[LineId, tuple[Sign, ...]] | None = None,
) -> Scene:
    """The scene of `drafted`, with marks where it differs from `decided`. Both may tell of servers not kept.

    `wires` are signs at lines: what is no adapter's and no server's own.
    Deterministic: the same arguments give the same scene, whatever the order of their parts.
    """
    builder = _Builder(decided, drafted, inventory, kept, seen or Seen(), signs_of(problems), wires or {})
    return builder.scene()


@dataclass(frozen=True)
class _Builder:
    decided: Desired
    drafted: Desired
    inventory: Inventory
    kept: Kept
    seen: Seen
    signs: Mapping[Subject, tuple[Sign, ...]]
    wires: Mapping[LineId, tuple[Sign, ...]]

    def scene(self) -> Scene:
        servers = sorted(
            (s for s in self.inventory.servers if s.id in self.kept.servers), key=lambda s: natural(s.name)
        )
        columns = tuple(self._column(server.id, server.name) for server in servers)
        drawn = [piece.band for column in columns for piece in column.pieces]
        return Scene(columns, self._bands(list(dict.fromkeys(drawn))), self._lines(columns))

    # --- columns ---

    def _column(self, server: ServerId, name: str) -> Column:
        here = self._containers.get(server, [])
        boxes = [self._box(view) for view in sorted(here, key=lambda c: natural(c.ctid))]
        if self.kept.containers is not None:
            boxes = [box for box in boxes if box.key in self.kept.containers]
        used = {dot.band for box in boxes for dot in box.dots if dot.band != LOOSE}
        pieces = self._pieces(server, used)
        return Column(
            servers=(server,),
            name=name,
            state=self.seen.states.get(server, "ok"),
            address=self.seen.addresses.get(server, ""),
            boxes=tuple(boxes),
            sockets=self._sockets(server, pieces),
            pieces=pieces,
            left_out=len(here) - len(boxes),
            signs=self.signs.get(ServerRef(server), ()),
        )

    def _box(self, view: ContainerView) -> Box:
        there = self._interfaces.get(view.key, [])
        known = {interface.key for interface in there}
        made = (InterfaceView(key) for key in self._made.get(view.key, []) if key not in known)
        interfaces = sorted((*there, *made), key=lambda i: natural(i.key.ifname))
        return Box(
            key=view.key,
            name=view.name,
            status=view.status,
            dots=tuple(self._dot(interface) for interface in interfaces),
            joined=view.joined,
            signs=self.signs.get(view.key, ()),
        )

    def _dot(self, view: InterfaceView) -> Dot:
        key = view.key
        signs = self.signs.get(key, ())
        if view.mode == "host-routed":
            return Dot(key, is_routed=True, signs=signs)
        now = [m.network for m in self.drafted.memberships(key) if self.kept.has(m.network)]
        before = [m.network for m in self.decided.memberships(key)]
        was = next((self._name(network) for network in before if network not in now), "")
        if key in self.drafted.gone_interfaces:
            return Dot(key, now[0] if now else LOOSE, mark="removed", was=was, signs=signs)
        if now:
            mark: Mark = "" if now[0] in before else "new"
            return Dot(key, now[0], mark=mark, was=was, signs=signs)
        if outside := self.drafted.memberships(key):
            return Dot(key, outside=self._name(outside[0].network), signs=signs)
        if was:
            return Dot(key, mark="removed", was=was, signs=signs)
        mark = "new" if key in self._made.get(ContainerKey(key.server, key.ctid), ()) else ""
        return Dot(key, self._found_in(key), mark=mark, signs=signs)

    def _found_in(self, key: InterfaceKey) -> BandId:
        """The band of a bridge that holds an interface which is no member: adopted, foreign, or none."""
        for node in self._places.of_interface(key):
            if isinstance(node, NetworkHere) and self.kept.has(node.network):
                return node.network
            if isinstance(node, ForeignBridge) and self.kept.networks is None:
                return f"{node.server}/{node.name}"
        return LOOSE

    @cached_property
    def _places(self) -> Places:
        return Places(self.decided, self.drafted, self.inventory)

    # --- bands and where they drop ---

    def _pieces(self, server: ServerId, used: set[BandId]) -> tuple[Piece, ...]:
        networks = {*self.drafted.networks_on(server), *self.decided.networks_on(server)}
        pieces = [self._piece(network, server) for network in sorted(networks) if self.kept.has(network)]
        for band in sorted(used - networks):
            bridge = band.partition("/")[2]
            held = [v.name for v in self.inventory.adapters_on(server) if v.bridge == bridge]
            pieces.append(Piece(band, min(held, default="")))
        return tuple(piece for piece in pieces if piece is not None)

    def _piece(self, network: NetworkId, server: ServerId) -> Piece | None:
        now = self.drafted.assignment(network, server)
        before = self.decided.assignment(network, server)
        is_here = now is not None or bool(self.drafted.members_of(network, server))
        was_here = before is not None or bool(self.decided.members_of(network, server))
        socket = (now.adapter if now else "") or ""
        old = (before.adapter if before else "") or ""
        mark: Mark = "removed" if not is_here else "" if was_here else "new"
        if mark == "" and socket != old:
            mark = "changed"
        return Piece(network, socket, mark, old if old != socket else "")

    def _sockets(self, server: ServerId, pieces: tuple[Piece, ...]) -> tuple[Socket, ...]:
        """Adapters that carry something, and some that do not; a NIC comes before its VLAN adapters."""
        used = {name for piece in pieces for name in (piece.socket, piece.was) if name}
        found = {a.name: a for a in self.inventory.adapters_on(server) if not a.is_slave}
        made = {vlan.name: vlan for vlan in self.drafted.vlans_on(server)}
        wanted = (
            adapter_wanted(AdapterKey(server, n), self.decided, self.drafted, self.inventory) for n in made
        )
        views = found | {view.name: view for view in wanted if view}
        for name in used - views.keys():
            views[name] = AdapterView(server, name, gone=True)
        keep = used | {n for n, v in views.items() if v.key in self.seen.own or v.key in self.signs}
        keep |= {views[name].base for name in keep if name in views}
        idle = sorted(views.keys() - keep, key=natural)
        keep |= set(idle[:MOST_IDLE_SOCKETS]) if self.kept.networks is None else set()
        order = sorted(
            (view for name, view in views.items() if name in keep),
            key=lambda v: (
                AdapterKey(server, v.base or v.name) not in self.seen.own,
                natural(v.base or v.name),
                v.kind == "vlan",
                v.vid or 0,
                natural(v.name),
            ),
        )
        return tuple(self._socket(view, view.name in found) for view in order)

    def _socket(self, view: AdapterView, exists: bool) -> Socket:
        wire = wire_of(view, self.inventory)
        planned = {vlan.name for vlan in self.drafted.vlans_on(view.server)}
        decided = {vlan.name for vlan in self.decided.vlans_on(view.server)}
        mark: Mark = "new" if not exists and view.name in planned - decided else ""
        if view.name in decided - planned:
            mark = "removed"
        return Socket(
            name=view.name,
            kind=view.kind,
            base=view.base,
            line=(wire.segment, wire.vid) if wire else None,
            mark=mark,
            # One that was decided and is not found carries nothing.
            is_down=view.key in self.seen.down or view.gone or not (exists or mark),
            is_own=view.key in self.seen.own,
            signs=self.signs.get(view.key, ()),
        )

    def _bands(self, drawn: list[BandId]) -> tuple[Band, ...]:
        colours = _coloured([band for band in drawn if "/" not in band], self.drafted.networks)
        bands = []
        for band in sorted(drawn, key=lambda b: ("/" in b, natural(self._name(b)), b)):
            if "/" in band:
                bands.append(Band(band, band.partition("/")[2], "foreign"))
                continue
            is_new = self.decided.network(band) is None
            is_gone = self.drafted.network(band) is None
            bands.append(
                Band(
                    band,
                    self._name(band),
                    colour=colours[band],
                    mark="removed" if is_gone else "new" if is_new else "",
                    elsewhere=len(self.drafted.servers_of(band) - self.kept.servers),
                    signs=self.signs.get(NetworkRef(band), ()),
                )
            )
        return tuple(bands)

    def _name(self, band: BandId) -> str:
        network = self.drafted.network(band) or self.decided.network(band)
        return network.name if network else band.partition("/")[2] or "?"

    def _lines(self, columns: tuple[Column, ...]) -> tuple[Line, ...]:
        used = {socket.line for column in columns for socket in column.sockets if socket.line}
        names = {a.segment: a.segment_name for a in self.inventory.adapters if a.segment is not None}
        return tuple(
            Line(line, _line_name(names.get(line[0], ""), line), line[1] == 0, self.wires.get(line, ()))
            for line in sorted(used, key=lambda line: (natural(names.get(line[0], "")), line))
        )

    @cached_property
    def _made(self) -> dict[ContainerKey, list[InterfaceKey]]:
        """Interfaces that the draft has made, by their container."""
        keys = (new.interface for new in self.drafted.new_interfaces)
        return grouped(keys, lambda key: ContainerKey(key.server, key.ctid))

    @cached_property
    def _containers(self) -> dict[ServerId, list[ContainerView]]:
        return grouped(self.inventory.containers, lambda c: c.server)

    @cached_property
    def _interfaces(self) -> dict[ContainerKey, list[InterfaceView]]:
        there = (i for i in self.inventory.interfaces if not i.gone)
        return grouped(there, lambda i: ContainerKey(i.key.server, i.key.ctid))


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sorting key that puts node9 before node10."""
    return tuple(
        (1, int(part), "") if part.isdecimal() else (0, 0, part.lower())
        for part in re.split(r"([0-9]+)", text)
        if part
    )


def _line_name(segment: str, line: LineId) -> str:
    name = segment or f"segment {line[0]}"
    return f"{name}, VLAN {line[1]}" if line[1] else f"{name}, untagged"


def _coloured(drawn: Iterable[NetworkId], networks: Iterable[Network]) -> dict[NetworkId, int]:
    """A colour for each: by its place among all networks, so that every picture has the same one for it.

    Only where two of one colour would be beside each other does the later one take the next free colour.
    """
    place = {network.id: number for number, network in enumerate(networks)}
    taken: dict[int, int] = {}
    colours = {}
    for network in sorted(drawn, key=lambda n: (place.get(n, 0), n)):
        colour = place.get(network, 0) % COLOURS
        least = min(taken.get(c, 0) for c in range(COLOURS))
        while taken.get(colour, 0) > least:
            colour = (colour + 1) % COLOURS
        colours[network] = colour
        taken[colour] = taken.get(colour, 0) + 1
    return colours
