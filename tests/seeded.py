"""The manual's scheme as rows, applied, with a small draft on top: for pictures, no server behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from networks import problem_check
from networks.choices import ChangeState, MeasurementState, OperationState
from networks.desired import head
from networks.domain.diff import describe
from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    CreateNetwork,
    CreateVlan,
    Desired,
    Edit,
    InterfaceKey,
)
from networks.domain.visibility import OtherHosts, visibility
from networks.inventory_rows import inventory
from networks.models import Change, Disagreement, Measurement, Operation
from networks.ours import ours_of
from networks.points import point_text
from networks.services import drafts
from networks.state_json import dump_edits
from nodes.choices import ServerOS, ServerState
from nodes.models import Adapter, Container, PhysicalSegment, PhysicalServer, ServerGroup
from nodes.sync import Timing, store

F = "00000000-0000-4000-8000-00000000000f"


COMMANDS = (
    ("before", "ip link add name vn-a type bridge stp_state 0 forward_delay 0"),
    ("critical", "ip link set dev eth0 master vn-a"),
    ("critical", "ip addr add 10.77.0.11/24 dev vn-a"),
    ("critical", "ip link set dev veth102.0 master vn-a"),
)
"""A picture's worth of what a server is told."""


def seed() -> dict[str, str]:
    """Fill an empty database; the addresses of the pages worth a picture, by name."""
    from tests.domain import built, scheme
    from tests.networks.changes import write

    admin = User.objects.create_superuser("admin", password="correct-horse-battery")
    PhysicalSegment.objects.get_or_create(is_default=True, defaults={"pk": 1, "name": "physical network"})
    group = ServerGroup.objects.create(name="Lab", description="The manual's three physical servers.")
    for number in (1, 2, 3):
        PhysicalServer.objects.create(
            pk=number, name=f"server{number}", group=group, address=f"10.77.0.1{number}", state=ServerState.OK
        )
    PhysicalServer.objects.create(
        name="winnie",
        group=group,
        address="10.77.0.66",
        os=ServerOS.WINDOWS,
        state=ServerState.INVENTORY_ONLY,
    )
    for number, look in built.LOOKS.items():
        # As the panel has prepared them, for the next boot.
        facts = replace(look, capabilities=look.capabilities | {"vznet_hook"})
        store(number, facts, Timing(timezone.now(), 180), ours_of(built.DESIRED, number))
    write(_described(built.DESIRED))
    change = _done(admin, scheme.EDITS)
    _measured()
    drafts.stage(
        admin,
        [
            CreateNetwork(F, "F", "For the new web servers"),
            CreateVlan(1, "eth1.200", "eth1", 200),
            AddInterface(InterfaceKey(1, "102", "eth1")),
            AddMember(F, InterfaceKey(1, "102", "eth1")),
            AddAddress(InterfaceKey(1, "102", "eth1"), "10.77.8.102/24"),
        ],
    )
    problem_check.check()
    return _pages(group, change)


def _measured() -> None:
    """The scheme as it was measured: as predicted, but that 204 does not answer a ping of 203."""
    servers = [1, 2, 3]
    state = head().state
    found = visibility(state, state, inventory(servers))
    cells = [
        [point_text(a), point_text(b), layer, answer, answer]
        for a in found.hosts()
        for b in found.hosts()
        if a != b and not isinstance(a, OtherHosts)
        for layer, answer in (("ip", found.answer(a, b)), ("layer2", found.layer2_answer(a, b)))
    ]
    odd = next(cell for cell in cells if cell[:3] == ["c:2:203", "c:2:204", "ip"])
    odd[4] = "no"
    now = timezone.now()
    Measurement.objects.create(
        servers=servers, state=MeasurementState.DONE, cells=cells, started_at=now, ended_at=now
    )
    Disagreement.objects.create(
        key="pair:c:2:203|c:2:204",
        text="Container 203 (c203) should reach Container 204 (c204), but does not.",
        cause="Frames pass but no ping does: a packet filter, or an address that has changed.",
        servers=[2],
        first_seen_at=now,
        last_seen_at=now,
    )


