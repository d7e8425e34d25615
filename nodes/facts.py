"""What one look at a physical server found: values only, no I/O.

A look is one run of the probe (`nodes/probe.sh`); `nodes/probe_output.py` turns what it printed into a
`ServerFacts`. Everything here is frozen, comparable with `==`, and can be stored as JSON.
Names of links, addresses and MACs are as the kernel writes them (lower-case MACs, no zero padding).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

LinkKind = Literal["nic", "bond", "vlan", "bridge", "veth", "venet", "tap", "other"]
Mode = Literal["host-routed", "bridged"]
Dialect = Literal["4", "7"]
ContainerStatus = Literal["running", "stopped", "mounted", "suspended", "paused", "unknown"]


@dataclass(frozen=True, slots=True)
class Address:
    """One IP address on a link. `address` has no prefix; `prefix` is its length in bits."""

    family: Literal[4, 6]
    address: str
    prefix: int
    scope: str = "global"
    label: str = ""
    peer: str = ""
    dynamic: bool = False

    @property
    def cidr(self) -> str:
        return f"{self.address}/{self.prefix}"


@dataclass(frozen=True, slots=True)
class Route:
    """One route; `dst` is "default" or a prefix, `via` and `dev` are "" where there is none."""

    family: Literal[4, 6]
    dst: str
    via: str = ""
    dev: str = ""
    table: str = "main"
    proto: str = ""
    src: str = ""
    metric: int = 0
    multipath: bool = False


@dataclass(frozen=True, slots=True)
class Vlan:
    """802.1Q details of a VLAN link: its base and its id (1 to 4094)."""

    base: str
    vid: int


@dataclass(frozen=True, slots=True)
class Bond:
    """Bonding details: `mode` is the kernel's number (0 to 6)."""

    mode: int
    slaves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bridge:
    """Bridge details; `vlan_filtering` is None where the kernel has none. Delay in seconds."""

    stp: bool
    forward_delay_s: float
    vlan_filtering: bool | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One network link of the server (or, in `ContainerInside`, of a container)."""

    name: str
    kind: LinkKind
    index: int = 0
    mac: str = ""
    mtu: int = 0
    up: bool = False
    carrier: bool | None = None
    master: str = ""
    mac_pinned: bool | None = False
    """Somebody set the MAC, so that a bridge keeps it; None: the kernel does not tell (before 2.6.36)."""
    vlan: Vlan | None = None
    bond: Bond | None = None
    bridge: Bridge | None = None
    addresses: tuple[Address, ...] = ()
    owner: str = ""
    """Who configures it: "NetworkManager", "networkd", "ifupdown", "initscripts", "dhclient" or ""."""
    proxy_arp: bool = False
    ipv6_disabled: bool = False
    arp_ignore: int = 0
    speed_mbit: int | None = None


@dataclass(frozen=True, slots=True)
class ProxyEntry:
    """A neighbour entry that the server answers for on `dev` (proxy ARP or NDP)."""

    family: Literal[4, 6]
    address: str
    dev: str


@dataclass(frozen=True, slots=True)
class ContainerInterface:
    """One interface of a container as its saved configuration and the kernel have it.

    `configured_bridge` is what vzctl has saved (4.x `bridge=`, 7+ `network=`; "" = nothing). Where the
    host side is now is `Link.master` of the link named `host_ifname`, absent while the container is stopped.
    `configured_addresses` are "address/prefix" where vzctl keeps them (7+ only).
    """

    ifname: str
    mode: Mode
    mac: str = ""
    host_ifname: str = ""
    host_mac: str = ""
    configured_bridge: str = ""
    configured_addresses: tuple[str, ...] = ()
    gateway: str = ""
    saved: bool = True
    """False: seen running but not in the saved configuration (lost at the next restart)."""


@dataclass(frozen=True, slots=True)
class ContainerInside:
    """What was seen inside a running container: its links (bridges included), routes, forwarding."""

    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    forwarding4: bool = False
    forwarding6: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """A container on the server. `host_routed` are its venet addresses without prefix."""

    ctid: str
    name: str = ""
    hostname: str = ""
    status: ContainerStatus = "unknown"
    interfaces: tuple[ContainerInterface, ...] = ()
    host_routed: tuple[str, ...] = ()
    ostemplate: str = ""
    inside: ContainerInside | None = None
    """None: stopped, or it could not be looked into (then a finding says why)."""
    onboot: bool | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the look wants a person to know. `code` is stable, `text` is for people."""

    code: str
    text: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Transaction:
    """State of the panel's own transactions on the server."""

    committed_txid: str = ""
    pending_txid: str = ""
    committed: tuple[str, ...] = ()
    """Lines of the committed state, as networks/host writes them."""


Replay = Literal["", "enabled", "disabled", "missing"]


@dataclass(frozen=True, slots=True)
class Boot:
    """What the server would do at its next boot, as far as its files show.

    `replay`: whether the panel's committed state is brought back then ("": not asked). `ports` are pairs
    (adapter, bridge) and `dhcp` adapters that the server's own network files name.
    """

    replay: Replay = ""
    ports: tuple[tuple[str, str], ...] = ()
    dhcp: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """All that one look brought. Unknown is None or "", never a guess."""

    hostname: str = ""
    kernel: str = ""
    os: str = ""
    boot_id: str = ""
    uptime_s: float = 0.0
    vzctl_dialect: Dialect | None = None
    vzctl_version: str = ""
    tools: dict[str, str] = field(default_factory=dict)
    """Program name to version (or path); missing ones are absent."""
    capabilities: frozenset[str] = frozenset()
    """Of: bridge, vlan, vlan_filtering, ip_json, ip_master, systemd, systemd_run, flock, netns,
    vznet_hook."""
    management_address: str = ""
    management_link: str = ""
    panel_address: str = ""
    """Where the panel's connection comes from, as the server sees it."""
    programs: str = ""
    """Version of the panel's root-owned programs there (networks/gate); "" without them."""
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    policy_rules: tuple[str, ...] = ()
    proxies: tuple[ProxyEntry, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    firewall: tuple[Finding, ...] = ()
    containers: tuple[Container, ...] = ()
    transaction: Transaction = Transaction()
    boot: Boot = Boot()
    true_ms: float | None = None
    """Time of a bare `true` in a new shell, milliseconds: a slow shell start-up makes every job slow."""
    findings: tuple[Finding, ...] = ()

    def link(self, name: str) -> Link | None:
        """The link of that name, or None."""
        return next((link for link in self.links if link.name == name), None)

    def ports(self, bridge: str) -> tuple[Link, ...]:
        """The links that are in that bridge."""
        return tuple(link for link in self.links if link.master == bridge)
