"""Places inside one column: boxes in rows, dots, the strips of bands and every vertical line.

All x are from the column's left edge, with the server's own IP stack at the left; `turned` mirrors a plan.
A row stands in a lane; row 0 is the lowest of its lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from networks.domain.topology import measures as m
from networks.domain.topology.lettering import text_width
from networks.domain.topology.placed import (
    BOTTOM,
    ColumnPlan,
    PlacedBox,
    PlacedDot,
    PlacedSocket,
    Strip,
    Vertical,
)
from networks.domain.topology.scene import LOOSE, BandId, Box, Column, Dot, Piece


def plan_column(
    column: Column,
    lane_of: Callable[[BandId], int],
    sides_of: Callable[[BandId], tuple[bool, bool]],
    per_row: int,
    label_of: Callable[[BandId], str],
) -> ColumnPlan:
    """The plan; `sides_of` says whether a band runs on to the left and to the right of this column."""
    planner = _Planner(column, lane_of, sides_of, per_row, label_of)
    return planner.plan()


class _Planner:
    def __init__(
        self,
        column: Column,
        lane_of: Callable[[BandId], int],
        sides_of: Callable[[BandId], tuple[bool, bool]],
        per_row: int,
        label_of: Callable[[BandId], str],
    ) -> None:
        self.column = column
        self.lane_of = lane_of
        self.sides_of = sides_of
        self.per_row = per_row
        self.label_of = label_of
        self.boxes: list[PlacedBox] = []
        self.strips: list[Strip] = []
        self.verticals: list[Vertical] = []
        self.rows: dict[int, int] = {}
        self.right = 0

    def plan(self) -> ColumnPlan:
        stack_x = m.COLUMN_PAD if has_stack(self.column) else None
        sockets = self._sockets(m.COLUMN_PAD + (m.STACK_WIDTH + 22 if stack_x is not None else 0))
        middles = {placed.socket.name: placed.middle for placed in sockets}
        pieces: dict[BandId, Piece] = {piece.band: piece for piece in self.column.pieces}
        standing = self._standing()
        bands = {*pieces, *([LOOSE] if standing.get(LOOSE) else [])}
        for band in sorted(bands, key=self.lane_of):
            if band == LOOSE:
                self._place_loose(standing[LOOSE])
            else:
                self._place_band(pieces[band], standing.get(band, []), middles)
        title = text_width(self.column.name, 15) + 3 * m.COLUMN_PAD + 18
        width = max(self.right + m.COLUMN_PAD, m.COLUMN_LEAST, min(title, 2 * m.COLUMN_LEAST))
        strips = tuple(replace(s, x2=width) if s.runs_right and s.row == 0 else s for s in self.strips)
        return ColumnPlan(
            width, tuple(self.boxes), strips, tuple(self.verticals), sockets, stack_x, self.rows
        )

    def _sockets(self, x: int) -> tuple[PlacedSocket, ...]:
        placed: list[PlacedSocket] = []
        for socket in self.column.sockets:
            tab = bool(placed) and socket.kind == "vlan" and socket.base
            joined = tab and placed[-1].socket.name in (socket.base, *self._tabs(socket.base))
            if placed and not joined:
                x += m.SOCKET_GAP
            width = max(44, text_width(socket.name, m.SMALL_SIZE) + 18) + (14 if socket.signs else 0)
            # Even, so that its middle stays the middle when the column is turned.
            width += width % 2
            placed.append(PlacedSocket(socket, x, width))
            x += width
        self.right = max(self.right, x)
        return tuple(placed)

    def _tabs(self, base: str) -> list[str]:
        return [socket.name for socket in self.column.sockets if socket.base == base]

    def _standing(self) -> dict[BandId, list[Box]]:
        """Boxes by the band they stand on: the topmost of theirs."""
        drawn = {piece.band for piece in self.column.pieces}
        found: dict[BandId, list[Box]] = {}
        for box in self.column.boxes:
            own = {dot.band for dot in box.dots if dot.band in drawn}
            found.setdefault(min(own, key=self.lane_of) if own else LOOSE, []).append(box)
        return found

    # --- what stands on no band ---

    def _place_loose(self, boxes: Sequence[Box]) -> None:
        lane = self.lane_of(LOOSE)
        routed = [box for box in boxes if any(dot.is_routed for dot in box.dots)]
        plain = [box for box in boxes if box not in routed]
        rows = _in_rows([], [*routed, *plain], [], self.per_row)
        self.rows[lane] = len(rows)
        start = m.COLUMN_PAD + (18 if sum(any(b in routed for b in row) for row in rows) > 1 else 0)
        rail = m.COLUMN_PAD + 8
        for row, here in enumerate(rows):
            x = start
            on_rail = []
            for box in here:
                placed = self._put(box, x, lane, row, _dots_in_order(box, LOOSE, self.lane_of))
                on_rail += [dot.x for dot in placed.dots if dot.dot.is_routed]
                x = placed.right + m.BOX_GAP
            if on_rail:
                down = rail if start > m.COLUMN_PAD else on_rail[0]
                self.strips.append(Strip(LOOSE, lane, row, min(down, on_rail[0]), on_rail[-1]))
                self.verticals.append(Vertical("routed", LOOSE, down, lane, row, BOTTOM))

    # --- what stands on a band ---

    def _place_band(self, piece: Piece, boxes: Sequence[Box], middles: dict[str, int]) -> None:
        band, lane = piece.band, self.lane_of(piece.band)
        runs_left, runs_right = self.sides_of(band)
        drop = middles.get(piece.socket)
        joins = [v.x for v in self.verticals if v.to_lane == lane and v.band == band]
        blocks = sorted(v.x for v in self.verticals if v.passes(lane) and v.band != band)
        anchors = [*joins, *([drop] if drop is not None else [])]
        first, mid, last = self._by_place(boxes, band)
        rows = _in_rows(first, mid, last, self.per_row)
        self.rows[lane] = len(rows)
        left = _window(blocks, anchors, runs_left, runs_right, _widest(rows))
        many = len(rows) > 1
        on_band: list[list[int]] = []
        leads: list[tuple[PlacedDot, int]] = []
        avoid = sorted({*joins, *blocks})
        for row, here in enumerate(rows):
            x = left + (m.END if many else 0)
            touched = []
            for box in here:
                x = _beside(x, box_width(box), avoid)
                placed = self._put(box, x, lane, row, _dots_in_order(box, band, self.lane_of))
                touched += [dot.x for dot in placed.dots if dot.dot.band == band]
                if all(dot.dot.band == band for dot in placed.dots):
                    touched += [placed.x + m.END, placed.right - m.END]
                leads += [(dot, row) for dot in placed.dots if self._leaves(dot.dot, band)]
                x = placed.right + m.BOX_GAP
            on_band.append(touched)
        self._leads(leads, lane)
        ghost = middles.get(piece.was)
        reach = [*anchors, *(on_band[0] if on_band else [])]
        reach += [left + m.END] if many else []
        reach += [ghost] if ghost is not None else []
        own = [dot.x for dot, row in leads if row == 0]
        x1, x2 = self._strip_ends(band, reach, left, blocks, own)
        self.strips.append(Strip(band, lane, 0, 0 if runs_left else x1, x2, runs_left, runs_right))
        for row, touched in enumerate(on_band[1:], 1):
            self.strips.append(Strip(band, lane, row, min(x1, left), max(touched) + m.END))
        self.right = max(self.right, x2)
        if drop is not None:
            self.verticals.append(Vertical("drop", band, drop, lane, 0, BOTTOM, socket=piece.socket))
        if ghost is not None:
            self.verticals.append(Vertical("ghost", band, ghost, lane, 0, BOTTOM, socket=piece.was))

    def _leaves(self, dot: Dot, band: BandId) -> bool:
        return dot.is_routed or (dot.band != band and self.column.piece(dot.band) is not None)

    def _by_place(self, boxes: Sequence[Box], band: BandId) -> tuple[list[Box], list[Box], list[Box]]:
        """Boxes with a line to the stack, plain ones, and boxes with a line to a lower band."""
        first, mid, last = [], [], []
        for box in boxes:
            if any(dot.is_routed for dot in box.dots):
                first.append(box)
            elif any(self._leaves(dot, band) for dot in box.dots):
                last.append(box)
            else:
                mid.append(box)
        return first, mid, last

    def _leads(self, leads: Sequence[tuple[PlacedDot, int]], lane: int) -> None:
        for placed, row in leads:
            dot = placed.dot
            if dot.is_routed:
                self.verticals.append(Vertical("routed", LOOSE, placed.x, lane, row, BOTTOM, dot))
            else:
                to = self.lane_of(dot.band)
                self.verticals.append(Vertical("lead", dot.band, placed.x, lane, row, to, dot))

    def _strip_ends(
        self, band: BandId, reach: Sequence[int], left: int, blocks: Sequence[int], own: Sequence[int]
    ) -> tuple[int, int]:
        """Where the band begins and ends: over all that it touches, and wide enough for its name."""
        low, high = (min(reach), max(reach)) if reach else (left + m.END, left + m.END)
        lines = (*own, *blocks)
        floor = max([m.COLUMN_PAD, *(x + m.CLEAR for x in lines if x < low)])
        ceiling = min([1_000_000, *(x - m.CLEAR for x in lines if x > high)])
        x1, x2 = max(low - m.END, min(floor, low)), min(high + m.END, max(ceiling, high))
        wanted = text_width(self.label_of(band), m.LABEL_SIZE) + 2 * m.CLEAR
        x2 = max(x2, min(x1 + wanted, ceiling))
        return max(min(x1, x2 - wanted), min(floor, x1)), x2

    def _put(self, box: Box, x: int, lane: int, row: int, dots: Sequence[Dot]) -> PlacedBox:
        width = box_width(box)
        xs = [width // 2] if len(dots) == 1 else [16 + m.DOT_SLOT * n for n in range(len(dots))]
        placed = PlacedBox(
            box,
            x,
            width,
            lane,
            row,
            tuple(PlacedDot(dot, x + at) for dot, at in zip(dots, xs, strict=True)),
        )
        self.boxes.append(placed)
        self.right = max(self.right, placed.right)
        return placed


def has_stack(column: Column) -> bool:
    """Whether the server's own IP stack is drawn: where anything is known to be joined to it."""
    return any(socket.is_own for socket in column.sockets) or any(
        dot.is_routed for box in column.boxes for dot in box.dots
    )


