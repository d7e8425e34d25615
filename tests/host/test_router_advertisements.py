"""A container in the server's own network is no router of it: the bridge takes nothing from anybody."""

from __future__ import annotations

import pytest

from networks.host.grammar import HostPlan, Port
from tests.host.rig import Server, run
from tests.host.test_moving_the_nic import BACK, commit

pytestmark = pytest.mark.netns

# Router lifetime 1800 s, and the prefix fd66::/64, on-link and autonomous.
ADVERTISE = """
import socket
said = bytes.fromhex('8600' '0000' '40' '00' '0708' '00000000' '00000000')
said += bytes.fromhex('0304' '40c0' '00015180' '00015180' '00000000')
said += socket.inet_pton(socket.AF_INET6, 'fd66::')
to = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
to.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
to.sendto(said, ('ff02::1', 0, 0, socket.if_nametoindex('eth0')))
"""


def advertised(server: Server, guest: str) -> bool:
    server.run("sleep", "2")  # duplicate address detection of fe80::
    for _ in range(3):
        run("ip", "netns", "exec", guest, "python3", "-c", ADVERTISE)
        server.run("sleep", "0.5")
    return "fd66:" in server.run("ip", "-6", "-o", "addr") or "proto ra" in server.run("ip", "-6", "route")


def test_what_a_container_advertises_is_not_taken(server: Server, move: HostPlan) -> None:
    veth = server.add_guest(101, "10.77.0.102/24")
    server.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra")
    before = server.state()
    commit(server, "there", HostPlan((*move.steps, Port(veth, "vn-a")), move.keeps))
    assert not advertised(server, server.ns("g101"))
    assert server.reaches("fd77::10")
    commit(server, "back", HostPlan((Port(veth), *BACK.steps)))
    assert server.call("follow", "-").state == "agrees"
    assert server.state() == before


def test_a_plain_bridge_takes_it(server: Server) -> None:
    """So that the other test is known to measure something."""
    veth = server.add_guest(101, "10.77.0.102/24")
    server.batch(f"link add br7 type bridge forward_delay 0\nlink set br7 up\nlink set {veth} master br7")
    assert advertised(server, server.ns("g101"))
