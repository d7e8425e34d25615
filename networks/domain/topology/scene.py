"""What a topology picture shows, before anything in it has a position. Values only.

A scene is read like the manual's scheme: servers are columns, containers are boxes in them, container
interfaces are dots, virtual networks are bands, network adapters are sockets, wires are lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from networks.domain.inventory import ContainerKey
from networks.domain.state import InterfaceKey, ServerId

BandId = str
"""A network's id, or "server/bridge" for a bridge that the panel does not manage."""
LOOSE: BandId = ""
"""The band of interfaces that are in no bridge: host-routed ones, and bridged ones in no network."""
LineId = tuple[int, int]
"""A wire: physical segment and VLAN id (0: untagged)."""

Mark = Literal["", "new", "removed", "changed"]
"""Where the draft differs from what is decided."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something wrong, shown where it happens."""

    severity: Literal["refuse", "warn", "note"]
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A container interface. `was` names the network that the draft takes it out of, `outside` the network
    that it is in if that one is not drawn."""

    key: InterfaceKey
    band: BandId = LOOSE
    is_routed: bool = False
    mark: Mark = ""
    was: str = ""
    outside: str = ""
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """A container with its interfaces, or `count` of them drawn as one."""

    key: ContainerKey
    name: str = ""
    status: str = "unknown"
    dots: tuple[Dot, ...] = ()
    joined: tuple[tuple[str, ...], ...] = ()
    count: int = 1
    signs: tuple[Sign, ...] = ()

    @property
    def all_signs(self) -> tuple[Sign, ...]:
        """Its own and those of its interfaces: drawn as one, in its corner."""
        return (*self.signs, *(sign for dot in self.dots for sign in dot.signs))


@dataclass(frozen=True, slots=True)
class Socket:
    """A network adapter. `is_own`: the server itself is reached through it."""

    name: str
    kind: str = "nic"
    base: str = ""
    line: LineId | None = None
    mark: Mark = ""
    is_down: bool = False
    is_own: bool = False
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A band in one column: dropped to `socket`, or local (""). `was`: the socket that the draft leaves."""

    band: BandId
    socket: str = ""
    mark: Mark = ""
    was: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A physical server, or several that look alike drawn as one. `left_out` counts boxes not drawn."""

    servers: tuple[ServerId, ...]
    name: str
    state: str = "ok"
    address: str = ""
    boxes: tuple[Box, ...] = ()
    sockets: tuple[Socket, ...] = ()
    pieces: tuple[Piece, ...] = ()
    left_out: int = 0
    signs: tuple[Sign, ...] = ()

    def socket(self, name: str) -> Socket | None:
        """The socket of that name, if it is drawn."""
        return next((socket for socket in self.sockets if socket.name == name), None)

    def piece(self, band: BandId) -> Piece | None:
        """The band's piece in this column."""
        return next((piece for piece in self.pieces if piece.band == band), None)


@dataclass(frozen=True, slots=True)
class Band:
    """A virtual network, or a bridge that the panel does not manage. `elsewhere`: servers not drawn."""

    id: BandId
    name: str
    kind: Literal["network", "foreign", "several"] = "network"
    colour: int = 0
    mark: Mark = ""
    elsewhere: int = 0
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A wire that adapters share."""

    id: LineId
    name: str
    is_untagged: bool = True
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything in the picture. `networks_left_out` counts networks that had to be left out of it."""

    columns: tuple[Column, ...] = ()
    bands: tuple[Band, ...] = ()
    lines: tuple[Line, ...] = ()
    networks_left_out: int = 0
    is_collapsed: bool = False

    def band(self, band: BandId) -> Band | None:
        """The band with that id."""
        return next((found for found in self.bands if found.id == band), None)

    def line(self, line: LineId | None) -> Line | None:
        """The line with that id."""
        return next((found for found in self.lines if found.id == line), None)
