"""Addresses that bring no route of their own: whoever gave them made one, and named it after the kernel.

So NetworkManager configures what it is then told to manage no more.
"""

from __future__ import annotations

import pytest

from networks.host.grammar import HostPlan
from tests.host.rig import Server
from tests.host.test_moving_the_nic import BACK, commit

pytestmark = pytest.mark.netns

AS_NETWORKMANAGER = """
addr flush dev eth0
addr add 10.77.0.11/24 brd + dev eth0 noprefixroute
addr add fd77::10/64 dev eth0 nodad noprefixroute
route add 10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.11 metric 100
route add default via 10.77.0.1 dev eth0 proto static metric 100
route add fd77::/64 dev eth0 proto kernel metric 100
route add ::/0 via fd77::1 dev eth0 proto static metric 100
"""
ONE_MORE = "addr add 10.66.0.11/24 dev eth0\naddr add fd66::11/64 dev eth0 nodad"


@pytest.fixture(params=["alone", "beside others"])
def managed(request: pytest.FixtureRequest, server: Server) -> Server:
    server.batch(AS_NETWORKMANAGER)
    if request.param != "alone":
        server.batch(ONE_MORE)
    assert server.reaches("10.77.0.1", "s")
    return server


def test_they_move_and_come_back(managed: Server, move: HostPlan) -> None:
    before = managed.state()
    commit(managed, "there", move)
    assert managed.reaches("10.77.0.11") and managed.reaches("fd77::10")
    moved = managed.state()
    assert "10.77.0.0/24 dev vn-a proto kernel scope link src 10.77.0.11 metric 100" in moved
    assert "fd77::/64 dev vn-a proto kernel metric 100" in moved
    assert managed.plan(move).answer.get("empty") == "yes"
    commit(managed, "back", BACK)
    assert managed.call("follow", "-").state == "agrees"
    assert managed.state() == before


def test_without_a_gateway_they_are_there_after_a_rollback(managed: Server, move: HostPlan) -> None:
    managed.batch("route del default\nroute del ::/0")
    before = managed.state()
    assert managed.apply("t", move).state == "applied", managed.log("t")
    assert managed.reaches("10.77.0.11", "r")
    managed.call("abort", "t", check=True)
    managed.quiet()
    assert managed.state() == before and managed.reaches("10.77.0.11", "r")
