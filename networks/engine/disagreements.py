"""What was measured otherwise than predicted, as rows with a first time and the likely cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from networks.desired import head
from networks.domain import words
from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import AdapterKey, InterfaceKey, ServerId
from networks.domain.visibility import HostKey, OtherHosts, Visibility, visibility
from networks.domain.wires import Wire, adapter_wanted, wire_of
from networks.engine.trunks import TrunkFinding
from networks.inventory_rows import inventory
from networks.measure.plan import MeasuredCell
from networks.models import Disagreement
from networks.points import point_text, short_point
from networks.services.sight import servers_near

_DRIFT = "A server is not as it was decided: the last look found what was measured. See Drift."
_FILTER = "Frames pass but no ping does: a packet filter, or an address that has changed since the last look."
_WIRE = (
    "Both servers are as decided, so what joins them does not carry it: a cable, a switch port, or a "
    "physical segment that is not named as it is wired."
)
_INSIDE = "Something inside the Container: an interface that is down, a packet filter, or another address."
_MORE = (
    "Something joins them that the panel does not know: a router, a bridge, or physical segments that are "
    "one wire."
)


@dataclass(frozen=True, slots=True)
class Found:
    """One disagreement as it is stored."""

    key: str
    text: str
    cause: str
    servers: tuple[ServerId, ...]
    networks: tuple[str, ...] = ()
    origin: str = ""
    target: str = ""
    layer: str = ""
    predicted: str = ""


def store_disagreements(
    sight: Visibility, seen: Visibility, cells: tuple[MeasuredCell, ...], trunks: tuple[TrunkFinding, ...]
) -> None:
    """Bring the rows to what one measurement found: new ones open, those that agree again close.

    `seen` is the model of what the last looks found. Pairs that were not compared stay as they are.
    """
    found = {one.key: one for one in (*_trunks(sight, trunks), *_pairs(sight, seen, cells, trunks))}
    asked = {_key(cell.origin, cell.target) for cell in cells if cell.is_compared}
    asked |= {key for one in sight.components() for key in _trunk_keys(one.wires, cells, sight)}
    now = timezone.now()
    with transaction.atomic():
        open_rows = {row.key: row for row in Disagreement.objects.filter(gone_at=None)}
        over = [row.pk for key, row in open_rows.items() if key in asked and key not in found]
        Disagreement.objects.filter(pk__in=over).update(gone_at=now)
        for key, one in found.items():
            _store(open_rows.get(key), one, now)


def _store(row: Disagreement | None, one: Found, now: datetime) -> None:
    row = row or Disagreement(key=one.key, first_seen_at=now)
    row.text, row.cause, row.last_seen_at = one.text, one.cause, now
    row.servers, row.networks = list(one.servers), list(one.networks)
    row.origin, row.target = one.origin, one.target
    row.layer, row.predicted = one.layer, one.predicted
    row.save()


def close_outdated() -> None:
    """Close disagreements with a prediction that is not made any more, or about what is gone or stopped.

    No measurement compares those again, and while they stand their servers are not asked before decisions.
    """
    rows = list(Disagreement.objects.filter(gone_at=None))
    if not rows:
        return
    newest = head().state
    sight = visibility(newest, newest, inventory(servers_near({s for r in rows for s in r.servers}, newest)))
    for row in rows:
        if _is_off_the_wire(row, sight) if row.is_of_trunk else _is_outdated(row, sight):
            # A measurement may just have seen it again.
            same = Disagreement.objects.filter(pk=row.pk, gone_at=None, last_seen_at=row.last_seen_at)
            same.update(gone_at=timezone.now())


def _is_outdated(row: Disagreement, sight: Visibility) -> bool:
    a, b = short_point(row.origin), short_point(row.target)
    if isinstance(a, InterfaceKey | None) or isinstance(b, InterfaceKey | None):
        return False
    hosts = sight.world.hosts
    if any(key not in hosts or hosts[key].up is False for key in (a, b)):
        return True
    ask = sight.answer if row.layer == "ip" else sight.layer2_answer
    return row.predicted != "" and ask(a, b) != row.predicted


def _is_off_the_wire(row: Disagreement, sight: Visibility) -> bool:
    """Whether the server has no virtual network on the wire any more, or no other server has."""
    scene, wire = sight.world.scene, Wire(*row.wire)
    servers = set()
    for assignment in scene.after.assignments:
        key = AdapterKey(assignment.server, assignment.adapter or "")
        view = adapter_wanted(key, scene.after, scene.after, scene.inventory)
        if view is not None and wire_of(view, scene.inventory) == wire:
            servers.add(assignment.server)
    return row.wire_server not in servers or len(servers) == 1


def _trunk_keys(wires: Iterable[object], cells: tuple[MeasuredCell, ...], sight: Visibility) -> list[str]:
    """Keys of trunk findings that this measurement could have made: of VLANs of servers that it asked."""
    servers = {s for cell in cells if cell.is_compared for s in _servers(cell.origin)}
    return [
        _trunk_key(wire.segment, wire.vid, server)  # type: ignore[attr-defined]
        for wire in wires
        if getattr(wire, "vid", 0)
        for server in servers
    ]


def _trunk_key(segment: int, vid: int, server: int) -> str:
    return f"trunk:{segment}:{vid}:{server}"


def _trunks(sight: Visibility, trunks: tuple[TrunkFinding, ...]) -> list[Found]:
    names, inventory = sight.names, sight.world.scene.inventory
    found = []
    for trunk in trunks:
        wire = names.node(trunk.wire)
        for server in trunk.servers:
            who = words.server(server, inventory)
            if trunk.lacking:
                text = f"The switch does not carry {wire} to {who}."
                cause = "Other servers on it were heard and this one was not: its switch port lacks the VLAN."
            else:
                others = words.listed([words.server(s, inventory) for s in trunk.doubtful])
                text = f"{words.sentence(wire)} does not get through between {others}."
                cause = "The switch port of one of them lacks the VLAN; no third server could say which."
            key = _trunk_key(trunk.wire.segment, trunk.wire.vid, server)
            found.append(Found(key, text, cause, trunk.servers))
    return found


def _pairs(
    sight: Visibility, seen: Visibility, cells: tuple[MeasuredCell, ...], trunks: tuple[TrunkFinding, ...]
) -> list[Found]:
    """A disagreement for each pair, both layers and both ways in one."""
    by_pair: dict[str, list[MeasuredCell]] = {}
    for cell in cells:
        if cell.differs:
            by_pair.setdefault(_key(cell.origin, cell.target), []).append(cell)
    cut = {frozenset((a, b)) for trunk in trunks for a in trunk.servers for b in _peers(trunk, sight)}
    found = []
    for key, differing in by_pair.items():
        cell = next((c for c in differing if c.layer == "ip"), differing[0])
        servers = tuple(dict.fromkeys((*_servers(cell.origin), *_servers(cell.target))))
        if cell.predicted == "yes" and frozenset(servers) in cut:
            # Said once, by the trunk finding.
            continue
        found.append(_pair(sight, seen, key, cell, cells, servers))
    return found


def _peers(trunk: TrunkFinding, sight: Visibility) -> list[int]:
    segment = sight.world.scene.segment(trunk.wire)
    hosts = sight.world.on_segment.get(segment, ())
    return [server for host in hosts for server in _servers(host.key)]


def _pair(
    sight: Visibility,
    seen: Visibility,
    key: str,
    cell: MeasuredCell,
    cells: tuple[MeasuredCell, ...],
    servers: tuple[int, ...],
) -> Found:
    first, second = sight.name(cell.origin, short=True), sight.name(cell.target, short=True)
    what = "reach" if cell.layer == "ip" else "share a layer-2 network with"
    if cell.predicted == "yes":
        text = f"{words.sentence(first)} should {what} {second}, but does not."
    else:
        text = f"{words.sentence(first)} should not {what} {second}, but does."
    networks = tuple(
        dict.fromkeys(
            member.network
            for member in sight.world.scene.after.members
            if ContainerKey(member.interface.server, member.interface.ctid) in (cell.origin, cell.target)
        )
    )
    return Found(
        key,
        text,
        _cause(seen, cell, cells),
        servers,
        networks,
        point_text(cell.origin),
        point_text(cell.target),
        cell.layer,
        cell.predicted,
    )


def _cause(seen: Visibility, cell: MeasuredCell, cells: tuple[MeasuredCell, ...]) -> str:
    ask = seen.answer if cell.layer == "ip" else seen.layer2_answer
    if ask(cell.origin, cell.target) == cell.measured:
        return _DRIFT
    if cell.predicted == "no":
        return _MORE
    frames = next(
        (c for c in cells if (c.origin, c.target, c.layer) == (cell.origin, cell.target, "layer2")), None
    )
    if cell.layer == "ip" and frames is not None and frames.measured == "yes":
        return _FILTER
    return _WIRE if set(_servers(cell.origin)) != set(_servers(cell.target)) else _INSIDE


def _servers(key: HostKey) -> tuple[int, ...]:
    match key:
        case ContainerKey(server, _):
            return (server,)
        case ServerRef(server):
            return (server,)
        case OtherHosts():
            return ()


def _key(a: HostKey, b: HostKey) -> str:
    return "pair:" + "|".join(sorted((point_text(a), point_text(b))))
