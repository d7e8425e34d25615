"""The manual's servers 1 and 2 as inventory rows, for tests of drafts, Changes and their pages."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from django.utils import timezone

from networks.domain.state import InterfaceKey
from nodes.choices import AdapterKind, ContainerStatus, InterfaceMode, Role, ServerOS, ServerState
from nodes.models import (
    Adapter,
    Container,
    ContainerInterface,
    GroupRole,
    PhysicalSegment,
    PhysicalServer,
    ServerGroup,
)


@dataclass(frozen=True)
class Scene:
    """Two Linux servers with one NIC each, a Windows one, and containers as the manual draws them."""

    group: ServerGroup
    server1: PhysicalServer
    server2: PhysicalServer
    windows: PhysicalServer

    def eth0(self, server: PhysicalServer) -> Adapter:
        return Adapter.objects.get(server=server, name="eth0")

    def key(self, server: PhysicalServer, ctid: str, ifname: str = "eth0") -> InterfaceKey:
        return InterfaceKey(server.pk, ctid, ifname)


def make_server(group: ServerGroup, segment: PhysicalSegment, name: str, address: str) -> PhysicalServer:
    """A Linux server with eth0 that was seen just now."""
    server = PhysicalServer.objects.create(
        name=name,
        group=group,
        address=address,
        state=ServerState.OK,
        vzctl_dialect="4",
        seen_at=timezone.now(),
    )
    Adapter.objects.create(
        server=server,
        name="eth0",
        kind=AdapterKind.NIC,
        mac="02:00:00:00:00:01",
        mtu=1500,
        is_up=True,
        is_management=True,
        segment=segment,
        addresses_text=f"{address}/24",
    )
    return server


def make_container(server: PhysicalServer, ctid: str, *interfaces: str) -> Container:
    """A running container with bridged interfaces; "venet0" is host-routed."""
    container = Container.objects.create(
        server=server, ctid=ctid, name=f"ct{ctid}", status=ContainerStatus.RUNNING
    )
    for number, ifname in enumerate(interfaces):
        routed = ifname.startswith("venet")
        ContainerInterface.objects.create(
            container=container,
            ifname=ifname,
            mode=InterfaceMode.HOST_ROUTED if routed else InterfaceMode.BRIDGED,
            mac="" if routed else f"00:18:51:00:{int(ctid) % 100:02x}:{number:02x}",
            host_ifname="" if routed else f"veth{ctid}.{number}",
            addresses_text=f"10.77.0.{int(ctid) % 256}/24",
            addresses_known=True,
        )
    return container


@pytest.fixture
def scene(db: None) -> Scene:
    segment, _ = PhysicalSegment.objects.get_or_create(is_default=True, defaults={"name": "physical network"})
    group = ServerGroup.objects.create(name="Lab")
    server1 = make_server(group, segment, "server1", "10.77.0.11")
    server2 = make_server(group, segment, "server2", "10.77.0.12")
    windows = PhysicalServer.objects.create(
        name="winnie", group=group, address="10.77.0.66", os=ServerOS.WINDOWS
    )
    make_container(server1, "101", "venet0")
    make_container(server1, "102", "eth0")
    make_container(server1, "103", "eth0")
    make_container(server2, "201", "eth0", "eth1")
    make_container(server2, "202", "eth0")
    return Scene(group, server1, server2, windows)


def with_role(users: Any, name: str, group: ServerGroup, role: Role) -> Any:
    """A user with that role in the group."""
    user = users.objects.create_user(name, password="correct-horse-battery")
    GroupRole.objects.create(user=user, group=group, role=role)
    return user


@pytest.fixture
def operator(django_user_model: Any, scene: Scene) -> Any:
    """A user who may operate the servers of the scene."""
    return with_role(django_user_model, "otto", scene.group, Role.OPERATOR)


@pytest.fixture
def viewer(django_user_model: Any, scene: Scene) -> Any:
    """A user who may see the servers of the scene."""
    return with_role(django_user_model, "vera", scene.group, Role.VIEWER)


@pytest.fixture
def network_id() -> str:
    """The id of a network that a test makes."""
    return str(uuid.uuid4())