def _described(state: Desired) -> Desired:
    words = {
        "A": "Everything that the world may reach",
        "B": "Behind container 201",
        "C": "Test machines, by themselves",
        "D": "Storage, over VLAN 100",
        "E": "Behind container 302",
    }
    return replace(
        state, networks=tuple(replace(n, description=words.get(n.name, "")) for n in state.networks)
    )


def _done(admin: User, edits: tuple[Edit, ...]) -> Change:
    summary = "\n".join(describe(edits, Desired(), inventory([1, 2, 3])))
    now = timezone.now()
    took = {"started_at": now - timedelta(seconds=14), "ended_at": now}
    change = Change.objects.create(
        author=admin,
        edits=dump_edits(edits),
        base=0,
        state=ChangeState.DONE,
        summary=summary,
        reason="The manual's scheme",
        **took,
    )
    for server in PhysicalServer.objects.filter(os=ServerOS.LINUX):
        Operation.objects.create(
            change=change,
            server=server,
            server_name=server.name,
            state=OperationState.DONE,
            is_guarded=True,
            commands=[{"phase": phase, "text": text} for phase, text in COMMANDS],
            **took,
        )
    return change


def _pages(group: ServerGroup, change: Change) -> dict[str, str]:
    from tests.domain.scheme import A, D

    def at(name: str, *keys: Any) -> str:
        return reverse(name, args=keys)

    container = Container.objects.get(server_id=2, ctid="201")
    drafted = Container.objects.get(server_id=1, ctid="102")
    assert Adapter.objects.filter(server_id=3).exists()
    winnie = PhysicalServer.objects.get(name="winnie")
    return {
        "server-networks": at("networks:server_networks", 2),
        "server-new-network": at("networks:create_on_server", 1),
        "server-configure": at("networks:configure_on_server", 2, A),
        "network-details": at("networks:detail", D),
        "group-networks": at("networks:group_networks", group.pk),
        "group-new-network": at("networks:create"),
        "group-configure": at("networks:configure", D),
        "group-add-containers": at("networks:add_members", D),
        "group-assignments": at("networks:group_grid", group.pk),
        "group-many": at("networks:assign_many", D) + "?adapter=eth1&vid=100",
        "adapters": at("networks:server_adapters", 2),
        "adapters-new-vlan": at("networks:create_vlan", 1),
        "container": at("nodes:container", container.pk),
        "topology-group": at("networks:group_topology", group.pk),
        "topology-server": at("networks:server_topology", 2),
        "group": at("nodes:group", group.pk),
        "group-servers": at("nodes:group_servers", group.pk),
        "group-containers": at("nodes:group_containers", group.pk),
        "group-new": at("nodes:create_group"),
        "server": at("nodes:server", 2),
        "server-add": at("nodes:add_server"),
        "server-containers": at("nodes:server_containers", 2),
        "windows-adapters": at("networks:server_adapters", winnie.pk),
        "adapters-delete-vlan": at("networks:delete_vlan", 2, "eth0.100"),
        "network-delete": at("networks:delete", D),
        "intent": at("networks:intent", D),
        "what-if": at("networks:what_if") + "?what=c:2:201",
        "problems": at("networks:problems"),
        "changes": at("networks:changes"),
        "overview": at("home"),
        "search": at("nodes:search") + "?q=20",
        "visibility-group": at("networks:group_visibility", group.pk) + "?state=decided",
        "visibility-explain": at("networks:explain") + "?from=303&to=other+hosts&state=decided",
        "container-network": at("networks:container_network", drafted.pk),
        "container-new-adapter": at("networks:add_interface", drafted.pk),
        "draft": at("networks:draft"),
        "change": at("networks:change", change.pk),
    }
