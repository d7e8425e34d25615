"""Storing what a look found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from nodes.choices import AdapterKind, Origin, ServerState
from nodes.facts import (
    Address,
    Container,
    ContainerInside,
    ContainerInterface,
    ContainerStatus,
    Finding,
    Link,
    ServerFacts,
)
from nodes.models import (
    Adapter,
    Bridge,
    Look,
    PhysicalSegment,
    PhysicalServer,
)
from nodes.models import (
    Container as ContainerRow,
)
from nodes.models import (
    ContainerInterface as InterfaceRow,
)
from nodes.sync import Ours, Seen, Synced, Timing, next_look, store, store_failure, store_many, stored_facts
from tests.nodes import scene

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def look(server: PhysicalServer, facts: ServerFacts, minute: int = 0, ours: Ours | None = None) -> Synced:
    """Store a look made that many minutes after the first one."""
    return store(server.pk, facts, Timing(NOW + timedelta(minutes=minute), 120, 20), ours)


def test_it_stores_what_was_found(server: PhysicalServer, physical_network: PhysicalSegment) -> None:
    facts = scene.server(
        (scene.container("102", "10.77.0.102/24"),),
        scene.nic(addresses=(Address(4, "10.77.0.11", 24), Address(6, "fe80::1", 64, scope="link"))),
        scene.vlan("eth0", 100, master="vn-d"),
        scene.bridge("vn-d"),
        scene.veth("veth102.0", master="vn-d"),
        scene.veth("tap7", master="vn-d"),
        findings=(Finding("odd", "Something is odd."),),
    )
    synced = look(server, facts)
    assert synced == Synced(appeared=5)

    eth0, tagged = Adapter.objects.filter(server=server).order_by("name")
    assert (eth0.kind, eth0.segment, eth0.addresses) == (AdapterKind.NIC, physical_network, ["10.77.0.11/24"])
    assert eth0.is_management and eth0.is_up and eth0.has_carrier
    assert (tagged.kind, tagged.base, tagged.vlan_id) == (AdapterKind.VLAN, eth0, 100)
    assert (tagged.segment, tagged.wire) == (None, physical_network)
    bridge = Bridge.objects.get(server=server)
    assert (bridge.name, bridge.foreign_ports, bridge.origin) == ("vn-d", ["tap7"], Origin.FOUND)
    assert tagged.bridge == bridge
    interface = InterfaceRow.objects.get(container__ctid="102")
    assert (interface.bridge, interface.addresses) == (bridge, ["10.77.0.102/24"])
    assert interface.addresses_known and interface.host_ifname == "veth102.0"

    server.refresh_from_db()
    assert (server.state, server.state_reason) == (ServerState.OK, "")
    assert (server.containers_count, server.running_count, server.adapters_count) == (1, 1, 2)
    assert (server.findings_count, server.vzctl_dialect, server.looked_at) == (1, "4", NOW)
    stored = Look.objects.get(server=server)
    assert (stored.duration_ms, stored.connect_ms) == (120, 20)
    assert stored.findings == [{"code": "odd", "text": "Something is odd.", "subject": ""}]


def test_the_same_again_changes_nothing(server: PhysicalServer) -> None:
    facts = scene.server((scene.container("102"),))
    look(server, facts)
    with CaptureQueriesContext(connection) as queries:
        assert not look(server, scene.server((scene.container("102"),), uptime_s=99.0), 1).is_different
    assert len(queries) <= 8, [query["sql"] for query in queries]
    server.refresh_from_db()
    assert server.looked_at == NOW + timedelta(minutes=1)


def test_a_vanished_container_is_marked_and_comes_back(server: PhysicalServer) -> None:
    both = scene.server((scene.container("102"), scene.container("103")))
    look(server, both)
    row = ContainerRow.objects.get(ctid="103")

    assert look(server, scene.server((scene.container("102"),)), 1).vanished == 2
    row.refresh_from_db()
    assert row.gone_at == NOW + timedelta(minutes=1)
    assert row.interfaces.get().gone_at == NOW + timedelta(minutes=1)
    server.refresh_from_db()
    assert server.containers_count == 1

    assert look(server, both, 2).returned == 2
    row.refresh_from_db()
    assert row.gone_at is None
    assert row.interfaces.get().gone_at is None


def test_a_vanished_adapter_and_bridge_are_marked(server: PhysicalServer) -> None:
    look(server, scene.server((), scene.nic(master="br0"), scene.nic("eth1"), scene.bridge("br0")))
    look(server, scene.server((), scene.nic()), 1)
    assert set(Adapter.objects.present().values_list("name", flat=True)) == {"eth0"}
    assert Adapter.objects.get(name="eth0").bridge is None
    assert not Bridge.objects.present().exists()
    assert Bridge.objects.count() == 1 and Adapter.objects.count() == 2


def test_an_older_look_does_not_overwrite_a_newer_one(server: PhysicalServer) -> None:
    look(server, scene.server((scene.container("102"),)), 5)
    assert not look(server, scene.server(), 4).is_stored
    assert ContainerRow.objects.present().count() == 1
    assert not store_failure(server.pk, ServerState.UNREACHABLE, "It is away.", NOW)
    server.refresh_from_db()
    assert server.state == ServerState.OK


def test_a_removed_server_is_not_written(server: PhysicalServer) -> None:
    pk = server.pk
    server.delete()
    assert not store(pk, scene.server(), Timing(NOW)).is_stored


def test_what_a_look_brought_is_read_back(server: PhysicalServer) -> None:
    assert stored_facts(server.pk) is None
    facts = scene.server((scene.container("102", "10.77.0.102/24"),))
    look(server, facts)
    assert stored_facts(server.pk) == facts
    Look.objects.update(facts='{"version": 0}')
    assert stored_facts(server.pk) is None


def test_a_windows_server_is_never_touched(windows: PhysicalServer) -> None:
    Adapter.objects.create(server=windows, name="Ethernet 1", origin=Origin.ENTERED)
    with pytest.raises(ValueError, match="entered by hand"):
        store(windows.pk, scene.server(), Timing(NOW))
    assert Adapter.objects.get(server=windows).gone_at is None


def test_what_the_panel_made_says_so_and_keeps_saying_so(server: PhysicalServer) -> None:
    facts = scene.server((), scene.nic(), scene.vlan("eth0", 100), scene.bridge("vn-a"), scene.bridge("br7"))
    look(server, facts)
    assert set(Bridge.objects.values_list("origin", flat=True)) == {Origin.FOUND}
    look(server, facts, 1, Ours(vlans=frozenset({"eth0.100"}), bridges=frozenset({"vn-a"})))
    look(server, facts, 2)
    assert Adapter.objects.get(name="eth0.100").origin == Origin.PANEL
    assert Adapter.objects.get(name="eth0").origin == Origin.FOUND
    assert dict(Bridge.objects.values_list("name", "origin")) == {"vn-a": "panel", "br7": "found"}


def test_the_physical_segment_that_a_person_chose_stays(server: PhysicalServer) -> None:
    look(server, scene.server())
    lab = PhysicalSegment.objects.create(name="lab wire")
    Adapter.objects.filter(name="eth0").update(segment=lab)
    look(server, scene.server((), scene.nic(speed_mbit=1000), scene.nic("eth1")), 1)
    assert Adapter.objects.get(name="eth0").segment == lab


def test_vlan_adapters_may_swap_their_ids(server: PhysicalServer) -> None:
    look(server, scene.server((), scene.nic(), scene.vlan("eth0", 1, "a"), scene.vlan("eth0", 2, "b")))
    look(server, scene.server((), scene.nic(), scene.vlan("eth0", 2, "a"), scene.vlan("eth0", 1, "b")), 1)
    assert dict(Adapter.objects.exclude(vlan_id=None).values_list("name", "vlan_id")) == {"a": 2, "b": 1}
    assert set(Adapter.objects.exclude(vlan_id=None).values_list("base__name", flat=True)) == {"eth0"}


def test_a_vlan_made_anew_under_another_name_takes_the_id(server: PhysicalServer) -> None:
    look(server, scene.server((), scene.nic(), scene.vlan("eth0", 5, "old")))
    look(server, scene.server((), scene.nic(), scene.vlan("eth0", 5, "new")), 1)
    look(server, scene.server((), scene.nic(), scene.vlan("eth0", 5, "old")), 2)
    assert Adapter.objects.present().get(vlan_id=5).name == "old"


def test_two_adapters_with_one_tag_are_both_shown(server: PhysicalServer) -> None:
    """802.1Q and 802.1ad adapters can share base and id."""
    look(server, scene.server((), scene.nic(), scene.vlan("eth0", 5, "a"), scene.vlan("eth0", 5, "b")))
    assert Adapter.objects.filter(vlan_id=5, gone_at=None).count() == 2


def test_slaves_know_their_bond_and_the_management_path_is_marked(server: PhysicalServer) -> None:
    facts = scene.server(
        (),
        scene.nic("eth0", master="bond0"),
        scene.nic("eth1", master="bond0"),
        scene.nic("eth2"),
        scene.bond("bond0", "eth0", "eth1", mode=4),
        scene.vlan("bond0", 7, master="br0"),
        scene.bridge("br0", addresses=(Address(4, "10.77.0.11", 24),)),
        management_link="br0",
    )
    look(server, facts)
    assert set(Adapter.objects.filter(bond__name="bond0").values_list("name", flat=True)) == {"eth0", "eth1"}
    assert Adapter.objects.get(name="bond0").bond_mode == 4
    managing = set(Adapter.objects.filter(is_management=True).values_list("name", flat=True))
    assert managing == {"br0", "bond0.7", "bond0", "eth0", "eth1"} - {"br0"}


def test_a_host_routed_container_has_its_interface(server: PhysicalServer) -> None:
    """vzctl 4 keeps no NETIF entry for venet0."""
    look(server, scene.server((Container("101", status="running", host_routed=("10.77.0.101",)),)))
    interface = InterfaceRow.objects.get()
    assert (interface.ifname, interface.mode, interface.addresses) == (
        "venet0",
        "host-routed",
        ["10.77.0.101"],
    )


def test_a_bridge_inside_joins_interfaces_and_lends_its_addresses(server: PhysicalServer) -> None:
    look(server, scene.server((bridging(),)))
    assert ContainerRow.objects.get().joined == [["eth0", "eth1"]]
    assert {row.addresses_text for row in InterfaceRow.objects.all()} == {"10.77.0.201/24"}


def bridging(status: ContainerStatus = "running", master: str = "br0") -> Container:
    """A container with a bridge inside that joins its two interfaces; seen inside while it runs."""
    inside = ContainerInside(
        links=(
            Link("br0", "bridge", addresses=(Address(4, "10.77.0.201", 24),)),
            Link("eth0", "veth", master=master),
            Link("eth1", "veth", master=master),
        )
    )
    both = tuple(ContainerInterface(f"eth{n}", "bridged", host_ifname=f"veth201.{n}") for n in (0, 1))
    return Container("201", status=status, interfaces=both, inside=inside if status == "running" else None)


@pytest.mark.parametrize("unseen", ["stopped", "suspended", "running"])
def test_a_bridge_inside_is_remembered_until_a_look_inside_finds_none(
    server: PhysicalServer, unseen: ContainerStatus
) -> None:
    """It is there again as soon as the container is, and may close a ring then."""
    look(server, scene.server((bridging(), scene.container("202"))))
    nobody_inside = replace(bridging("stopped"), status=unseen)
    assert look(server, scene.server((nobody_inside, scene.container("202"))), 1).is_different
    row = ContainerRow.objects.get(ctid="201")
    assert (row.status, row.joined, row.routing) == (unseen, [["eth0", "eth1"]], None)
    look(server, scene.server((bridging(master=""), scene.container("202"))), 2)
    row.refresh_from_db()
    assert (row.status, row.joined) == ("running", [])


def test_of_a_container_that_nobody_has_looked_into_no_bridge_is_known(server: PhysicalServer) -> None:
    look(server, scene.server((bridging("stopped"),)))
    assert ContainerRow.objects.get().joined == []


def test_addresses_of_a_stopped_container_are_unknown_not_none(server: PhysicalServer) -> None:
    one = ContainerInterface("eth0", "bridged", host_ifname="veth1.0")
    kept = ContainerInterface("eth0", "bridged", host_ifname="veth2.0", configured_addresses=("10.0.0.2/24",))
    stopped = (
        Container("1", status="stopped", interfaces=(one,)),
        Container("2", status="stopped", interfaces=(kept,)),
    )
    look(server, scene.server(stopped))
    assert not InterfaceRow.objects.get(container__ctid="1").addresses_known
    assert InterfaceRow.objects.get(container__ctid="2").addresses_known


def test_what_is_wrong_with_a_container_stands_beside_it(server: PhysicalServer) -> None:
    wrong = Finding("conf_broken", "Its conf file is half-written.", "102")
    look(server, scene.server((scene.container("102"), scene.container("103")), findings=(wrong,)))
    assert dict(ContainerRow.objects.values_list("ctid", "problem")) == {
        "102": "Its conf file is half-written.",
        "103": "",
    }


def test_hostile_text_is_cut_to_what_a_column_holds(server: PhysicalServer) -> None:
    name = "<script>alert(1)</script>" * 9 + "\0"
    look(server, scene.server((scene.container("102", name=name),), kernel="k" * 500, hostname="h\0" * 400))
    row = ContainerRow.objects.get()
    assert row.name == name[:64]
    server.refresh_from_db()
    assert len(server.kernel) == 100 and "\0" not in server.hostname


def test_the_state_is_as_old_as_its_beginning(server: PhysicalServer) -> None:
    look(server, scene.server())
    look(server, scene.server(), 1)
    server.refresh_from_db()
    assert server.state_since == NOW
    store_failure(server.pk, ServerState.UNREACHABLE, "It is away.", NOW + timedelta(minutes=2))
    store_failure(server.pk, ServerState.UNREACHABLE, "It is away.", NOW + timedelta(minutes=3))
    server.refresh_from_db()
    assert server.state_since == NOW + timedelta(minutes=2)
    assert server.seen_at == NOW + timedelta(minutes=1)


def test_an_error_leaves_nothing_half_stored(server: PhysicalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("nodes.sync._write_servers", broken)
    with pytest.raises(RuntimeError):
        look(server, scene.server((scene.container("102"),)))
    assert not Adapter.objects.exists() and not ContainerRow.objects.exists() and not Look.objects.exists()


def test_the_number_of_statements_does_not_grow_with_the_server(server: PhysicalServer) -> None:
    """SQLite takes 999 values a statement, so new rows may cost a few more; what is there costs nothing."""

    def statements(containers: int, minute: int, mtu: int) -> int:
        many = tuple(scene.container(str(1000 + n)) for n in range(containers))
        facts = scene.server(many, Link("eth0", "nic", mtu=mtu))
        with CaptureQueriesContext(connection) as queries:
            look(server, facts, minute)
        return len(queries)

    first_small = statements(2, 0, 1500)
    first_big = statements(50, 1, 1500)
    assert first_big <= first_small + 2
    assert statements(50, 2, 1400) == statements(50, 3, 1300) <= 16


def test_nor_with_the_servers_that_were_looked_at(server: PhysicalServer) -> None:
    """One of them would be asked for what its own last look said, and so each of fifty."""
    servers = [server, *(PhysicalServer.objects.create(name=f"n{n}", group=server.group) for n in range(5))]

    def statements(some: list[PhysicalServer], minute: int) -> int:
        facts = scene.server((scene.container("102"),), Link("eth0", "nic", mtu=1500 - minute))
        timing = Timing(NOW + timedelta(minutes=minute))
        with CaptureQueriesContext(connection) as queries:
            assert all(one.is_different for one in store_many([Seen(one.pk, facts, timing) for one in some]))
        return len(queries)

    statements(servers, 0)
    assert statements(servers, 1) == statements([server], 2)


def test_looks_spread_over_the_minute_and_keep_their_second() -> None:
    seconds = sorted(next_look(pk, NOW).timestamp() % 60 for pk in range(1, 121))
    gaps = [b - a for a, b in pairwise(seconds)]
    assert max(gaps) < 2
    due = next_look(7, NOW)
    assert timedelta(seconds=30) <= due - NOW < timedelta(seconds=90)
    assert abs(next_look(7, due + timedelta(seconds=9)) - due - timedelta(seconds=60)) < timedelta(
        seconds=0.001
    )
