"""Small words of the topology picture."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

from networks.domain.topology.picture import SocketShape
from networks.domain.topology.scene import Band, BandId, Dot, Piece, Scene, Socket
from nodes.choices import ServerState

register = template.Library()

NOWHERE = "in no virtual network"


@register.filter
def server_state(state: str) -> str:
    """A server's state in words."""
    return str(ServerState(state).label) if state in ServerState.values else state


@register.filter
def band_class(band: BandId, bands: Mapping[BandId, Band]) -> str:
    """The class of a band's colour, "none" if the interface is in no band that is drawn."""
    found = bands.get(band)
    return f"{found.colour} band-{found.kind}" if found else "none"


@register.filter
def dot_title(dot: Dot, bands: Mapping[BandId, Band]) -> str:
    """What an interface is in, and what the draft makes of that."""
    name = f"{dot.key.ifname} of container {dot.key.ctid}"
    if dot.is_routed:
        return f"{name}: host-routed through the server"
    found = bands.get(dot.band)
    where = f"in {found.name}" if found else f"in {dot.outside}, not drawn here" if dot.outside else NOWHERE
    words = {
        "new": "joins in your draft" if found else "to be made by your draft",
        "removed": f"leaves {dot.was} in your draft" if dot.was else "removed in your draft",
    }
    change = words.get(dot.mark, "")
    return f"{name}: {where}" + (f", {change}" if change else "")


@register.filter
def place_words(dot: Dot, bands: Mapping[BandId, Band]) -> str:
    """What many interfaces drawn as one are in."""
    if dot.is_routed:
        return "host-routed through the server"
    found = bands.get(dot.band)
    return f"in {found.name}" if found else NOWHERE


@register.filter
def piece_words(piece: Piece, bands: Mapping[BandId, Band]) -> str:
    """Where a network is assigned on one server."""
    found = bands[piece.band]
    name = {"network": "Virtual Network ", "foreign": "Bridge "}.get(found.kind, "") + found.name
    if piece.socket:
        return f"{name} on {piece.socket}"
    return name if found.kind == "several" else f"{name}, local"


@register.filter
def socket_title(shape: SocketShape) -> str:
    """What an adapter is, whether it works, and which network it carries."""
    return _socket_words(shape.socket) + (f", assigned to {shape.band.name}" if shape.band else "")


def _socket_words(socket: Socket) -> str:
    kind = {"nic": "NIC", "bond": "bond", "vlan": "VLAN adapter"}.get(socket.kind, "network adapter")
    said = f"{socket.name}, {kind}"
    if socket.line and socket.kind == "vlan":
        said += f" with id {socket.line[1]}"
    if socket.mark == "new":
        return f"{said}, to be made"
    if socket.mark == "removed":
        return f"{said}, to be deleted"
    return f"{said}, down" if socket.is_down else said


@register.simple_tag
def line_name(scene: Scene, socket: Socket) -> str:
    """The wire that a socket is on, in words."""
    line = scene.line(socket.line)
    return line.name if line else "on an unknown physical segment"
