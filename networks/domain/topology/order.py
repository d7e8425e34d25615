"""Which band lies above which, and on which side a server's own stack stands: so that little crosses.

Bands that share no column may share a lane. A column is planned as if its server's own IP stack stood at the
left of its lower edge, the sockets right of it; a mirrored column is turned round at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from networks.domain.topology.columns import plan_column
from networks.domain.topology.placed import BOTTOM, ColumnPlan, crossings
from networks.domain.topology.scene import LOOSE, Band, BandId, Box, Column, Piece, Scene

ROUNDS = 3

Lanes = Mapping[tuple[int, BandId], int]
"""Column and band to the lane that the band has there; 0 is the topmost. A band has one lane everywhere."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The order chosen. `mirrored` are the columns whose stack stands at the right."""

    lanes: Lanes
    lanes_count: int
    mirrored: frozenset[int]
    plans: tuple[ColumnPlan, ...]
    crossings: int
    cost: tuple[int, int, int]
    """Crossings, lanes and width: compared in this order."""


@dataclass(frozen=True, slots=True)
class Reach:
    """In which columns a band is drawn, and to which neighbours it runs on."""

    columns: tuple[int, ...]
    joined: frozenset[tuple[int, int]]

    def left(self, column: int) -> bool:
        return any(right == column for _, right in self.joined)

    def right(self, column: int) -> bool:
        return any(left == column for left, _ in self.joined)


def reaches(scene: Scene) -> dict[BandId, Reach]:
    """The reach of every band. Two pieces are joined if their sockets are on the same line."""
    found = {}
    for band in scene.bands:
        pieces = [(n, c.piece(band.id)) for n, c in enumerate(scene.columns)]
        there = [(n, piece) for n, piece in pieces if piece is not None]
        joined = set()
        for (a, piece), (b, other) in pairwise(there):
            if is_joined(scene.columns[a], piece, scene.columns[b], other):
                joined.add((a, b))
        found[band.id] = Reach(tuple(n for n, _ in there), frozenset(joined))
    return found


def is_joined(left: Column, piece: Piece, right: Column, other: Piece) -> bool:
    """Whether the two pieces of a band meet on a wire."""
    here, there = left.socket(piece.socket), right.socket(other.socket)
    return here is not None and there is not None and here.line is not None and here.line == there.line


def arrange(scene: Scene, per_row: int, label_of: Callable[[Band, Piece], str]) -> Arrangement:
    """The best arrangement that moving bands one by one finds. Deterministic."""
    search = _Search(scene, per_row, label_of)
    order = search.first_order()
    best = search.arranged(order)
    # A band's place matters to few others: a handful of rounds settles any picture that can be read.
    for _ in range(ROUNDS):
        better = False
        for i in range(len(order)):
            for j in range(len(order)):
                tried = [*order]
                tried.insert(j, tried.pop(i))
                found = search.arranged(tried)
                if found.cost < best.cost:
                    best, order, better = found, tried, True
        if not better:
            break
    return best


class _Search:
    """Arrangements by what they cost. Columns are planned once for each order of their own bands."""

    def __init__(self, scene: Scene, per_row: int, label_of: Callable[[Band, Piece], str]) -> None:
        self.scene = scene
        self.per_row = per_row
        self.label_of = label_of
        self.reach = reaches(scene)
        self.bands = {band.id: band for band in scene.bands}
        self.known: dict[tuple[int, tuple[BandId, ...], bool], ColumnPlan] = {}

    def first_order(self) -> list[BandId]:
        """Bands that end inside a column first, then by where they begin."""
        place = {band.id: number for number, band in enumerate(self.scene.bands)}
        has_drop = {piece.band for column in self.scene.columns for piece in column.pieces if piece.socket}
        return sorted(
            place,
            key=lambda b: (
                b in has_drop,
                len(self.reach[b].joined) > 0,
                self.reach[b].columns,
                place[b],
            ),
        )

    def arranged(self, order: Sequence[BandId]) -> Arrangement:
        """What the order makes: lanes, and each column turned the way in which less crosses."""
        lanes, count = _lanes(self.scene, self.reach, order)
        crossed = width = 0
        plans = []
        mirrored = set()
        for number in range(len(self.scene.columns)):
            plain, turned = (self.plan(number, lanes, mirror=mirror) for mirror in (False, True))
            if (crossings(turned), turned.width) < (crossings(plain), plain.width):
                mirrored.add(number)
                plain = turned
            plans.append(_at_lanes(plain, number, lanes))
            crossed += crossings(plain)
            width += plain.width
        return Arrangement(lanes, count, frozenset(mirrored), tuple(plans), crossed, (crossed, count, width))

    def plan(self, number: int, lanes: Lanes, *, mirror: bool) -> ColumnPlan:
        """The column's plan; lanes in it count its own bands only."""
        own = sorted((lane, band) for (column, band), lane in lanes.items() if column == number)
        key = (number, tuple(band for _, band in own), mirror)
        if key not in self.known:
            self.known[key] = self._planned(*key)
        return self.known[key]

    def _planned(self, number: int, order: tuple[BandId, ...], mirror: bool) -> ColumnPlan:
        column = self.scene.columns[number]

        def sides_of(band: BandId) -> tuple[bool, bool]:
            left, right = self.reach[band].left(number), self.reach[band].right(number)
            return (right, left) if mirror else (left, right)

        def label(band: BandId) -> str:
            piece = column.piece(band)
            return self.label_of(self.bands[band], piece) if piece else ""

        plan = plan_column(column, order.index, sides_of, self.per_row, label)
        return plan.turned() if mirror else plan


def _at_lanes(plan: ColumnPlan, number: int, lanes: Lanes) -> ColumnPlan:
    """The plan with the lanes of the whole picture."""
    own = sorted((lane, band) for (column, band), lane in lanes.items() if column == number)
    at = {n: lane for n, (lane, _) in enumerate(own)} | {BOTTOM: BOTTOM}
    return replace(
        plan,
        boxes=tuple(replace(box, lane=at[box.lane]) for box in plan.boxes),
        strips=tuple(replace(strip, lane=at[strip.lane]) for strip in plan.strips),
        verticals=tuple(replace(v, lane=at[v.lane], to_lane=at[v.to_lane]) for v in plan.verticals),
        rows={at[lane]: count for lane, count in plan.rows.items()},
    )


def _lanes(
    scene: Scene, reach: Mapping[BandId, Reach], order: Sequence[BandId]
) -> tuple[dict[tuple[int, BandId], int], int]:
    """Lanes from the lowest band up, each as low as the bands under it allow."""
    height = [0] * len(scene.columns)
    above: dict[tuple[int, BandId], int] = {}
    for band in reversed(order):
        columns = reach[band].columns
        if not columns:
            continue
        spanned = range(columns[0], columns[-1] + 1)
        level = max(height[n] for n in spanned)
        for n in spanned:
            height[n] = level + 1
        above.update({(n, band): level for n in columns})
    for number, column in enumerate(scene.columns):
        if any(stands_on(box, column) == LOOSE for box in column.boxes):
            above[number, LOOSE] = height[number]
            height[number] += 1
    count = max(height, default=0)
    return {key: count - 1 - level for key, level in above.items()}, count


def stands_on(box: Box, column: Column) -> BandId:
    """Any band of the box if it has one: which of them is decided by the lanes."""
    return next((dot.band for dot in box.dots if column.piece(dot.band)), LOOSE)
