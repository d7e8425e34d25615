"""Addresses proxied for host-routed containers that come and go while a change waits stay so afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from networks.host.grammar import HostPlan, KeepVlan, RemoveBridge, Vlan
from tests.host.rig import Server
from tests.host.test_moving_the_nic import commit
from tests.host.test_preflight import stacked

pytestmark = pytest.mark.netns


def proxied(server: Server) -> set[str]:
    return {
        " ".join(line.split())
        for family in ("-4", "-6")
        for line in server.run("ip", family, "neigh", "show", "proxy").splitlines()
    }


def aborted(server: Server) -> None:
    server.call("abort", "t", check=True)


def overdue(server: Server) -> None:
    server.call("extend", "t", "2", check=True)


def killed(server: Server) -> None:
    """Another one finishes what this one has begun, and it knows no more of what was before."""
    assert server.call("abort", "t", VNP_CRASH="rolling").code == -9


@pytest.mark.parametrize("end", [aborted, overdue, killed], ids=lambda end: end.__name__)
def test_what_came_and_went_on_the_new_owner_did_so_on_the_old_one(
    server: Server, move: HostPlan, end: Callable[[Server], None]
) -> None:
    before = server.state()
    assert server.apply("t", move).state == "applied"
    server.batch(
        "neigh add proxy 10.77.0.201 dev vn-a\nneigh del proxy 10.77.0.101 dev vn-a\n"
        "neigh add proxy fd77::201 dev vn-a\nneigh del proxy fd77::101 dev vn-a\n"
        # vzctl can be told the names of its links.
        "neigh add proxy 10.77.0.202 dev eth0\nneigh add proxy 10.77.0.201 dev eth0"
    )
    end(server)
    server.wait_for("t", "rolledback")
    server.quiet()
    addresses = ("10.77.0.201", "10.77.0.202", "fd77::201")
    assert {line.removesuffix(" proxy") for line in proxied(server)} == {f"{a} dev eth0" for a in addresses}
    without = [line for line in server.state().splitlines() if not line.startswith("proxy")]
    assert without == [line for line in before.splitlines() if not line.startswith("proxy")]


def test_it_is_so_when_the_bridge_was_to_give_them_back(server: Server, move: HostPlan) -> None:
    commit(server, "there", move)
    assert server.apply("t", HostPlan((RemoveBridge("vn-a", "eth0"),))).state == "applied"
    server.batch("neigh add proxy 10.77.0.201 dev eth0\nneigh del proxy 10.77.0.101 dev eth0")
    aborted(server)
    assert {line.removesuffix(" proxy") for line in proxied(server)} == {
        "10.77.0.201 dev vn-a",
        "fd77::101 dev vn-a",
    }


@pytest.mark.parametrize("what", ["addr flush dev vn-a", "link set vn-a down", "link del vn-a"])
def test_what_the_kernel_has_forgotten_with_the_addresses_is_back(
    server: Server, move: HostPlan, what: str
) -> None:
    before = proxied(server)
    assert server.apply("t", move).state == "applied"
    server.batch(what)
    aborted(server)
    assert proxied(server) == before


def test_one_that_went_from_a_link_that_is_not_moved_stays_away(server: Server) -> None:
    stacked(server, "eth0.100 eth0")
    plan = HostPlan((Vlan("eth0.100", "eth0", 5),), (KeepVlan("eth0.100", "eth0", 5),))
    digest = server.plan(plan).answer.digest
    assert server.call("hold", "t", "15", digest, stdin=plan.render()).state == "applied"
    server.batch("neigh del proxy 10.77.0.101 dev eth0\nneigh add proxy 10.77.0.201 dev eth0")
    aborted(server)
    assert {line.removesuffix(" proxy") for line in proxied(server)} == {
        "10.77.0.201 dev eth0",
        "fd77::101 dev eth0",
    }


def test_those_of_a_link_that_lost_its_addresses_are_back_with_them(server: Server) -> None:
    stacked(server, "eth0.100 eth0")
    before = proxied(server)
    plan = HostPlan((Vlan("eth0.100", "eth0", 5),), (KeepVlan("eth0.100", "eth0", 5),))
    digest = server.plan(plan).answer.digest
    assert server.call("hold", "t", "15", digest, stdin=plan.render()).state == "applied"
    server.batch("addr flush dev eth0")
    assert proxied(server) != before
    aborted(server)
    assert proxied(server) == before
