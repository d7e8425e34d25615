"""Teams, VRFs and the VLANs of a port, on real kernels: what would not come back is refused."""

from __future__ import annotations

import pytest

from lab.lab import Lab
from networks.host.grammar import Bridge, HostPlan, Keep, KeepBridge, Port, RemoveBridge, Step
from tests.host.test_in_the_lab import Host, hosts

__all__ = ["hosts"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

TEAM = "modprobe team; ip link add name team0 type team; ip link set dev e7 down master team0"
VRF = "modprobe vrf; ip link add name red type vrf table 10; ip link set red up; ip link set {} master red"
A_NIC = "ip link add name e7 type veth peer name f7; ip link set dev f7 up; ip link set dev e7 up"
A_GUEST = "ip link add name c7 type veth peer name g7; ip link set dev c7 up"


def refused(host: Host, *steps: Step, keeps: tuple[Keep, ...] = ()) -> list[str]:
    answer = host.script("plan", stdin=HostPlan(steps, keeps).render())
    assert all("take it out" in note.text for note in answer.refusals), answer.refusals
    return [note.code for note in answer.refusals]


def test_a_nic_in_a_team_or_vrf_is_refused_and_works_when_it_is_out_of_it(
    hosts: dict[str, Host], lab: Lab
) -> None:
    host = hosts["server1"]
    lab.check("server1", A_NIC)
    into, keep = Bridge("vn-b", "e7"), KeepBridge("vn-b", "e7")
    for made in (TEAM, VRF.format("e7"), f"{VRF.format('e7')}; ip addr add 10.66.0.1/24 dev e7"):
        lab.check("server1", made)
        before = host.state()
        assert refused(host, into, keeps=(keep,)) == ["part-of-another"], made
        assert host.state() == before
        lab.check("server1", "ip addr flush dev e7; ip link set dev e7 nomaster")
        lab.execute("server1", "ip link del dev team0; ip link del dev red")
    host.commit("b", HostPlan((into,), (keep,)))
    assert "master vn-b" in lab.check("server1", "ip -o link show dev e7")


def test_a_bridge_in_a_vrf_does_not_give_its_layer_3_to_a_nic_outside(
    hosts: dict[str, Host], lab: Lab
) -> None:
    host = hosts["server1"]
    lab.check("server1", f"{A_NIC}; ip addr add 10.66.0.1/24 dev e7")
    host.commit("b", HostPlan((Bridge("vn-b", "e7"),), (KeepBridge("vn-b", "e7"),)))
    lab.check("server1", VRF.format("vn-b"))
    assert refused(host, RemoveBridge("vn-b", "e7")) == ["part-of-another"]


def test_a_container_interface_in_a_vrf_is_refused(hosts: dict[str, Host], lab: Lab) -> None:
    lab.check("server1", f"{A_GUEST}; {VRF.format('c7')}")
    join, keep = Port("c7", "vn-c"), KeepBridge("vn-c")
    assert refused(hosts["server1"], Bridge("vn-c"), join, keeps=(keep,)) == ["part-of-another"]


def test_a_port_with_vlans_in_a_bridge_of_others_is_refused(hosts: dict[str, Host], lab: Lab) -> None:
    """The bridge forgets them as the port leaves."""
    host = hosts["server1"]
    lab.check("server1", f"{A_GUEST}; ip link add name br7 type bridge vlan_filtering 1")
    lab.check("server1", "ip link set dev br7 up; ip link set dev c7 master br7")
    steps, keeps = (Bridge("vn-c"), Port("c7", "vn-c")), (KeepBridge("vn-c"),)
    assert refused(host, *steps, keeps=keeps) == []
    for made, taken_back in (
        ("bridge vlan add dev c7 vid 7", "bridge vlan del dev c7 vid 7"),
        ("bridge vlan del dev c7 vid 1", "bridge vlan add dev c7 vid 1 pvid untagged"),
        ("bridge vlan add dev c7 vid 8 pvid untagged", "bridge vlan del dev c7 vid 8"),
    ):
        lab.check("server1", made)
        assert refused(host, *steps, keeps=keeps) == ["port-settings"], made
        lab.check("server1", f"{taken_back}; bridge vlan add dev c7 vid 1 pvid untagged")
    lab.check("server1", "bridge vlan add dev c7 vid 7; ip link set dev br7 type bridge vlan_filtering 0")
    assert refused(host, *steps, keeps=keeps) == [], "nobody heeds them"
    lab.check(
        "server1", "ip link set dev br7 type bridge vlan_filtering 1; mv /usr/sbin/bridge /usr/sbin/bridge-"
    )
    assert refused(host, *steps, keeps=keeps) == ["port-settings"], "nobody can ask for them"
