"""Host-routed addresses: routes and proxy entries on the server, venet0 inside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vz.machine import Machine, machine

pytestmark = pytest.mark.netns


@pytest.fixture(params=["4", "7"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path, request.param) as ready:
        yield ready


def test_the_lan_the_server_and_neighbours_reach_a_host_routed_container(server: Machine) -> None:
    for ctid, number in (("101", "101"), ("102", "102")):
        server.ok("vzctl", "create", ctid, "--ipadd", f"10.9.0.{number}", "--ipadd", f"fd77::{number}")
        server.ok("vzctl", "start", ctid)
    for address in ("10.9.0.101", "fd77::101"):
        assert server.ping(address, "lan")
        assert server.ping(address)
        assert server.ping(address, "102")
    assert server.ping("10.9.0.254", "101")
    assert server.ping("fd77::254", "101")


def test_the_server_answers_arp_for_it_on_the_link_with_the_default_route(server: Machine) -> None:
    server.ok("vzctl", "create", "101", "--ipadd", "10.9.0.101", "--ipadd", "fd77::101")
    server.ok("vzctl", "start", "101")
    proxies = server.ok("ip", "neigh", "show", "proxy").split("\n")
    assert {" ".join(line.split()[:3]) for line in proxies} == {"10.9.0.101 dev up0", "fd77::101 dev up0"}
    [host_side] = server.links()
    assert f"10.9.0.101 dev {host_side} scope link" in server.ok("ip", "route")
    server.ok("vzctl", "stop", "101", "--fast")
    assert server.ok("ip", "neigh", "show", "proxy") == ""
    assert server.links() == set()
    assert "10.9.0.101" not in server.ok("ip", "route")


def test_a_start_after_the_address_moved_to_a_bridge_uses_the_bridge(server: Machine) -> None:
    server.ok("vzctl", "create", "101", "--ipadd", "10.9.0.101")
    server.ok(
        "sh", "-c",
        "ip link set up0 master br0; ip addr flush dev up0; ip addr add 10.9.0.1/24 dev br0;"
        "ip route add default via 10.9.0.254",
    )  # fmt: skip
    server.ok("vzctl", "start", "101")
    assert server.ok("ip", "neigh", "show", "proxy").split()[:3] == ["10.9.0.101", "dev", "br0"]
    assert server.ping("10.9.0.101", "lan")


def test_addresses_come_and_go_while_it_runs(server: Machine) -> None:
    server.ok("vzctl", "create", "101")
    server.ok("vzctl", "start", "101")
    assert server.links() == set()
    server.ok("vzctl", "set", "101", "--ipadd", "10.9.0.101", "--ipadd", "10.9.0.102", "--save")
    assert server.ping("10.9.0.101", "lan")
    server.ok("vzctl", "set", "101", "--ipdel", "10.9.0.101", "--save")
    assert server.line("101", "IP_ADDRESS") == 'IP_ADDRESS="10.9.0.102"'
    assert not server.ping("10.9.0.101")
    assert server.ping("10.9.0.102", "lan")


def test_an_address_in_use_stops_the_start(server: Machine) -> None:
    for ctid in ("101", "102"):
        server.ok("vzctl", "create", ctid, "--ipadd", "10.9.0.101")
    server.ok("vzctl", "start", "101")
    assert server.run("vzctl", "start", "102").rc == 78
    assert "down" in server.ok("vzctl", "status", "102")
    assert server.ping("10.9.0.101", "lan")