def box_width(box: Box) -> int:
    """Pixels that the box takes."""
    if box.count > 1:
        return m.MANY_WIDTH + (m.SIGN_ROOM if box.all_signs else 0)
    return max(m.BOX_WIDTH, m.DOT_SLOT * len(box.dots) + 2) if len(box.dots) > 1 else m.BOX_WIDTH


def _dots_in_order(box: Box, band: BandId, lane_of: Callable[[BandId], int]) -> list[Dot]:
    """Lines to the stack leave at the left, those to lower bands at the right; the band lies between."""

    def place(dot: Dot) -> int:
        if dot.is_routed or dot.band == LOOSE:
            return 0 if dot.is_routed else 1
        return 2 if dot.band == band else 3

    return sorted(box.dots, key=place)


def _in_rows(first: Sequence[Box], mid: Sequence[Box], last: Sequence[Box], per_row: int) -> list[list[Box]]:
    """Rows from the lowest up. Boxes with lines of their own stand in the lowest."""
    room = max(0, per_row - len(first) - len(last))
    rows = [[*first, *mid[:room], *last]]
    rest = mid[room:]
    rows += [list(rest[n : n + per_row]) for n in range(0, len(rest), per_row)]
    return [row for row in rows if row]


def _widest(rows: Sequence[Sequence[Box]]) -> int:
    return max((sum(box_width(box) + m.BOX_GAP for box in row) for row in rows), default=0)


def _window(
    blocks: Sequence[int], anchors: Sequence[int], runs_left: bool, runs_right: bool, width: int
) -> int:
    """Where boxes begin: in the stretch between other bands' lines where the band has most to reach."""
    edges = [m.COLUMN_PAD - m.CLEAR, *blocks]
    windows = [
        (low + m.CLEAR, high - m.CLEAR if high is not None else None)
        for low, high in zip(edges, [*blocks, None], strict=True)
    ]

    def worth(window: tuple[int, int | None]) -> tuple[int, bool, int]:
        low, high = window
        reached = sum(low <= x and (high is None or x <= high) for x in anchors)
        reached += runs_left and low == m.COLUMN_PAD
        reached += runs_right and high is None
        return (reached, high is None or high - low >= width, -low)

    return max(windows, key=worth)[0]


def _beside(x: int, width: int, avoid: Sequence[int]) -> int:
    """The first place from x on where a box of that width has no line through it."""
    for line in avoid:
        if x - m.CLEAR // 2 < line < x + width + m.CLEAR // 2:
            x = line + m.CLEAR
    return x
