"""Over a bridge that carries none of its addresses the server cannot be reached, however it is tried."""

from __future__ import annotations

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge, Port
from tests.host.rig import Server, run

pytestmark = pytest.mark.netns

LOCAL = (KeepBridge("vn-c"),)
INSIDE = "10.77.0.203/24"
"""In the server's own subnet, so that only layer 2 can keep them apart."""

SPARE = "02:00:00:77:00:77"


def ways_to_the_server(server: Server, bridge: str) -> set[str]:
    """How guest 203 reaches the server over `bridge`."""
    mac = server.run("cat", f"/sys/class/net/{bridge}/address").strip()
    guest = ("ip", "netns", "exec", server.ns("g203"))
    ways = set()
    for address in ("10.77.0.11", "192.0.2.5", "10.77.0.101"):
        if not run(*guest, "arping", "-c", "1", "-w", "1", "-I", "eth0", address, check=False).returncode:
            ways.add(f"ARP for {address}")
    run(*guest, "ip", "neigh", "replace", "10.77.0.11", "lladdr", mac, "dev", "eth0")
    if not run(*guest, "ping", "-c", "1", "-W", "1", "10.77.0.11", check=False).returncode:
        ways.add("its hardware address")
    run(*guest, "ip", "neigh", "del", "10.77.0.11", "dev", "eth0")
    low = server.run("ip", "-6", "-o", "addr", "show", "dev", bridge, "scope", "link")
    if low:
        address = low.split()[3].split("/")[0]
        if not run(*guest, "ping", "-c", "1", "-W", "1", f"{address}%eth0", check=False).returncode:
            ways.add("fe80::")
    everyone = run(*guest, "ping", "-c", "2", "-w", "2", "ff02::1%eth0", check=False).stdout
    answering = {line.split()[3].rstrip(":") for line in everyone.splitlines() if "bytes from" in line}
    own = {line.split()[3].split("/")[0] for line in _link_local(server)}
    if {address.split("%")[0] for address in answering} - own:
        ways.add("all nodes")
    return ways


def _link_local(server: Server) -> list[str]:
    return [
        line
        for guest in server.guests
        for line in run("ip", "-n", guest, "-6", "-o", "addr", "show", "scope", "link").stdout.splitlines()
    ]


@pytest.fixture
def guests(server: Server) -> tuple[str, str]:
    server.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    return server.add_guest(203, INSIDE), server.add_guest(204, "10.77.0.204/24")


def test_a_plain_bridge_gives_the_server_away(server: Server, guests: tuple[str, str]) -> None:
    """So that the next test is known to measure something."""
    server.batch("link add plain type bridge forward_delay 0\nlink set plain up")
    server.batch("".join(f"link set {veth} master plain\n" for veth in guests))
    server.run("sleep", "2")  # duplicate address detection of fe80::
    assert ways_to_the_server(server, "plain") >= {"ARP for 10.77.0.11", "ARP for 192.0.2.5", "fe80::"}


def test_a_local_network_does_not_reach_the_server(server: Server, guests: tuple[str, str]) -> None:
    ports = tuple(Port(veth, "vn-c") for veth in guests)
    assert server.apply("t", HostPlan((Bridge("vn-c"), *ports), LOCAL)).state == "committed"
    server.run("sleep", "2")
    assert ways_to_the_server(server, "vn-c") == set()
    assert server.reaches("10.77.0.204", "g203", tries=3)
    assert server.reaches("10.77.0.11")
    assert not server.reaches("10.77.0.203", "r")


def test_a_network_on_a_spare_adapter_does_not_reach_the_server(
    server: Server, guests: tuple[str, str]
) -> None:
    server.batch(f"link add eth1 type veth peer name far1 netns {server.ns('w')}")
    server.batch("link set far1 addrgenmode none up", "w")
    ports = tuple(Port(veth, "vn-c") for veth in guests)
    done = server.apply("t", HostPlan((Bridge("vn-c", "eth1"), *ports), (KeepBridge("vn-c", "eth1"),)))
    assert done.state == "committed"
    server.run("sleep", "2")
    assert ways_to_the_server(server, "vn-c") == set()


