"""From a scene to a picture: every shape with its place. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

from networks.domain.topology import measures as m
from networks.domain.topology.lettering import fitted, text_width
from networks.domain.topology.order import arrange, reaches
from networks.domain.topology.paths import arc, band_paths, neighbours, stack_link
from networks.domain.topology.picture import (
    Between,
    BoxShape,
    ColumnShape,
    DotShape,
    Frame,
    LineShape,
    Picture,
    SignShape,
    SocketShape,
    StripShape,
    Upright,
)
from networks.domain.topology.placed import (
    PlacedBox,
    PlacedSocket,
    Strip,
    Vertical,
)
from networks.domain.topology.scene import LOOSE, Band, BandId, Mark, Piece, Scene

PER_ROW = 4
PER_ROW_ALONE = 7
"""Containers beside each other in a column; more where a server is drawn alone."""


def lay_out(scene: Scene) -> Picture:
    """The picture of the scene."""
    return _Layout(scene).picture()


def label_of(band: Band, piece: Piece) -> str:
    """What is written on a band in one column: its name, and whether it is local there."""
    if band.kind == "foreign":
        return f"{band.name}, not managed here"
    if band.kind == "several":
        return band.name
    where = "" if piece.socket else " · local"
    more = f" · {band.elsewhere} more server{'s' if band.elsewhere > 1 else ''}" if band.elsewhere else ""
    return f"{band.name}{where}{more}"


class _Layout:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.reach = reaches(scene)
        per_row = PER_ROW_ALONE if len(scene.columns) == 1 else PER_ROW
        self.arranged = arrange(scene, per_row, label_of)
        self.bands = {band.id: band for band in scene.bands}
        self.plans = self.arranged.plans

    # --- across ---

    @cached_property
    def lefts(self) -> list[int]:
        """Left edges of the columns."""
        x, found = m.MARGIN, []
        for plan in self.plans:
            found.append(x)
            x += plan.width + m.COLUMN_GAP
        return found

    @cached_property
    def columns_right(self) -> int:
        return self.lefts[-1] + self.plans[-1].width if self.plans else m.MARGIN

    # --- down ---

    @cached_property
    def lane_bottoms(self) -> list[int]:
        """Lower edges of the strips of row 0, lane by lane."""
        rows = [0] * self.arranged.lanes_count
        for plan in self.plans:
            for lane, count in plan.rows.items():
                rows[lane] = max(rows[lane], count)
        y, found = m.MARGIN + m.HEADER, []
        for count in rows:
            y += count * (m.BOX_HEIGHT + m.STRIP_HEIGHT) + max(0, count - 1) * m.ROW_GAP
            y += m.STRIP_HEIGHT if not count else 0
            found.append(y)
            y += m.LANE_GAP
        return found

    @cached_property
    def columns_bottom(self) -> int:
        lowest = self.lane_bottoms[-1] if self.lane_bottoms else m.MARGIN + m.HEADER
        return lowest + m.PATCH

    def strip_y(self, lane: int, row: int) -> int:
        """Upper edge of the strip of that row, on which its boxes stand."""
        return self.lane_bottoms[lane] - m.STRIP_HEIGHT - row * (m.BOX_HEIGHT + m.STRIP_HEIGHT + m.ROW_GAP)

    @cached_property
    def stack_y(self) -> int:
        return self.columns_bottom - m.PATCH + 18

    @cached_property
    def line_ys(self) -> dict[tuple[int, int], int]:
        top = self.columns_bottom + m.LINES_TOP
        return {line.id: top + n * m.LINE_GAP for n, line in enumerate(self.scene.lines)}

    # --- shapes ---

    def picture(self) -> Picture:
        sockets = tuple(self._sockets())
        lines = tuple(self._lines(sockets))
        right = max([self.columns_right, *(line.right for line in lines)]) + m.MARGIN
        below = max([self.columns_bottom + 24, *(line.y + 22 for line in lines)])
        strips = tuple(self._strips())
        boxes = tuple(self._boxes())
        return Picture(
            width=right,
            height=below + m.MARGIN,
            columns=tuple(self._columns(sockets)),
            between=tuple(self._between()),
            strips=strips,
            rails=tuple(self._rails()),
            uprights=tuple(self._uprights()),
            boxes=boxes,
            dots=tuple(self._dots()),
            sockets=sockets,
            lines=lines,
            signs=tuple(self._signs(boxes, strips, sockets, lines)),
            crossings=self.arranged.crossings,
        )

    def _columns(self, sockets: tuple[SocketShape, ...]) -> Iterator[ColumnShape]:
        for number, (column, plan) in enumerate(zip(self.scene.columns, self.plans, strict=True)):
            left, top = self.lefts[number], m.MARGIN
            frame = Frame(left, top, plan.width, self.columns_bottom - top)
            stack = None
            if plan.stack_x is not None:
                stack = Frame(left + plan.stack_x, self.stack_y, m.STACK_WIDTH, m.STACK_HEIGHT)
            own = [s for s in sockets if s.socket.is_own and frame.x <= s.frame.x < frame.right]
            links = tuple(stack_link(stack, shape.frame) for shape in own if stack)
            title = fitted(column.name, 15, plan.width - 2 * m.COLUMN_PAD - 28)
            yield ColumnShape(column, frame, title, stack, links)

    def _boxes(self) -> Iterator[BoxShape]:
        for number, placed in self._placed():
            box = placed.box
            frame = self._box_frame(number, placed)
            label = f"{box.count} containers" if box.count > 1 else box.key.ctid
            room = placed.width - 16
            ys = frame.bottom
            at = {dot.dot.key.ifname: self.lefts[number] + dot.x for dot in placed.dots}
            arcs = tuple(
                arc(a, b, ys - m.DOT)
                for group in box.joined
                for a, b in neighbours([at[name] for name in group if name in at])
            )
            beside = room - m.SIGN_ROOM if box.all_signs else room
            yield BoxShape(box, frame, fitted(label, 13, beside), fitted(box.name, m.SMALL_SIZE, room), arcs)

    def _box_frame(self, number: int, placed: PlacedBox) -> Frame:
        y = self.strip_y(placed.lane, placed.row)
        return Frame(self.lefts[number] + placed.x, y - m.BOX_HEIGHT, placed.width, m.BOX_HEIGHT)

    def _dots(self) -> Iterator[DotShape]:
        for number, placed in self._placed():
            y = self.strip_y(placed.lane, placed.row)
            several = len(placed.dots) > 1
            for dot in placed.dots:
                # What is in no bridge does not touch the band under it.
                attached = dot.dot.is_routed or self.scene.columns[number].piece(dot.dot.band) is not None
                yield DotShape(
                    dot.dot,
                    self.lefts[number] + dot.x,
                    y if attached else y - m.DOT - 3,
                    attached,
                    dot.dot.key.ifname if several else "",
                    number in self.arranged.mirrored,
                    placed.box.count > 1,
                    placed.box.status == "running",
                )

    def _strips(self) -> Iterator[StripShape]:
        for number, strip in self._all_strips():
            if strip.band == LOOSE:
                continue
            band = self.bands[strip.band]
            piece = self.scene.columns[number].piece(strip.band) or Piece(strip.band)
            left = self.lefts[number]
            # Over the column's own edge, so that it runs through.
            x1 = left - 1 if strip.runs_left else left + strip.x1
            x2 = left + self.plans[number].width + 1 if strip.runs_right else left + strip.x2
            frame = Frame(x1, self.strip_y(strip.lane, strip.row), x2 - x1, m.STRIP_HEIGHT)
            whole = label_of(band, piece) if strip.row == 0 else band.name
            # Rather the name alone than the beginning of more.
            room = frame.width - 2 * 10
            label = (
                whole if text_width(whole, m.LABEL_SIZE) <= room else fitted(band.name, m.LABEL_SIZE, room)
            )
            label_x = self._label_x(number, strip, frame, text_width(label, m.LABEL_SIZE))
            fill, edge = band_paths(frame, strip.runs_left, strip.runs_right)
            yield StripShape(band, piece, frame, fill, edge, label, label_x)

    def _label_x(self, number: int, strip: Strip, frame: Frame, width: int) -> int:
        """Where the name is written: at the beginning, or after a line that would run through it."""
        crossing = (
            self.lefts[number] + line.x
            for line in self.plans[number].verticals
            if line.lane < strip.lane < line.to_lane
        )
        x = frame.x + 10
        for line in sorted(crossing):
            if x - 4 < line < x + width + 4 and line + 10 + width < frame.right:
                x = line + 10
        return x

    def _rails(self) -> Iterator[str]:
        """Dashed rails under host-routed containers, and risers between the rows of one band."""
        for number, strip in self._all_strips():
            if strip.band == LOOSE and strip.x2 > strip.x1:
                left, y = self.lefts[number], self.strip_y(strip.lane, strip.row)
                yield f"M{left + strip.x1} {y + 9}H{left + strip.x2}"

    def _uprights(self) -> Iterator[Upright]:
        for number, plan in enumerate(self.plans):
            for line in plan.verticals:
                yield self._upright(number, line)
            for strip in plan.strips:
                if strip.row > 0 and strip.band != LOOSE:
                    low = next(s for s in plan.strips if s.band == strip.band and s.row == strip.row - 1)
                    is_turned = number in self.arranged.mirrored
                    edge = min(strip.x2, low.x2) - 5 if is_turned else max(strip.x1, low.x1) + 5
                    x = self.lefts[number] + edge
                    top = self.strip_y(strip.lane, strip.row) + m.STRIP_HEIGHT
                    bottom = self.strip_y(strip.lane, strip.row - 1)
                    yield Upright("lead", self.bands[strip.band], x, top, bottom)

    def _upright(self, number: int, line: Vertical) -> Upright:
        x = self.lefts[number] + line.x
        band = self.bands.get(line.band)
        top = self.strip_y(line.lane, line.row)
        column = self.scene.columns[number]
        if line.kind == "routed":
            y1 = top + m.DOT if line.dot else top + 9
            return Upright("routed", None, x, y1, self.stack_y, text=f"host-routed, on {column.name}")
        if line.kind == "lead":
            of_dot = line.dot.mark if line.dot else ""
            return Upright("lead", band, x, top + m.DOT, self.strip_y(line.to_lane, 0), of_dot)
        piece = column.piece(line.band)
        bottom = self.columns_bottom - m.SOCKET_HEIGHT // 2
        text = f"{band.name if band else ''} on {line.socket} of {column.name}"
        mark: Mark = "removed" if line.kind == "ghost" else ""
        if line.kind == "drop" and piece and piece.mark != "removed":
            mark = piece.mark
        return Upright(line.kind, band, x, top + m.STRIP_HEIGHT, bottom, mark, text)

    def _sockets(self) -> Iterator[SocketShape]:
        for number, plan in enumerate(self.plans):
            column = self.scene.columns[number]
            owner = {piece.socket: piece.band for piece in column.pieces if piece.socket}
            for placed in plan.sockets:
                yield self._socket(number, placed, owner)

    def _socket(self, number: int, placed: PlacedSocket, owner: dict[str, BandId]) -> SocketShape:
        socket = placed.socket
        tab = socket.kind == "vlan" and bool(socket.base)
        frame = Frame(
            self.lefts[number] + placed.x,
            self.columns_bottom - m.SOCKET_HEIGHT // 2,
            placed.width,
            m.SOCKET_HEIGHT,
        )
        line_y = self.line_ys.get(socket.line) if socket.line else None
        server = self.scene.columns[number].servers[0]
        return SocketShape(server, socket, frame, line_y, self.bands.get(owner.get(socket.name, "")), tab)

    def _between(self) -> Iterator[Between]:
        for band in self.scene.bands:
            reach = self.reach[band.id]
            for a, b in pairwise(reach.columns):
                y = self.strip_y(self.arranged.lanes[a, band.id], 0)
                x1, x2 = self.lefts[a] + self.plans[a].width, self.lefts[b]
                frame = Frame(x1, y, x2 - x1, m.STRIP_HEIGHT)
                fill, edge = band_paths(frame, True, True)
                if (a, b) in reach.joined:
                    yield Between(band, frame, fill, edge)
                elif band.kind == "network":
                    left, right = self.scene.columns[a], self.scene.columns[b]
                    text = f"{band.name} on {left.name} does not reach {band.name} on {right.name}."
                    yield Between(band, frame, fill, edge, is_broken=True, text=text)

    def _lines(self, sockets: tuple[SocketShape, ...]) -> Iterator[LineShape]:
        for line in self.scene.lines:
            y = self.line_ys[line.id]
            taps = sorted(s.frame.middle for s in sockets if s.socket.line == line.id)
            through = sorted(s.frame.middle for s in sockets if s.line_y is not None and s.line_y >= y)
            width = text_width(line.name, m.SMALL_SIZE)
            x1, x2 = min(taps) - 18, max(taps) + 18
            edges = [x1 - 6, *(x for x in through if x1 < x < x2), x2 - 6]
            gaps = [(high - low, low) for low, high in pairwise(edges)]
            fits = [low for size, low in gaps if size >= width + 20]
            if fits:
                label_x = fits[0] + 12
            else:
                label_x = max([x2 - 12, *through]) + 12
                x2 = max(x2, label_x + width + 12)
            hosts = None
            if line.is_untagged:
                x = max([x2, *through]) + 22
                hosts = Frame(x, y - m.HOSTS_HEIGHT // 2, m.HOSTS_WIDTH, m.HOSTS_HEIGHT)
                x2 = hosts.middle
            yield LineShape(line, y, x1, x2, label_x, hosts)

    def _signs(
        self,
        boxes: tuple[BoxShape, ...],
        strips: tuple[StripShape, ...],
        sockets: tuple[SocketShape, ...],
        lines: tuple[LineShape, ...],
    ) -> Iterator[SignShape]:
        for number, column in enumerate(self.scene.columns):
            if column.signs:
                right = self.lefts[number] + self.plans[number].width
                yield SignShape(right - 20, m.MARGIN + 22, column.signs)
        for box in boxes:
            if box.box.all_signs:
                yield SignShape(box.frame.right - 12, box.frame.y + 13, box.box.all_signs)
        named = set()
        for strip in strips:
            if strip.band.signs and strip.band.id not in named:
                named.add(strip.band.id)
                x = min(strip.label_x + text_width(strip.label, m.LABEL_SIZE) + 12, strip.frame.right - 10)
                yield SignShape(x, strip.frame.y + m.STRIP_HEIGHT // 2 + 2, strip.band.signs)
        for socket in sockets:
            if socket.socket.signs:
                yield SignShape(socket.frame.right - 10, socket.frame.y + 12, socket.socket.signs)
        for line in lines:
            if line.line.signs:
                yield SignShape(line.x1 - 12, line.y + 1, line.line.signs)

    def _placed(self) -> Iterator[tuple[int, PlacedBox]]:
        for number, plan in enumerate(self.plans):
            for placed in plan.boxes:
                yield number, placed

    def _all_strips(self) -> Iterator[tuple[int, Strip]]:
        for number, plan in enumerate(self.plans):
            for strip in plan.strips:
                yield number, strip
