"""What the lab consists of: the manual's scheme before any virtual network exists.

Source: chapter "Managing Virtual Networks" of the manual. Containers of its networks A to D share
10.77.0.0/24 on purpose: their isolation must come from layer 2, not from a subnet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dialect = Literal["4", "7"]
InitKind = Literal["sysv", "systemd"]

PANEL_NUMBER = 254
OTHER_HOST_NUMBER = 1
GATEWAY = "10.77.0.1"
GATEWAY6 = "fd77::1"


def lan_addresses(number: int) -> tuple[str, str]:
    """Addresses with prefix length of ``number`` on the untagged LAN, IPv4 and IPv6."""
    return f"10.77.0.{number}/24", f"fd77::{number}/64"


@dataclass(frozen=True)
class BridgedInterface:
    """A veth interface of a container and the addresses its guest gives it (none: bridged in the guest)."""

    ifname: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class ContainerDefinition:
    """One container: host-routed addresses, bridged interfaces, and a bridge joining them inside (201)."""

    ctid: str
    name: str
    host_routed: tuple[str, ...] = ()
    bridged: tuple[BridgedInterface, ...] = ()
    inner_bridge: tuple[str, ...] = ()
    """Addresses of the bridge inside the container that joins its bridged interfaces; empty: no bridge."""


@dataclass(frozen=True)
class ServerDefinition:
    """One physical server and what it carries when it is new."""

    name: str
    number: int
    dialect: Dialect
    init: InitKind
    containers: tuple[ContainerDefinition, ...]
    bridge: str = ""
    """Bridge that already holds eth0 and the address (Virtuozzo 7 ships ``br0``); empty: address on eth0."""
    memory_mb: int = 128

    @property
    def address(self) -> str:
        """IPv4 address on the LAN, without prefix length."""
        return lan_addresses(self.number)[0].partition("/")[0]

    @property
    def mac(self) -> str:
        """MAC of eth0, locally administered, the IPv4 address in its tail."""
        return f"02:00:0a:4d:00:{self.number:02x}"

    @property
    def tap(self) -> str:
        """The switch port its cable is in."""
        return f"tap-{self.name}"


def _on_lan(ctid: str, number: int) -> ContainerDefinition:
    return ContainerDefinition(ctid, f"ct{ctid}", bridged=(BridgedInterface("eth0", lan_addresses(number)),))


def _on_e(number: int) -> tuple[BridgedInterface, ...]:
    return (BridgedInterface("eth0", (f"10.77.5.{number}/24", f"fd77:0:0:5::{number}/64")),)


SERVERS: tuple[ServerDefinition, ...] = (
    ServerDefinition(
        "server1", 11, "4", "sysv",
        (
            ContainerDefinition("101", "ct101", host_routed=("10.77.0.101", "fd77::101")),
            _on_lan("102", 102),
            _on_lan("103", 103),
        ),
    ),
    ServerDefinition(
        "server2", 12, "4", "systemd",
        (
            ContainerDefinition(
                "201", "ct201",
                bridged=(BridgedInterface("eth0", ()), BridgedInterface("eth1", ())),
                inner_bridge=lan_addresses(201),
            ),
            _on_lan("202", 202),
            _on_lan("203", 203),
            _on_lan("204", 204),
            _on_lan("205", 205),
        ),
    ),
    ServerDefinition(
        "server3", 13, "7", "sysv",
        (
            _on_lan("301", 31),
            ContainerDefinition("302", "ct302", host_routed=("10.77.0.32", "fd77::32"), bridged=_on_e(32)),
            ContainerDefinition("303", "ct303", bridged=_on_e(33)),
        ),
        bridge="br0",
    ),
)  # fmt: skip


def server(name: str) -> ServerDefinition:
    """The server called ``name``; ValueError naming the known ones otherwise."""
    for one in SERVERS:
        if one.name == name:
            return one
    raise ValueError(f"There is no server {name!r}; the lab has {', '.join(s.name for s in SERVERS)}.")
