"""Making a large scene readable: many containers as one box, servers that look alike as one column."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from networks.domain.state import grouped
from networks.domain.topology.scene import LOOSE, Band, BandId, Box, Column, Dot, Piece, Scene, Socket

MOST_COLUMNS = 8
MOST_BANDS = 14
MOST_BOXES = 12
"""On one band of one server; more are drawn as one box, unless the server is drawn alone."""
MOST_BOXES_ALONE = 70
SEVERAL = "several"
"""The band that stands for local networks of servers drawn as one."""


def collapsed(scene: Scene) -> Scene:
    """The scene, made small enough to be read. One that is small already is returned as it is."""
    most = MOST_BOXES_ALONE if len(scene.columns) == 1 else MOST_BOXES
    columns = scene.columns
    if len(columns) <= MOST_COLUMNS and len(scene.bands) <= MOST_BANDS:
        small = tuple(_boxes_counted(column, most) for column in columns)
        return scene if small == columns else replace(scene, columns=small, is_collapsed=True)
    shared = _shared(columns)
    kept = _most_used(columns, shared)
    simple = [_simplified(column, kept, shared) for column in columns]
    groups = grouped(simple, _likeness)
    merged = sorted((_merged(group) for group in groups.values()), key=_is_healthy)
    if len(merged) > MOST_COLUMNS:
        # What is in trouble is shown first, then what stands for most servers.
        by_weight = sorted(merged, key=lambda c: (_is_healthy(c), -len(c.servers)))
        shown = set(by_weight[: MOST_COLUMNS - 1])
        rest = [column for column in merged if column not in shown]
        merged = [column for column in merged if column in shown] + [_the_rest(rest)]
    drawn = {piece.band for column in merged for piece in column.pieces}
    bands = [band for band in scene.bands if band.id in drawn]
    bands += [Band(b, _several_name(b), "several") for b in sorted(drawn) if b.startswith(SEVERAL)]
    lines = {socket.line for column in merged for socket in column.sockets}
    networks = sum(band.kind == "network" and (band.id in shared) for band in scene.bands)
    return Scene(
        tuple(merged),
        tuple(bands),
        tuple(line for line in scene.lines if line.id in lines),
        networks_left_out=networks - sum(band.kind == "network" for band in bands),
        is_collapsed=True,
    )


def _is_healthy(column: Column) -> bool:
    return not column.signs and column.state == "ok"


def _shared(columns: Iterable[Column]) -> frozenset[BandId]:
    """Bands with pieces in more than one column."""
    seen = [piece.band for column in columns for piece in column.pieces]
    return frozenset(band for band, found in grouped(seen, lambda b: b).items() if len(found) > 1)


def _most_used(columns: Iterable[Column], shared: frozenset[BandId]) -> frozenset[BandId]:
    seen = [piece.band for column in columns for piece in column.pieces if piece.band in shared]
    counts = {band: len(found) for band, found in grouped(seen, lambda b: b).items()}
    return frozenset(sorted(counts, key=lambda band: (-counts[band], band))[:MOST_BANDS])


def _boxes_counted(column: Column, most: int) -> Column:
    """The column with the boxes of a crowded band drawn as one; those with two bands keep their own."""
    by_band = grouped(column.boxes, _place)
    if all(len(found) <= most for found in by_band.values()):
        return column
    boxes: list[Box] = []
    for found in by_band.values():
        plain = [box for box in found if len(box.dots) <= 1 and not box.all_signs]
        if len(found) > most and len(plain) > 1:
            special = [box for box in found if box not in plain][: most - 1]
            boxes += [*special, _counted([box for box in found if box not in special])]
        else:
            boxes += found
    return replace(column, boxes=tuple(boxes))


def _place(box: Box) -> tuple[BandId, bool]:
    """What decides where a box stands: the bands of its dots, and whether it is host-routed only."""
    bands = sorted({dot.band for dot in box.dots if dot.band != LOOSE})
    return (bands[0] if bands else LOOSE, not bands and any(dot.is_routed for dot in box.dots))


def _counted(boxes: list[Box], band: BandId | None = None) -> Box:
    """Boxes as one, with one dot."""
    first = boxes[0]
    where, routed = _place(first)
    target = band if band is not None else where
    dots = tuple(replace(dot, band=target, is_routed=routed, signs=(), mark="") for dot in first.dots[:1])
    return Box(
        key=first.key,
        status="running" if any(box.status == "running" for box in boxes) else "stopped",
        dots=dots,
        count=sum(box.count for box in boxes),
        signs=tuple(dict.fromkeys(sign for box in boxes for sign in box.all_signs))[:3],
    )


def _simplified(column: Column, kept: frozenset[BandId], shared: frozenset[BandId]) -> Column:
    """Only bands that are kept, local networks of its own as one band, and a box for each."""
    own = [piece.band for piece in column.pieces if piece.band not in shared]
    several = f"{SEVERAL}/{len(own)}" if own else LOOSE
    pieces = [piece for piece in column.pieces if piece.band in kept]
    if own:
        pieces.append(Piece(several))
    renamed = dict.fromkeys(own, several)
    boxes: list[Box] = []
    for (band, routed), found in grouped(column.boxes, _place).items():
        target = renamed.get(band, band if band in kept else LOOSE)
        boxes.append(_counted(found, target) if not routed else _counted(found))
    by_place = grouped(boxes, _place)
    used = {name for piece in pieces for name in (piece.socket, piece.was) if name}
    used |= {socket.name for socket in column.sockets if socket.is_own}
    return replace(
        column,
        boxes=tuple(_counted(found, place[0]) for place, found in sorted(by_place.items())),
        pieces=tuple(pieces),
        sockets=tuple(socket for socket in column.sockets if socket.name in used),
        signs=(*column.signs, *(sign for socket in column.sockets for sign in socket.signs)),
    )


def _likeness(column: Column) -> Hashable:
    """What two columns must share to be drawn as one."""
    sockets = {
        socket.name: (socket.name, socket.line, socket.is_down, socket.mark) for socket in column.sockets
    }
    pieces = frozenset((p.band, sockets.get(p.socket), p.mark, sockets.get(p.was)) for p in column.pieces)
    boxes = frozenset(_place(box) for box in column.boxes)
    return (column.state, pieces, frozenset(sockets.values()), boxes, bool(column.signs))


def _merged(columns: list[Column]) -> Column:
    """Columns that look alike as one."""
    if len(columns) == 1:
        return _own_several(columns[0])
    first, last = columns[0], columns[-1]
    boxes = grouped((box for column in columns for box in column.boxes), _place)
    merged = replace(
        first,
        servers=tuple(server for column in columns for server in column.servers),
        name=f"{first.name} … {last.name} ({len(columns)})",
        address="",
        boxes=tuple(_counted(found, place[0]) for place, found in sorted(boxes.items())),
        sockets=tuple(_without_signs(socket) for socket in first.sockets),
        signs=tuple(dict.fromkeys(sign for column in columns for sign in column.signs))[:3],
    )
    return _own_several(merged)


def _own_several(column: Column) -> Column:
    """The column with an id of its own for the band of its several networks: no two share it."""

    def own(band: BandId) -> BandId:
        return f"{band}/{column.servers[0]}" if band.startswith(SEVERAL) else band

    return replace(
        column,
        pieces=tuple(replace(piece, band=own(piece.band)) for piece in column.pieces),
        boxes=tuple(
            replace(box, dots=tuple(replace(dot, band=own(dot.band)) for dot in box.dots))
            for box in column.boxes
        ),
    )


def _without_signs(socket: Socket) -> Socket:
    return replace(socket, signs=())


def _the_rest(columns: list[Column]) -> Column:
    """Every server that is not drawn, as one column with a count of its containers."""
    boxes = [box for column in columns for box in column.boxes]
    servers = tuple(server for column in columns for server in column.servers)
    everything = []
    if boxes:
        whole = _counted(boxes)
        everything = [replace(whole, dots=tuple(Dot(dot.key) for dot in whole.dots))]
    return Column(servers, f"{len(servers)} more servers", boxes=tuple(everything))


def _several_name(band: BandId) -> str:
    count = band.split("/")[1]
    return f"{count} networks only here" if count != "1" else "1 network only here"
