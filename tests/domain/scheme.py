"""The manual's scheme as values: the lab's three servers before any virtual network, and networks A to E.

Servers are 1, 2 and 3. `looks()` are what looks at them find, `inventory()` is what rules see, `EDITS` are
the clicks that build A to E, and `DESIRED` is what they make.
"""

from __future__ import annotations

from dataclasses import replace

from networks.domain.inventory import Inventory, ServerView
from networks.domain.looks import views_of_server, with_look
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    Desired,
    Edit,
    InterfaceKey,
    apply_edits,
)
from nodes.facts import (
    Address,
    Bridge,
    Container,
    ContainerInside,
    ContainerInterface,
    ContainerStatus,
    Dialect,
    Link,
    ProxyEntry,
    Route,
    ServerFacts,
)

A, B, C, D, E = (f"00000000-0000-4000-8000-00000000000{letter}" for letter in "abcde")
SEGMENT = 1
SEGMENT_NAME = "physical network"
CAPABILITIES = frozenset({"bridge", "vlan", "vlan_filtering", "ip_json", "ip_master", "flock", "netns"})


def interface(server: int, ctid: str, ifname: str = "eth0") -> InterfaceKey:
    """The key of a container interface."""
    return InterfaceKey(server, ctid, ifname)


EDITS: tuple[Edit, ...] = (
    CreateNetwork(A, "A"),
    Assign(A, 1, "eth0"),
    Assign(A, 2, "eth0"),
    AddMember(A, interface(1, "102")),
    AddMember(A, interface(1, "103")),
    AddMember(A, interface(2, "201", "eth0")),
    CreateNetwork(B, "B"),
    AddMember(B, interface(2, "201", "eth1")),
    AddMember(B, interface(2, "202")),
    CreateNetwork(C, "C"),
    Assign(C, 2, None),
    AddMember(C, interface(2, "203")),
    AddMember(C, interface(2, "204")),
    CreateNetwork(D, "D"),
    CreateVlan(2, "eth0.100", "eth0", 100),
    CreateVlan(3, "eth0.100", "eth0", 100),
    Assign(D, 2, "eth0.100"),
    Assign(D, 3, "eth0.100"),
    AddMember(D, interface(2, "205")),
    AddMember(D, interface(3, "301")),
    CreateNetwork(E, "E"),
    AddMember(E, interface(3, "302")),
    AddMember(E, interface(3, "303")),
)
DESIRED: Desired = apply_edits(Desired(), EDITS)


def looks() -> dict[int, ServerFacts]:
    """What looks at the three servers find before any virtual network exists."""
    return {1: _server1(), 2: _server2(), 3: _server3()}


def servers() -> dict[int, ServerView]:
    """The three servers with their looks."""
    return {number: _view(number, facts) for number, facts in looks().items()}


def inventory(facts: dict[int, ServerFacts] | None = None) -> Inventory:
    """What rules see, every NIC on the one physical segment."""
    found = Inventory()
    for number, look in (facts or looks()).items():
        found = with_look(found, ServerView(number, f"server{number}", group_id=1), look)
    return on_one_segment(found)


def on_one_segment(found: Inventory) -> Inventory:
    """The inventory with every NIC and bond on the segment "physical network"."""
    adapters = tuple(
        replace(adapter, segment=SEGMENT, segment_name=SEGMENT_NAME) if adapter.kind != "vlan" else adapter
        for adapter in found.adapters
    )
    return replace(found, adapters=adapters)


def _view(number: int, facts: ServerFacts) -> ServerView:
    return views_of_server(ServerView(number, f"server{number}", group_id=1), facts)[0]


# --- the parts ---


def _server1() -> ServerFacts:
    return _server(
        1,
        "4",
        [
            Container(
                "101",
                "c101",
                status="running",
                host_routed=("10.77.0.101",),
                inside=ContainerInside(routes=(Route(4, "default", dev="venet0"),)),
            ),
            container("102", "4", ("10.77.0.102/24",)),
            container("103", "4", ("10.77.0.103/24",)),
        ],
        proxies=("10.77.0.101",),
    )


def _server2() -> ServerFacts:
    return _server(
        2,
        "4",
        [
            _container201(),
            container("202", "4", ("10.77.0.202/24",)),
            container("203", "4", ("10.77.0.203/24",)),
            container("204", "4", ("10.77.0.204/24",)),
            container("205", "4", ("10.77.0.205/24",)),
        ],
    )


