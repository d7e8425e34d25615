"""No rule is broken in the Django admin: desired is written by decisions only, and what it uses stays.

What looks have found is not edited there either (tests/nodes/test_admin.py). What one enters there, the
physical segment of a NIC, can bring warnings; those are seen where the network is shown.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from networks.desired import head
from networks.domain.rules import problems_of
from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan
from networks.inventory_rows import inventory, servers_named
from nodes.models import Adapter, Container, ContainerInterface, PhysicalSegment, PhysicalServer
from tests.networks.changes import decide
from tests.networks.conftest import Scene
from tests.pages.conftest import logged_in

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


def test_no_row_of_desired_is_written_in_the_admin() -> None:
    registered = {model for model in django_admin.site._registry if model._meta.app_label == "networks"}
    writable = {
        model
        for model in registered
        if type(django_admin.site._registry[model]).has_change_permission
        is django_admin.ModelAdmin.has_change_permission
    }
    assert apps.get_app_config("networks") and not writable


@pytest.fixture
def in_use(scene: Scene) -> Scene:
    one = scene.server1
    decide(
        CreateNetwork(A, "A"),
        Assign(A, one.pk, "eth0"),
        AddMember(A, scene.key(one, "102")),
        CreateVlan(scene.server2.pk, "eth0.5", "eth0", 5),
    )
    now = timezone.now()
    Adapter.objects.filter(server=one).update(gone_at=now)
    Container.objects.filter(ctid="102").update(gone_at=now)
    ContainerInterface.objects.filter(container__ctid="102").update(gone_at=now)
    return scene


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (PhysicalServer, {"name": "server1"}),
        (PhysicalServer, {"name": "server2"}),
        (Adapter, {"server__name": "server1"}),
        (Container, {"ctid": "102"}),
        (ContainerInterface, {"container__ctid": "102"}),
    ],
)
@pytest.mark.parametrize("way", ["page", "action"])
def test_what_a_network_uses_is_not_deleted_in_the_admin(
    in_use: Scene, admin: Any, model: Any, found: dict[str, str], way: str
) -> None:
    row = model.objects.get(**found)
    client: Client = logged_in(admin)
    name = f"admin:nodes_{model._meta.model_name}"
    if way == "page":
        client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"})
    else:
        data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        client.post(reverse(f"{name}_changelist") + "?presence=all", data)
    assert model.objects.filter(pk=row.pk).exists()


@pytest.fixture
def joined(scene: Scene) -> Scene:
    one, two = scene.server1, scene.server2
    decide(
        CreateNetwork(A, "A"),
        Assign(A, one.pk, "eth0"),
        Assign(A, two.pk, "eth0"),
        AddMember(A, scene.key(one, "102")),
        AddMember(A, scene.key(two, "201")),
    )
    return scene


@pytest.mark.parametrize(
    ("model", "found", "entered"),
    [
        (ContainerInterface, {"container__ctid": "102"}, {"mode": "host-routed"}),
        (ContainerInterface, {"container__ctid": "102"}, {"addresses_text": "10.77.0.201/24"}),
        (Container, {"ctid": "201"}, {"joined": '[["eth0", "eth1"]]'}),
        (Adapter, {"server__name": "server1"}, {"bond_mode": "6", "kind": "bond"}),
        (PhysicalServer, {"name": "server1"}, {"filters_tags": "False", "os": "windows"}),
    ],
)
def test_what_was_found_is_not_entered_so_that_a_network_breaks_a_rule(
    joined: Scene, admin: Any, model: Any, found: dict[str, str], entered: dict[str, str]
) -> None:
    row = model.objects.get(**found)
    before = {name: getattr(row, name) for name in entered}
    client: Client = logged_in(admin)
    client.post(reverse(f"admin:nodes_{model._meta.model_name}_change", args=[row.pk]), entered)
    row.refresh_from_db()
    assert {name: getattr(row, name) for name in entered} == before


def test_another_segment_is_entered_and_the_split_is_warned_of_where_the_network_is_shown(
    joined: Scene, admin: Any
) -> None:
    client: Client = logged_in(admin)
    hall = PhysicalSegment.objects.create(name="the other hall")
    nic = joined.eth0(joined.server2)
    client.post(reverse("admin:nodes_adapter_change", args=[nic.pk]), {"segment": hall.pk})
    state = head().state
    assert "split" in {p.code for p in problems_of(state, inventory(servers_named(state)))}
    assert "A is split" in client.get(reverse("networks:detail", args=[A])).text
