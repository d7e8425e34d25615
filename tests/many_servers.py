"""A group of 200 servers with three networks on two VLANs: for a picture, no server behind it."""

from __future__ import annotations

from django.urls import reverse

from networks.domain.state import Assignment, Desired, InterfaceKey, Member, Network, VlanAdapter
from nodes.choices import AdapterKind, ContainerStatus, InterfaceMode, ServerState
from nodes.models import Adapter, Container, ContainerInterface, PhysicalSegment, PhysicalServer, ServerGroup

SERVERS, CONTAINERS = 200, 16
FIRST = 1000
"""The least key of a server: others may be there already."""
SILENT = (1017, 1133)

WEB, DATABASES, BACKUP = (f"00000000-0000-4000-8000-0000000001{n:02}" for n in range(3))
NETWORKS = (
    Network(WEB, "web", bridge="vn-web"),
    Network(DATABASES, "databases", bridge="vn-db"),
    Network(BACKUP, "backup", bridge="vn-backup"),
)
VLANS = {DATABASES: 100, BACKUP: 200}


def seed_many() -> str:
    """Fill the database; the address of the group's topology."""
    from networks.desired import head
    from tests.networks.changes import write

    wire, _ = PhysicalSegment.objects.get_or_create(is_default=True, defaults={"name": "physical network"})
    group = ServerGroup.objects.create(name="East", description="Two hundred alike, or nearly.")
    keys = range(FIRST, FIRST + SERVERS)
    PhysicalServer.objects.bulk_create(
        PhysicalServer(
            pk=key,
            name=f"node{key - FIRST + 1:04}",
            group=group,
            address=f"10.1.0.{key - FIRST + 1}",
            state=ServerState.UNREACHABLE if key in SILENT else ServerState.OK,
        )
        for key in keys
    )
    _adapters(wire)
    _containers()
    there = head().state
    write(
        Desired(
            networks=(*there.networks, *NETWORKS, *(_local(key) for key in keys if _has_local(key))),
            assignments=(*there.assignments, *(one for key in keys for one in _assigned(key))),
            members=(*there.members, *(one for key in keys for one in _members(key))),
            vlans=(
                *there.vlans,
                *(VlanAdapter(key, f"eth0.{vid}", "eth0", vid) for key in keys for vid in _vids(key)),
            ),
        )
    )
    return reverse("networks:group_topology", args=[group.pk])


def _networks_on(server: int) -> list[str]:
    """Web and databases on all, backup on each third, one of its own on each eighth."""
    found = [WEB, DATABASES]
    if server % 3 == 0:
        found.append(BACKUP)
    if _has_local(server):
        found.append(_local(server).id)
    return found


def _has_local(server: int) -> bool:
    return server % 8 == 0


def _local(server: int) -> Network:
    number = server - FIRST + 1
    return Network(f"00000000-0000-4000-8000-00000000{server}", f"test {number}", bridge=f"vn-test{number}")


def _vids(server: int) -> list[int]:
    return [VLANS[network] for network in _networks_on(server) if network in VLANS]


def _adapter(network: str) -> str | None:
    """Web is on the NIC, a server's own network nowhere."""
    return "eth0" if network == WEB else f"eth0.{VLANS[network]}" if network in VLANS else None


def _assigned(server: int) -> list[Assignment]:
    return [Assignment(network, server, _adapter(network)) for network in _networks_on(server)]


def _members(server: int) -> list[Member]:
    """The first container is host-routed, the last is in no network; the others are dealt out."""
    networks = _networks_on(server)
    return [
        Member(networks[number % len(networks)], InterfaceKey(server, str(101 + number), "eth0"))
        for number in range(1, CONTAINERS - 1)
    ]


def _adapters(wire: PhysicalSegment) -> None:
    servers = list(PhysicalServer.objects.filter(pk__gte=FIRST))
    nics = Adapter.objects.bulk_create(
        Adapter(
            server=server, name="eth0", segment=wire, is_up=True, has_carrier=True, is_management=True,
            addresses_text=f"{server.address}/24",
        )
        for server in servers
    )  # fmt: skip
    Adapter.objects.bulk_create(
        Adapter(
            server=nic.server, name=f"eth0.{vid}", kind=AdapterKind.VLAN, base=nic, vlan_id=vid, is_up=True,
            has_carrier=True,
        )
        for nic in nics
        for vid in _vids(nic.server_id)
    )  # fmt: skip


def _containers() -> None:
    servers = list(PhysicalServer.objects.filter(pk__gte=FIRST))
    containers = Container.objects.bulk_create(
        Container(
            server=server, ctid=str(101 + number), name=f"c{101 + number}", status=ContainerStatus.RUNNING
        )
        for server in servers
        for number in range(CONTAINERS)
    )
    ContainerInterface.objects.bulk_create(
        ContainerInterface(
            container=container,
            ifname="venet0" if container.ctid == "101" else "eth0",
            mode=InterfaceMode.HOST_ROUTED if container.ctid == "101" else InterfaceMode.BRIDGED,
            addresses_text=f"10.2.{container.server_id - FIRST}.{container.ctid}/16",
            addresses_known=True,
        )
        for container in containers
    )
