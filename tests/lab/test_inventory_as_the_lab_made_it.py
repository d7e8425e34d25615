"""What the panel shows of the lab's servers is what the lab says it made; found by looks over SSH."""

from __future__ import annotations

import pytest

from lab import status
from lab.lab import Lab
from lab.status import ContainerStatus
from nodes.choices import HostKeyState, Origin, ServerState
from nodes.lab_registration import register, servers_of
from nodes.models import Adapter, Bridge, Container, Credential, HostKey, PhysicalSegment, PhysicalServer
from nodes.observe import look, pool, servers_to_ask

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def registered(lab: Lab) -> dict[str, PhysicalServer]:
    """The lab's servers in the inventory, looked at once."""
    PhysicalSegment.objects.get_or_create(is_default=True, defaults={"name": "physical network"})
    servers = register(servers_of(lab.place))
    # Keys of rows come again in the next test; connections are kept by them.
    for server in servers:
        pool().forget(str(server.pk))
    return {server.name: server for server in servers}


def interfaces_made(container: ContainerStatus) -> dict[str, tuple[str, str, str, set[str]]]:
    """Interface name to mode, MAC, host-side name, addresses (host-routed ones without a prefix).

    A bridge inside lends its addresses to its ports.
    """
    return {
        one.ifname: (
            one.mode,
            one.mac,
            one.host_ifname,
            {
                address.removesuffix("/32").removesuffix("/128")
                for address in (one.addresses or container.inner_bridge_addresses)
            },
        )
        for one in container.interfaces
    }


def interfaces_found(container: Container) -> dict[str, tuple[str, str, str, set[str]]]:
    """The same from the rows. Only vzctl 7 gives host-routed interfaces a MAC; the lab leaves it out."""
    return {
        row.ifname: (
            row.mode, row.mac if row.mode == "bridged" else "", row.host_ifname, set(row.addresses),
        )
        for row in container.interfaces.filter(gone_at=None)
    }  # fmt: skip


def test_servers_containers_and_interfaces_are_as_the_lab_made_them(
    lab: Lab, registered: dict[str, PhysicalServer]
) -> None:
    made = status.look(lab)
    assert {one.name for one in made.servers} == set(registered)
    for one in made.servers:
        server = registered[one.name]
        assert (server.state, server.state_reason) == (ServerState.OK, "")
        assert (server.hostname, server.vzctl_dialect) == (one.name, one.dialect)
        assert server.management_address.partition("/")[0] == one.address
        key = HostKey.objects.get(server=server, state=HostKeyState.PINNED)
        assert key.sha256 == one.host_key_sha256
        found = {row.ctid: row for row in Container.objects.present().filter(server=server)}
        assert {ctid: row.status for ctid, row in found.items()} == {c.ctid: c.state for c in one.containers}
        for container in one.containers:
            assert interfaces_found(found[container.ctid]) == interfaces_made(container), container.ctid


def test_adapters_and_the_bridge_of_server_3_are_found_not_ours(
    registered: dict[str, PhysicalServer],
) -> None:
    for name, server in registered.items():
        [nic] = Adapter.objects.present().filter(server=server)
        assert (nic.name, nic.kind, nic.origin, nic.is_management) == ("eth0", "nic", Origin.FOUND, True)
        assert nic.segment is not None and nic.segment.is_default
        bridges = list(Bridge.objects.present().filter(server=server))
        if name == "server3":
            [bridge] = bridges
            assert (bridge.name, bridge.origin, nic.bridge) == ("br0", Origin.FOUND, bridge)
            assert "10.77.0.13/24" in bridge.addresses
        else:
            assert bridges == [] and nic.bridge is None


def test_the_bridge_inside_201_is_seen(registered: dict[str, PhysicalServer]) -> None:
    row = Container.objects.get(server=registered["server2"], ctid="201")
    assert row.joined == [["eth0", "eth1"]]


def test_registering_twice_changes_nothing(lab: Lab, registered: dict[str, PhysicalServer]) -> None:
    models = (Credential, HostKey, Container)

    def rows() -> list[object]:
        return [set(model.objects.values_list("pk", flat=True)) for model in models]

    before = rows()
    again = register(servers_of(lab.place))
    assert {server.pk for server in again} == {server.pk for server in registered.values()}
    assert rows() == before


def test_a_container_that_stops_is_seen_stopped(lab: Lab, registered: dict[str, PhysicalServer]) -> None:
    server = registered["server1"]
    lab.check("server1", "vzctl stop 103", timeout_s=60)
    try:
        look(servers_to_ask().get(pk=server.pk))
        assert Container.objects.get(server=server, ctid="103").status == "stopped"
    finally:
        lab.check("server1", "vzctl start 103", timeout_s=60)
    look(servers_to_ask().get(pk=server.pk))
    assert Container.objects.get(server=server, ctid="103").status == "running"