def _server3() -> ServerFacts:
    """As Virtuozzo 7 ships: eth0 already in br0, which carries the server's address."""
    return _server(
        3,
        "7",
        [
            container("301", "7", ("10.77.0.31/24",)),
            container("302", "7", ("10.77.5.32/24",), host_routed=("10.77.0.32",)),
            container("303", "7", ("10.77.5.33/24",)),
        ],
        proxies=("10.77.0.32",),
        bridge="br0",
    )


def container(
    ctid: str,
    dialect: Dialect,
    addresses: tuple[str, ...],
    *,
    status: ContainerStatus = "running",
    host_routed: tuple[str, ...] = (),
    configured_bridge: str = "",
) -> Container:
    """A container with one bridged interface eth0, and venet0 on 7+ if it has host-routed addresses."""
    bridged = ContainerInterface(
        "eth0",
        "bridged",
        mac=_mac(dialect, ctid, 0),
        host_ifname=_host_ifname(dialect, ctid, 0),
        configured_bridge=configured_bridge,
        configured_addresses=addresses if dialect == "7" else (),
    )
    interfaces = [bridged]
    if host_routed and dialect == "7":
        interfaces.append(ContainerInterface("venet0", "host-routed"))
    routes = (Route(4, "default", dev="venet0"),) if host_routed else ()
    links = (Link("eth0", "veth", up=True, addresses=_addresses(addresses)),)
    inside = ContainerInside(links, routes)
    return Container(
        ctid,
        f"c{ctid}",
        status=status,
        interfaces=tuple(interfaces),
        host_routed=host_routed,
        inside=inside if status == "running" else None,
    )


def _container201() -> Container:
    """Two bridged interfaces, joined by a bridge inside that carries its address."""
    return Container(
        "201",
        "c201",
        status="running",
        interfaces=tuple(
            ContainerInterface(
                f"eth{n}", "bridged", mac=_mac("4", "201", n), host_ifname=_host_ifname("4", "201", n)
            )
            for n in (0, 1)
        ),
        inside=ContainerInside(
            links=(
                Link(
                    "br0",
                    "bridge",
                    up=True,
                    bridge=Bridge(False, 0),
                    addresses=_addresses(("10.77.0.201/24",)),
                ),
                Link("eth0", "veth", up=True, master="br0"),
                Link("eth1", "veth", up=True, master="br0"),
            )
        ),
    )


def _server(
    number: int,
    dialect: Dialect,
    containers: list[Container],
    *,
    proxies: tuple[str, ...] = (),
    bridge: str = "",
) -> ServerFacts:
    mac = f"02:00:00:00:00:0{number}"
    own = _addresses((f"10.77.0.1{number}/24", f"fd77::1{number}/64"))
    owner = bridge or "eth0"
    nic = Link(
        "eth0",
        "nic",
        mac=mac,
        mtu=1500,
        up=True,
        carrier=True,
        master=bridge,
        addresses=() if bridge else own,
    )
    links = [Link("lo", "other", mtu=65536, up=True), nic]
    if bridge:
        links.append(
            Link(bridge, "bridge", mac=mac, mtu=1500, up=True, bridge=Bridge(False, 0, False), addresses=own)
        )
    links += [
        Link(i.host_ifname, "veth", mtu=1500, up=True)
        for c in containers
        if c.status == "running"
        for i in c.interfaces
        if i.host_ifname
    ]
    return ServerFacts(
        hostname=f"server{number}",
        vzctl_dialect=dialect,
        capabilities=CAPABILITIES,
        management_address=f"10.77.0.1{number}",
        management_link=owner,
        links=tuple(links),
        routes=(Route(4, "default", via="10.77.0.1", dev=owner),),
        proxies=tuple(ProxyEntry(4, address, owner) for address in proxies),
        # vzctl needs it for host-routed interfaces and sets it at boot.
        sysctls={"net.ipv4.ip_forward": "1"},
        containers=tuple(containers),
    )


def _addresses(texts: tuple[str, ...]) -> tuple[Address, ...]:
    found = []
    for text in texts:
        address, _, prefix = text.partition("/")
        found.append(Address(6 if ":" in address else 4, address, int(prefix)))
    return tuple(found)


def _mac(dialect: Dialect, ctid: str, number: int) -> str:
    oui = "00:18:51" if dialect == "4" else "c4:37:72"
    return f"{oui}:{int(ctid) >> 8:02x}:{int(ctid) & 255:02x}:0{number}"


def _host_ifname(dialect: Dialect, ctid: str, number: int) -> str:
    return (
        f"veth{ctid}.{number}"
        if dialect == "4"
        else f"veth72{_mac(dialect, ctid, number)[9:].replace(':', '')}"
    )
