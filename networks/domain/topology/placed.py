"""Things with places inside one column, by x from its left edge; `turned` mirrors a plan."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from networks.domain.topology import measures as m
from networks.domain.topology.scene import LOOSE, BandId, Box, Dot, Socket

BOTTOM = 10_000
"""The lane below all lanes: where the stack and the sockets are."""

VerticalKind = Literal["drop", "ghost", "lead", "routed"]


@dataclass(frozen=True, slots=True)
class PlacedDot:
    dot: Dot
    x: int


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box at its row; `x` is its left edge."""

    box: Box
    x: int
    width: int
    lane: int
    row: int
    dots: tuple[PlacedDot, ...]

    @property
    def right(self) -> int:
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Strip:
    """A band (or the dashed rail of host-routed interfaces) along one row."""

    band: BandId
    lane: int
    row: int
    x1: int
    x2: int
    runs_left: bool = False
    runs_right: bool = False


@dataclass(frozen=True, slots=True)
class Vertical:
    """A line down from a lane's row: a drop to a socket, a lead of a second dot, a host-routed one."""

    kind: VerticalKind
    band: BandId
    x: int
    lane: int
    row: int
    to_lane: int
    dot: Dot | None = None
    socket: str = ""

    def passes(self, lane: int) -> bool:
        """Whether boxes of that lane have to make room for it."""
        return self.lane < lane <= self.to_lane


@dataclass(frozen=True, slots=True)
class PlacedSocket:
    socket: Socket
    x: int
    width: int

    @property
    def middle(self) -> int:
        return self.x + self.width // 2


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """Everything of one column. `stack_x` is the left edge of the stack, None if none is drawn."""

    width: int
    boxes: tuple[PlacedBox, ...]
    strips: tuple[Strip, ...]
    verticals: tuple[Vertical, ...]
    sockets: tuple[PlacedSocket, ...]
    stack_x: int | None
    rows: dict[int, int] = field(default_factory=dict)

    def turned(self) -> ColumnPlan:
        """The same, left and right exchanged."""
        w = self.width
        return replace(
            self,
            boxes=tuple(
                replace(
                    box,
                    x=w - box.right,
                    dots=tuple(replace(dot, x=w - dot.x) for dot in box.dots),
                )
                for box in self.boxes
            ),
            strips=tuple(
                replace(s, x1=w - s.x2, x2=w - s.x1, runs_left=s.runs_right, runs_right=s.runs_left)
                for s in self.strips
            ),
            verticals=tuple(replace(v, x=w - v.x) for v in self.verticals),
            sockets=tuple(replace(s, x=w - s.x - s.width) for s in self.sockets),
            stack_x=None if self.stack_x is None else w - self.stack_x - m.STACK_WIDTH,
        )


def crossings(plan: ColumnPlan) -> int:
    """How often a vertical line crosses a band that it does not belong to."""
    count = 0
    for line in plan.verticals:
        for strip in plan.strips:
            if strip.x1 < line.x < strip.x2 and strip.band not in (line.band, LOOSE):
                below = strip.lane > line.lane or (strip.lane == line.lane and strip.row <= line.row)
                count += below and strip.lane < line.to_lane
    return count
