from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from lab.definition import SERVERS, ContainerDefinition, server
from lab.lab import Lab
from tests.lab.pings import answers, reaches, within

pytestmark = pytest.mark.lab

CONTAINERS = [(one.name, container) for one in SERVERS for container in one.containers]


def bridged_interfaces(container: ContainerDefinition) -> set[str]:
    return {interface.ifname for interface in container.bridged}


@pytest.mark.parametrize(("server_name", "container"), CONTAINERS, ids=[c.ctid for _, c in CONTAINERS])
def test_it_runs_with_the_interfaces_of_the_scheme(
    lab: Lab, server_name: str, container: ContainerDefinition
) -> None:
    listing = lab.check(server_name, "vzlist -H -o ctid,status")
    inside = lab.check(server_name, f"vzctl exec {container.ctid} ip -o link").splitlines()

    assert [container.ctid, "running"] in [line.split() for line in listing.splitlines()]
    links = {line.split()[1].rstrip(":").partition("@")[0] for line in inside}
    assert links - {"lo", "venet0", "br0"} == bridged_interfaces(container)
    # The genuine 7+ tool keeps a venet0 in every container, used or not.
    assert not container.host_routed or "venet0" in links


def test_no_container_is_in_a_bridge_before_the_panel_put_it_there(lab: Lab) -> None:
    for one in SERVERS:
        held = lab.check(one.name, "ls -d /sys/class/net/*/master 2>/dev/null; true").split()
        assert held == (["/sys/class/net/eth0/master"] if one.bridge else [])


def test_bridged_containers_are_alone_before_the_panel_joined_them(lab: Lab) -> None:
    assert not answers("10.77.0.102")
    assert not reaches(lab, "server1", "10.77.0.103", container="102")


@pytest.mark.parametrize(
    ("address", "server_name"), [("10.77.0.101", "server1"), ("10.77.0.32", "server3")], ids=["101", "302"]
)
def test_a_host_routed_container_answers_through_proxy_arp(lab: Lab, address: str, server_name: str) -> None:
    assert answers(address)

    said = subprocess.run(
        ["arping", "-c1", "-w3", "-I", "eth0", address], capture_output=True, text=True
    ).stdout
    assert server(server_name).mac in said.lower()


def test_a_host_routed_container_answers_on_ipv6(lab: Lab) -> None:
    assert within(5, lambda: answers("fd77::101"))
    assert within(5, lambda: reaches(lab, "server1", "fd77::1", container="101"))


def test_host_routed_containers_of_two_servers_reach_each_other(lab: Lab) -> None:
    # Two neighbours are looked up on the way, one after the other; a first ping may wait for them in vain.
    assert within(5, lambda: reaches(lab, "server1", "10.77.0.32", container="101"))


@pytest.fixture
def networks_either_side_of_201(lab: Lab) -> Iterator[Lab]:
    """Two local bridges on server 2: 203 with the first interface of 201, 202 with its second."""
    lab.check(
        "server2",
        "for b in left right; do ip link add $b type bridge forward_delay 0; ip link set $b up; done; "
        "ip link set veth201.0 master left; ip link set veth203.0 master left; "
        "ip link set veth201.1 master right; ip link set veth202.0 master right",
    )
    yield lab
    lab.check("server2", "ip link del left; ip link del right")


def test_201_bridges_its_two_interfaces(networks_either_side_of_201: Lab) -> None:
    lab = networks_either_side_of_201

    assert within(5, lambda: reaches(lab, "server2", "10.77.0.203", container="202"))
    assert reaches(lab, "server2", "10.77.0.201", container="202")
    assert reaches(lab, "server2", "fd77::201", container="203")

    lab.check("server2", "vzctl exec 201 'ip link set eth1 nomaster'")
    assert not reaches(lab, "server2", "10.77.0.203", container="202")
    lab.check("server2", "vzctl exec 201 'ip link set eth1 master br0'")
    assert within(10, lambda: reaches(lab, "server2", "10.77.0.203", container="202"))


def test_containers_start_again_at_boot(lab: Lab) -> None:
    lab.check("server1", "vzctl stop 102")
    lab.reboot("server1")

    assert lab.check("server1", "vzlist -H -o ctid,status").count("running") == 3
    assert answers("10.77.0.101")
