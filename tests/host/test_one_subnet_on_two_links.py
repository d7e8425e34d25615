"""Of two links in one subnet the one whose route came first is used, and a move makes its the last."""

from __future__ import annotations

import pytest

from networks.host.grammar import HostPlan
from tests.host.rig import Server
from tests.host.test_moving_the_nic import BACK, commit

pytestmark = pytest.mark.netns


def another(server: Server) -> None:
    """On the same wire, as people have it."""
    server.batch(f"link add eth1 type veth peer name far1 netns {server.ns('w')}\nlink set eth1 up")
    server.batch("link set far1 master sw up", "w")
    server.batch("addr add 10.77.0.21/24 dev eth1")


def used(server: Server) -> str:
    words = server.run("ip", "route", "get", "10.77.0.99").split()
    return words[words.index("dev") + 1]


def test_a_bridge_whose_link_is_not_the_one_in_use_gives_its_layer_3_back(
    server: Server, move: HostPlan
) -> None:
    """Made before there was a rule against it, it came last at each boot."""
    commit(server, "there", move)
    server.reboot()
    another(server)
    assert server.call("boot", check=True).state == "applied" and used(server) == "eth1"
    shown = server.plan(BACK)
    assert not shown.answer.refusals, shown.raw
    commit(server, "back", BACK)
    assert used(server) == "eth1" and "addr eth0 inet 10.77.0.11/24" in server.state()


def test_the_one_in_use_stays_where_it_is_with_the_remedy(server: Server, move: HostPlan) -> None:
    commit(server, "there", move)
    another(server)
    assert used(server) == "vn-a"
    (note,) = server.plan(BACK).answer.refusals
    assert note.code == "same-subnet"
    assert "vn-a and eth1" in note.text and "10.77.0.0/24" in note.text
    # The remedy that it names.
    server.batch("addr del 10.77.0.21/24 dev eth1\naddr add 10.77.0.21/24 metric 200 dev eth1")
    commit(server, "back", BACK)
    assert used(server) == "eth0"


def test_one_that_is_not_in_use_may_go_into_a_bridge_too(server: Server, move: HostPlan) -> None:
    server.run("ip", "-4", "addr", "flush", "dev", "eth0")
    another(server)
    server.batch("addr add 10.77.0.11/24 dev eth0")
    before = server.state()
    assert used(server) == "eth1"
    assert server.apply("t", move).state == "applied", server.log("t")
    assert used(server) == "eth1"
    server.call("abort", "t", check=True)
    server.quiet()
    assert server.state() == before
