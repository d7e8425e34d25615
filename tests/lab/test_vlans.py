from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.lab import Lab
from tests.lab.pings import answers, reaches, within

pytestmark = pytest.mark.lab

VLAN_ADDRESSES = {"server2": "10.100.0.2", "server3": "10.100.0.3"}


@pytest.fixture
def vlan_100(lab: Lab) -> Iterator[Lab]:
    """VLAN 100 on eth0 of servers 2 and 3, as an administrator makes it by hand."""
    for server, address in VLAN_ADDRESSES.items():
        lab.check(
            server,
            "ip link add link eth0 name eth0.100 type vlan id 100 && ip link set eth0.100 up && "
            f"ip addr add {address}/24 dev eth0.100",
        )
    yield lab
    for server in VLAN_ADDRESSES:
        lab.trunk(server, 100, carried=True)
        lab.check(server, "ip link del eth0.100")


def test_it_carries_vlan_100_between_servers_2_and_3(vlan_100: Lab) -> None:
    assert reaches(vlan_100, "server2", "10.100.0.3")
    assert reaches(vlan_100, "server3", "10.100.0.2")


def test_a_trunk_that_is_off_stops_the_vlan_and_nothing_else(vlan_100: Lab) -> None:
    vlan_100.trunk("server3", 100, carried=False)

    assert not reaches(vlan_100, "server2", "10.100.0.3")
    assert reaches(vlan_100, "server2", "10.77.0.13")

    vlan_100.trunk("server3", 100, carried=True)
    # Not at once: a neighbour that did not answer counts as failed for a moment.
    assert within(10, lambda: reaches(vlan_100, "server2", "10.100.0.3"))


def test_trunk_off_twice_is_undone_by_on_once(vlan_100: Lab) -> None:
    vlan_100.trunk("server2", 100, carried=False)
    vlan_100.trunk("server2", 100, carried=False)
    vlan_100.trunk("server3", 200, carried=False)
    vlan_100.trunk("server2", 100, carried=True)

    assert reaches(vlan_100, "server2", "10.100.0.3")
    vlan_100.trunk("server3", 200, carried=True)


def test_the_vlan_is_not_the_untagged_lan(vlan_100: Lab) -> None:
    assert not answers("10.100.0.2")
    assert not reaches(vlan_100, "server1", "10.100.0.2")


def test_it_refuses_a_number_that_is_no_vlan_id(lab: Lab) -> None:
    with pytest.raises(ValueError, match="no VLAN id"):
        lab.trunk("server2", 4095, carried=False)
