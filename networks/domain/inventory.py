"""What exists, as far as rules and plans need it: servers, adapters, containers and their interfaces.

Frozen views, indexed by the same keys that `state.py` uses. Somebody else builds them from rows
(`Inventory(...)`), or from a fresh look (`looks.py`). Every look-up is O(1), so that rules stay quick with
thousands of servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from networks.domain.state import AdapterKey, InterfaceKey, NetworkId, ServerId, grouped
from nodes.facts import (
    ContainerStatus,
    Dialect,
    Mode,
    Replay,
    ServerFacts,
)

AdapterKind = Literal["nic", "bond", "vlan"]


@dataclass(frozen=True, slots=True, order=True)
class NetworkRef:
    """A virtual network that a problem is about."""

    id: NetworkId


@dataclass(frozen=True, slots=True, order=True)
class ServerRef:
    """A physical server that a problem is about."""

    id: ServerId


@dataclass(frozen=True, slots=True, order=True)
class ContainerKey:
    """A container of a server."""

    server: ServerId
    ctid: str


Subject = NetworkRef | ServerRef | AdapterKey | ContainerKey | InterfaceKey
"""What a problem or a mismatch is about; pages turn it into a link."""


@dataclass(frozen=True, slots=True)
class RouteView:
    """A route to more than the own subnet: `dst` is a prefix or "default" (IPv4; IPv6's is "::/0").

    `via` is the router, "" if there is none.
    """

    dst: str
    via: str = ""
    dev: str = ""


@dataclass(frozen=True, slots=True)
class RoutingView:
    """What a server or a container was seen to route. Connected subnets follow from its addresses.

    `forwards` are the IP versions it forwards between its interfaces; `proxies` are (address, link) that it
    answers ARP or neighbour discovery for.
    """

    forwards: frozenset[int] = frozenset()
    routes: tuple[RouteView, ...] = ()
    proxies: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BootView:
    """What a server's next boot would do: the committed state's replay on top of its own network files.

    `replay`: whether the committed state is brought back ("": unknown). `keeps` are the lines of the
    server's record; `ports` say which bridge its own files put an adapter into, `dhcp` which adapters get
    their address by DHCP. `hook`: containers that start join their bridges. `off`: run, but do not start.
    """

    replay: Replay = ""
    keeps: frozenset[tuple[str, ...]] = frozenset()
    ports: Mapping[str, str] = field(default_factory=dict)
    dhcp: frozenset[str] = frozenset()
    hook: bool = True
    off: frozenset[str] = frozenset()


def boot_view(stored: Mapping[str, Any]) -> BootView | None:
    """What nodes/boot.py made of a look, as a view; None as long as nobody has looked."""
    if not stored:
        return None
    return BootView(
        replay=stored["replay"],
        keeps=frozenset(tuple(words) for words in stored["keeps"]),
        ports=dict(stored["ports"]),
        dhcp=frozenset(stored["dhcp"]),
        hook=stored["hook"],
        off=frozenset(stored["off"]),
    )


@dataclass(frozen=True, slots=True)
class ServerView:
    """A physical server. `facts` only where a plan is to be made; rules do without.

    `filters_tags`: its kernel can keep tagged frames from containers (vlan_filtering); None is unknown.
    `routing` and `boot` are None as long as nobody has looked.
    """

    id: ServerId
    name: str
    group_id: int | None = None
    os: Literal["linux", "windows"] = "linux"
    dialect: Dialect | None = None
    filters_tags: bool | None = None
    facts: ServerFacts | None = None
    routing: RoutingView | None = None
    boot: BootView | None = None


@dataclass(frozen=True, slots=True)
class AdapterView:
    """A network adapter. `bridge` is the bridge that holds it now, "" if none.

    `segment` is the physical segment of a NIC or bond (None: unknown); a VLAN adapter is on its base's.
    `bond_mode` is the kernel's number (0 to 6) for a bond; `bond` is the bond that it is a slave of, "" if
    none. `addresses` are the server's own on it, as CIDR.
    `up` is whether it is switched on, `carrier` whether its cable has a signal; None is unknown.
    """

    server: ServerId
    name: str
    kind: AdapterKind = "nic"
    base: str = ""
    vid: int | None = None
    segment: int | None = None
    segment_name: str = ""
    bond_mode: int | None = None
    bond: str = ""
    gone: bool = False
    bridge: str = ""
    addresses: tuple[str, ...] = ()
    up: bool | None = None
    carrier: bool | None = None

    @property
    def key(self) -> AdapterKey:
        return AdapterKey(self.server, self.name)

    @property
    def is_slave(self) -> bool:
        return bool(self.bond)


@dataclass(frozen=True, slots=True)
class BridgeView:
    """A bridge of a server, made by whomever. `addresses` are the server's own on it, as CIDR.

    `foreign_ports` are ports that are neither adapters nor known container interfaces: virtual machines, or
    what nobody has told the panel. `answers`: the server answers ARP on it though it has no address there.
    `filters_tags`: it keeps tagged frames from its ports (vlan_filtering); None where that is not known.
    """

    server: ServerId
    name: str
    addresses: tuple[str, ...] = ()
    foreign_ports: tuple[str, ...] = ()
    answers: bool | None = None
    filters_tags: bool | None = None


@dataclass(frozen=True, slots=True)
class ContainerView:
    """A container. `joined` are groups of its interfaces that a bridge inside joins (201 of the scheme), as
    they were when somebody last looked inside.

    `off` are interfaces that are switched off inside, `host_routed` addresses that its server routes to it;
    `routing` is None while it is not running or nobody could look inside.
    """

    server: ServerId
    ctid: str
    name: str = ""
    status: ContainerStatus = "unknown"
    joined: tuple[tuple[str, ...], ...] = ()
    host_routed: tuple[str, ...] = ()
    routing: RoutingView | None = None
    off: tuple[str, ...] = ()

    @property
    def key(self) -> ContainerKey:
        return ContainerKey(self.server, self.ctid)


@dataclass(frozen=True, slots=True)
class InterfaceView:
    """A container interface. `bridge` is where its host side is now, "" if in none or not running.

    `addresses` (CIDR) are those that answer on it, so a port of a bridge inside the container has that
    bridge's. They mean nothing while `addresses_known` is False (a stopped container of vzctl 4).
    """

    key: InterfaceKey
    mode: Mode = "bridged"
    mac: str = ""
    addresses: tuple[str, ...] = ()
    addresses_known: bool = False
    container_name: str = ""
    container_status: ContainerStatus = "unknown"
    host_ifname: str = ""
    configured_bridge: str = ""
    bridge: str = ""
    gone: bool = False


@dataclass(frozen=True)
class Inventory:
    """Everything that exists. `hidden` are servers that the reader may not see: counted, never named.

    `bridges` are the bridges on the servers, made by whomever; `bridge_views` say more of those that matter
    to who sees whom.
    """

    servers: tuple[ServerView, ...] = ()
    adapters: tuple[AdapterView, ...] = ()
    containers: tuple[ContainerView, ...] = ()
    interfaces: tuple[InterfaceView, ...] = ()
    bridges: frozenset[tuple[ServerId, str]] = frozenset()
    hidden: frozenset[ServerId] = frozenset()
    bridge_views: tuple[BridgeView, ...] = ()

    def server(self, server: ServerId) -> ServerView | None:
        return self._servers.get(server)

    def adapter(self, key: AdapterKey) -> AdapterView | None:
        """The adapter, also when it is gone."""
        return self._adapters.get(key)

    def adapters_on(self, server: ServerId) -> tuple[AdapterView, ...]:
        """Adapters of the server that are there now."""
        return tuple(self._adapters_by_server.get(server, ()))

    def vlans_on(self, base: AdapterKey) -> tuple[AdapterView, ...]:
        """VLAN adapters on that base that are there now."""
        return tuple(self._vlans_by_base.get(base, ()))

    def container(self, key: ContainerKey) -> ContainerView | None:
        return self._containers.get(key)

    def interface(self, key: InterfaceKey) -> InterfaceView | None:
        """The interface, also when it is gone."""
        return self._interfaces.get(key)

    def interfaces_on(self, server: ServerId) -> tuple[InterfaceView, ...]:
        """Interfaces of the server's containers that are there now, or that a draft makes."""
        return tuple(self._interfaces_by_server.get(server, ()))

    @cached_property
    def bridge_names(self) -> frozenset[str]:
        """Names of bridges on any server: a new network's bridge takes none of them."""
        return frozenset(name for _, name in self.bridges)

    @cached_property
    def _servers(self) -> Mapping[ServerId, ServerView]:
        return {server.id: server for server in self.servers}

    @cached_property
    def _adapters(self) -> Mapping[AdapterKey, AdapterView]:
        return {adapter.key: adapter for adapter in self.adapters}

    @cached_property
    def _adapters_by_server(self) -> Mapping[ServerId, list[AdapterView]]:
        return grouped((a for a in self.adapters if not a.gone), lambda a: a.server)

    @cached_property
    def _vlans_by_base(self) -> Mapping[AdapterKey, list[AdapterView]]:
        vlans = (a for a in self.adapters if a.kind == "vlan" and not a.gone)
        return grouped(vlans, lambda a: AdapterKey(a.server, a.base))

    @cached_property
    def _containers(self) -> Mapping[ContainerKey, ContainerView]:
        return {container.key: container for container in self.containers}

    @cached_property
    def _interfaces_by_server(self) -> Mapping[ServerId, list[InterfaceView]]:
        return grouped((i for i in self.interfaces if not i.gone), lambda i: i.key.server)

    @cached_property
    def _interfaces(self) -> Mapping[InterfaceKey, InterfaceView]:
        return {interface.key: interface for interface in self.interfaces}
