"""Facts of servers as looks bring them, made to measure for tests of the inventory."""

from __future__ import annotations

from dataclasses import replace

from nodes.facts import (
    Address,
    Bond,
    Bridge,
    Container,
    ContainerInside,
    ContainerInterface,
    Link,
    ServerFacts,
    Vlan,
)


def nic(name: str = "eth0", **more: object) -> Link:
    """A NIC that is up."""
    return Link(name, "nic", mac="02:00:0a:4d:00:0b", mtu=1500, up=True, carrier=True, **more)  # type: ignore[arg-type]


def vlan(base: str, vid: int, name: str = "", **more: object) -> Link:
    """A VLAN adapter."""
    return Link(name or f"{base}.{vid}", "vlan", mtu=1500, up=True, vlan=Vlan(base, vid), **more)  # type: ignore[arg-type]


def bridge(name: str, **more: object) -> Link:
    """A bridge without STP."""
    return Link(name, "bridge", mtu=1500, up=True, bridge=Bridge(False, 0.0, True), **more)  # type: ignore[arg-type]


def bond(name: str, *slaves: str, mode: int = 1) -> Link:
    """A bond of these slaves."""
    return Link(name, "bond", mtu=1500, up=True, bond=Bond(mode, slaves))


def veth(name: str, master: str = "") -> Link:
    """The host side of a container's interface."""
    return Link(name, "veth", mtu=1500, up=True, master=master)


def container(ctid: str, *addresses: str, name: str = "", **more: object) -> Container:
    """A running container with one bridged interface, eth0, that has these addresses ("10.0.0.1/24")."""
    inside = tuple(_address(text) for text in addresses)
    return Container(
        ctid,
        name=name or f"ct{ctid}",
        status="running",
        interfaces=(
            ContainerInterface("eth0", "bridged", f"00:18:51:00:00:{int(ctid) % 256:02x}", f"veth{ctid}.0"),
        ),
        inside=ContainerInside(links=(Link("eth0", "veth", addresses=inside),)),
        **more,  # type: ignore[arg-type]
    )


def _address(text: str) -> Address:
    address, _, prefix = text.partition("/")
    return Address(6 if ":" in address else 4, address, int(prefix))


def server(containers: tuple[Container, ...] = (), *links: Link, **more: object) -> ServerFacts:
    """A server with eth0, which has the management address, and the host sides of running containers."""
    own = links or (nic(addresses=(Address(4, "10.77.0.11", 24), Address(6, "fe80::1", 64, scope="link"))),)
    named = {link.name for link in own}
    veths = tuple(
        veth(one.host_ifname)
        for each in containers
        if each.status == "running"
        for one in each.interfaces
        if one.host_ifname and one.host_ifname not in named
    )
    facts = ServerFacts(
        hostname="server1",
        kernel="6.1.0",
        os="Debian GNU/Linux 12",
        boot_id="b5e2",
        uptime_s=12.5,
        vzctl_dialect="4",
        vzctl_version="4.11",
        tools={"ip": "6.1", "vzctl": "4.11", "vzlist": "4.11", "flock": "2.38"},
        capabilities=frozenset({"bridge", "vlan", "vlan_filtering", "ip_json", "ip_master", "flock"}),
        management_address="10.77.0.11",
        management_link="eth0",
        links=(*own, *veths),
        containers=containers,
        true_ms=6.0,
    )
    return replace(facts, **more)  # type: ignore[arg-type]
