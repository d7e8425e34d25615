"""A large inventory made at once, for tests of lists: nothing in it was ever looked at."""

from __future__ import annotations

from nodes.choices import ServerState
from nodes.models import Adapter, Container, ContainerInterface, PhysicalServer, ServerGroup

SERVERS, CONTAINERS = 1000, 50


def make_fleet(servers: int = SERVERS, containers: int = CONTAINERS) -> tuple[ServerGroup, ServerGroup]:
    """Two top groups with ten groups in each and the servers dealt out evenly; returns the top groups.

    Server node0007 has containers 1000, 1001, ... (named web-<server key>-0, ...) with one bridged interface
    each. Takes about ten seconds for the full number.
    """
    tops = ServerGroup.objects.create(name="East"), ServerGroup.objects.create(name="West")
    groups = [ServerGroup.objects.create(name=f"Rack {n}", parent=tops[n % 2]) for n in range(20)]
    machines = PhysicalServer.objects.bulk_create(
        PhysicalServer(
            name=f"node{n:04}", group=groups[n % 20], address=f"10.1.{n // 250}.{n % 250}",
            state=ServerState.OK, containers_count=containers, running_count=containers, adapters_count=2,
        )
        for n in range(servers)
    )  # fmt: skip
    Adapter.objects.bulk_create(
        Adapter(server=machine, name=f"eth{n}", mac=f"02:00:00:{machine.pk % 256:02x}:00:0{n}")
        for machine in machines
        for n in (0, 1)
    )
    rows = Container.objects.bulk_create(
        Container(server=machine, ctid=str(1000 + n), name=f"web-{machine.pk}-{n}", status="running")
        for machine in machines
        for n in range(containers)
    )
    ContainerInterface.objects.bulk_create(
        ContainerInterface(
            container=row, ifname="eth0", mode="bridged", host_ifname=f"veth{row.ctid}.0",
            mac=f"00:18:51:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}",
            addresses_text=f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}/8",
        )
        for n, row in enumerate(rows)
    )  # fmt: skip
    return tops