def test_a_bridge_that_gives_its_layer_3_back_is_closed_again(
    server: Server, guests: tuple[str, str], move: HostPlan
) -> None:
    assert server.apply("there", move).state == "applied"
    assert "ipv6/conf/vn-a/disable_ipv6:0" in server.state()
    server.confirm("there")
    server.quiet()
    local = HostPlan((Bridge("vn-a"), *(Port(veth, "vn-a") for veth in guests)), (KeepBridge("vn-a"),))
    assert server.apply("local", local).state == "applied", server.log("local")
    assert server.reaches("10.77.0.11")
    server.run("sleep", "2")
    assert ways_to_the_server(server, "vn-a") == set()
    server.call("abort", "local", check=True)
    assert "ipv6/conf/vn-a/disable_ipv6:0" in server.state()


@pytest.mark.parametrize("by_hand", (False, True), ids=("by a plan", "by hand"))
def test_a_bridge_whose_adapter_has_left_keeps_nothing_that_is_sent_to_the_server(
    server: Server, guests: tuple[str, str], by_hand: bool
) -> None:
    """A container that is in two networks carries the server's frames into the local one."""
    server.batch(f"link add eth1 address {SPARE} type veth peer name far1 netns {server.ns('w')}")
    server.batch("link set far1 addrgenmode none up", "w")
    ports = tuple(Port(veth, "vn-c") for veth in guests)
    there = HostPlan((Bridge("vn-c", "eth1"), *ports), (KeepBridge("vn-c", "eth1"),))
    assert server.apply("there", there).state == "committed"
    run("ip", "-n", server.ns("g204"), "link", "set", "eth0", "address", SPARE)
    speaks = ("ip", "netns", "exec", server.ns("g203"), "ping", "-c", "1", "-W", "1", "10.77.0.204")
    assert run(*speaks, check=False).returncode, "the bridge has the address of its adapter"
    if by_hand:
        server.batch("link set eth1 nomaster")
    back = server.plan(HostPlan((Bridge("vn-c"), *ports), LOCAL)).answer
    assert server.plan(HostPlan((Bridge("vn-c"), *ports), LOCAL)).answer.digest == back.digest
    assert server.apply("back", HostPlan((Bridge("vn-c"), *ports), LOCAL)).state == "committed"
    assert run(*speaks, check=False).returncode == 0
    assert not server.plan(HostPlan((Bridge("vn-c"), *ports), LOCAL)).answer.commands
    assert server.apply("there-again", there).state == "committed"
    assert f"link vn-c UP mtu 1500 link/ether {SPARE}" in server.state()


def test_it_stays_shut_off_whoever_turns_forwarding_on(server: Server, guests: tuple[str, str]) -> None:
    """As vzctl does after a boot, for the first host-routed container: the kernel then sets every link."""
    ports = tuple(Port(veth, "vn-c") for veth in guests)
    assert server.apply("t", HostPlan((Bridge("vn-c"), *ports), LOCAL)).state == "committed"
    off_and_on = (("0", "ipv4/ip_forward"), ("1", "ipv4/ip_forward"), ("0", "ipv6/conf/all/disable_ipv6"))
    for value, path in off_and_on:
        server.run("sh", "-c", f"echo {value} >/proc/sys/net/{path}")
    conf = "/proc/sys/net/ipv4/conf/vn-c/forwarding"
    assert server.run("cat", conf).strip() == "1"
    assert server.call("recover", check=True).answer.get("state") == "clean"
    assert server.run("cat", conf).strip() == "0"
    assert server.run("cat", "/proc/sys/net/ipv6/conf/vn-c/disable_ipv6").strip() == "1"
    assert server.run("cat", "/proc/sys/net/ipv4/conf/eth0/forwarding").strip() == "1"
