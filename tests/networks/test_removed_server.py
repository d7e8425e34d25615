"""A server may go when nothing uses it any more; what was changed on it stays told."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from networks.choices import ChangeState, OperationState
from networks.domain.state import AddMember, Assign, CreateNetwork
from networks.models import Change
from nodes import services
from nodes.models import PhysicalServer
from nodes.services import ServiceError
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"


def test_a_server_of_an_ended_change_can_be_removed(scene: Scene, operator: Any, admin: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.DONE)
    change.operations.update(state=OperationState.DONE)
    services.remove_server(admin, scene.server1)
    operation = change.operations.get()
    assert operation.server is None
    assert operation.server_name == "server1"


def test_a_server_under_a_change_stays(scene: Scene, operator: Any, admin: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    change.operations.update(state=OperationState.APPLIED)
    with pytest.raises(ServiceError, match="in use"):
        services.remove_server(admin, scene.server1)


@pytest.mark.parametrize("what", ["assignment", "member"])
def test_a_server_with_a_network_on_it_stays(scene: Scene, admin: Any, what: str) -> None:
    here = Assign(A, scene.server1.pk, "eth0")
    if what == "member":
        here = AddMember(A, scene.key(scene.server1, "102"))
    decide(CreateNetwork(A, "A"), here)
    with pytest.raises(ServiceError, match="in use"):
        services.remove_server(admin, scene.server1)


@pytest.mark.parametrize("by_list", [False, True])
def test_the_administration_says_why_a_server_under_a_change_stays(
    scene: Scene, operator: Any, client: Client, admin: Any, by_list: bool
) -> None:
    change = planned(operator, servers=(scene.server1,))
    change.operations.update(state=OperationState.APPLIED)
    client.force_login(admin)
    url, data = reverse("admin:nodes_physicalserver_delete", args=[scene.server1.pk]), {"post": "yes"}
    if by_list:
        url = reverse("admin:nodes_physicalserver_changelist")
        data |= {"action": "delete_selected", "_selected_action": str(scene.server1.pk)}
    answer = client.post(url, data, follow=True)
    assert answer.redirect_chain and answer.status_code == 200
    assert "The physical server server1 is in use and stays: " in answer.text
    assert PhysicalServer.objects.filter(pk=scene.server1.pk).exists()
    assert not LogEntry.objects.exists()
