"""Shapes with their places: what a renderer draws, from the back to the front."""

from __future__ import annotations

from dataclasses import dataclass

from networks.domain.state import ServerId
from networks.domain.topology.placed import VerticalKind
from networks.domain.topology.scene import Band, Box, Column, Dot, Line, Mark, Piece, Sign, Socket


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle: left, top, width and height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    def overlaps(self, other: Frame) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom
        )


@dataclass(frozen=True, slots=True)
class ColumnShape:
    column: Column
    frame: Frame
    title: str
    stack: Frame | None
    stack_links: tuple[str, ...]
    """Paths from the stack to the sockets that the server itself is reached through."""


@dataclass(frozen=True, slots=True)
class BoxShape:
    box: Box
    frame: Frame
    label: str
    name: str
    arcs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DotShape:
    """`label` is the interface's name where a box has several; it stands left or right of the dot."""

    dot: Dot
    x: int
    y: int
    is_attached: bool = True
    label: str = ""
    is_label_left: bool = False
    is_many: bool = False
    running: bool = True


@dataclass(frozen=True, slots=True)
class StripShape:
    """A band along one row of one column. `fill` and `edge` are paths: the edge is open where it runs on."""

    band: Band
    piece: Piece
    frame: Frame
    fill: str
    edge: str
    label: str
    label_x: int


@dataclass(frozen=True, slots=True)
class Between:
    """A band between two columns: joined, or broken with the reason in `text`."""

    band: Band
    frame: Frame
    fill: str
    edge: str
    is_broken: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Upright:
    """A vertical line from `y1` down to `y2`. `taps`: whether it ends on a band, with a small foot."""

    kind: VerticalKind
    band: Band | None
    x: int
    y1: int
    y2: int
    mark: Mark = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class SocketShape:
    """A socket with the wire down to its line at `line_y`; None where nobody knows the segment."""

    server: ServerId
    socket: Socket
    frame: Frame
    line_y: int | None
    band: Band | None
    is_tab: bool = False


@dataclass(frozen=True, slots=True)
class LineShape:
    """A wire. `hosts` is where the sign of the other hosts on it stands, for untagged ones."""

    line: Line
    y: int
    x1: int
    x2: int
    label_x: int
    hosts: Frame | None

    @property
    def right(self) -> int:
        return self.hosts.right if self.hosts else self.x2


@dataclass(frozen=True, slots=True)
class SignShape:
    """A warning sign at a corner of what it is about."""

    x: int
    y: int
    signs: tuple[Sign, ...]

    @property
    def severity(self) -> str:
        """The worst of its signs."""
        return min((sign.severity for sign in self.signs), key=("refuse", "warn", "note").index)

    @property
    def text(self) -> str:
        return " ".join(sign.text for sign in self.signs)


@dataclass(frozen=True, slots=True)
class Picture:
    """All shapes. Everything lies within `width` and `height`."""

    width: int
    height: int
    columns: tuple[ColumnShape, ...]
    between: tuple[Between, ...]
    strips: tuple[StripShape, ...]
    rails: tuple[str, ...]
    uprights: tuple[Upright, ...]
    boxes: tuple[BoxShape, ...]
    dots: tuple[DotShape, ...]
    sockets: tuple[SocketShape, ...]
    lines: tuple[LineShape, ...]
    signs: tuple[SignShape, ...]
    crossings: int
