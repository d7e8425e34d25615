"""Names of links are short, unique and always the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.domain.names import bridge_name, is_link_name, name_bridges, vlan_name
from networks.domain.state import Desired, Network
from networks.host.grammar import HostPlan, KeepBridge, KeepVlan, parse_plan

BRIDGES = [
    ("A", (), "vn-a"),
    ("Web Servers", (), "vn-web-servers"),
    ("Web Servers of the shop", (), "vn-web-servers"),
    ("Büro", (), "vn-buro"),
    ("a--b__c", (), "vn-a-b-c"),
    ("none", (), "vn-none-2"),
    ("网络", (), "vn-97b31b"),
    ("web servers", ("vn-web-servers",), "vn-web-server-2"),
    ("A", ("vn-a", "vn-a-2"), "vn-a-3"),
]


@pytest.mark.parametrize(("name", "taken", "bridge"), BRIDGES)
def test_a_bridge_is_named_after_its_network(name: str, taken: tuple[str, ...], bridge: str) -> None:
    assert bridge_name(name, taken) == bridge


@given(st.lists(st.text(min_size=1, max_size=64), max_size=30))
def test_bridge_names_fit_the_kernel_and_are_unique(names: list[str]) -> None:
    state = Desired(networks=tuple(Network(str(n), name) for n, name in enumerate(names)))
    named = name_bridges(state, {"vn-a", "br0"})
    bridges = [network.bridge for network in named.networks]
    assert len(set(bridges)) == len(bridges)
    assert not {"vn-a", "vn-none"} & set(bridges)
    for bridge in bridges:
        assert is_link_name(bridge) and len(bridge.encode()) <= 15
        assert parse_plan(HostPlan(keeps=(KeepBridge(bridge),)).render().encode())


def test_a_name_given_once_stays() -> None:
    state = name_bridges(Desired(networks=(Network("1", "A"), Network("2", "B"))))
    renamed = Desired(networks=(Network("1", "Z", "", state.networks[0].bridge), Network("3", "A")))
    assert [n.bridge for n in name_bridges(renamed).networks] == ["vn-a", "vn-a-2"]


@pytest.mark.parametrize(
    ("base", "vid", "name"),
    [
        ("eth0", 100, "eth0.100"),
        ("enp0s31f6", 4094, "enp0s31f6.4094"),
        ("enp129s0f0np0", 7, "enp129s0f0np0.7"),
    ],
)
def test_a_vlan_adapter_has_the_usual_name(base: str, vid: int, name: str) -> None:
    assert vlan_name(base, vid) == name


@given(st.from_regex(r"\A[a-z][a-z0-9_-]{0,14}\Z"), st.integers(1, 4094))
def test_vlan_names_always_fit(base: str, vid: int) -> None:
    name = vlan_name(base, vid)
    assert is_link_name(name) and name.endswith(f".{vid}")
    assert parse_plan(HostPlan(keeps=(KeepVlan(name, "eth0", vid),)).render().encode())


def test_long_bases_that_begin_alike_get_different_names() -> None:
    assert vlan_name("enp129s0f0np0x", 4094) != vlan_name("enp129s0f0np0y", 4094)


@pytest.mark.parametrize("name", ["", "a" * 16, "1eth", "-x", "a b", "a/b", "all", "default", "lo", "ä"])
def test_other_names_are_none(name: str) -> None:
    assert not is_link_name(name)
