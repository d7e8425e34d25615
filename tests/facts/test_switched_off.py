"""Which interfaces a look finds switched off inside a container."""

from __future__ import annotations

from nodes.facts import ContainerInside, Link
from nodes.routing import switched_off
from nodes.sync_values import container_routing


def test_only_the_containers_own_interfaces_are_told() -> None:
    inside = ContainerInside(
        links=(
            Link("lo", "other"),
            Link("eth0", "veth", up=True),
            Link("eth1", "veth"),
            Link("br0", "bridge"),
        )
    )
    assert switched_off(inside) == ("eth1",)
    assert container_routing(inside)["off"] == ["eth1"]
