"""A server is left with nothing of the panel's on it, and runs on."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.choices import OperationState
from networks.engine.hosts import NoAnswer, Reply
from networks.host.answers import Answer
from networks.models import Preparation
from networks.services import forgetting
from networks.services.errors import Conflict, NotAllowed
from tests.networks.changes import planned
from tests.networks.conftest import Scene


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> dict[str, Any]:
    """What the server answers to "forget"."""
    said: dict[str, Any] = {"forget": Reply(0, Answer({"state": "forgotten"})), "asked": 0}

    class Server:
        def __init__(self, server: object) -> None: ...

        def forget(self) -> Reply:
            said["asked"] += 1
            if isinstance(said["forget"], Exception):
                raise said["forget"]
            found: Reply = said["forget"]
            return found

    monkeypatch.setattr(forgetting, "Host", Server)
    Preparation.objects.create(server=scene.server1, script="0" * 64)
    return said


def test_it_forgets_what_it_installed(scene: Scene, admin: Any, answers: dict[str, Any]) -> None:
    forgetting.forget_server(admin, scene.server1)
    assert not Preparation.objects.exists()


def test_a_server_that_is_silent_or_busy_keeps_its_row(
    scene: Scene, admin: Any, answers: dict[str, Any]
) -> None:
    answers["forget"] = NoAnswer("no route", started=False)
    with pytest.raises(Conflict, match="no route"):
        forgetting.forget_server(admin, scene.server1)
    answers["forget"] = Reply(75, Answer({"error": "x is not decided yet"}))
    with pytest.raises(Conflict, match="not decided"):
        forgetting.forget_server(admin, scene.server1)
    assert Preparation.objects.exists()


def test_not_while_a_change_is_under_way(scene: Scene, admin: Any, answers: dict[str, Any]) -> None:
    change = planned(admin, servers=(scene.server1,))
    change.operations.update(state=OperationState.APPLIED)
    with pytest.raises(Conflict, match="under way"):
        forgetting.forget_server(admin, scene.server1)
    assert answers["asked"] == 0


def test_only_an_admin_of_the_group(scene: Scene, operator: Any, answers: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed):
        forgetting.forget_server(operator, scene.server1)
    assert answers["asked"] == 0


def test_it_is_offered_on_the_servers_page_and_when_it_is_removed(
    scene: Scene, admin: Any, client: Client, answers: dict[str, Any]
) -> None:
    client.force_login(admin)
    address = reverse("networks:forget_server", args=[scene.server1.pk])
    assert address in client.get(reverse("nodes:server", args=[scene.server1.pk])).text
    assert (
        f"{address}?then=remove" in client.get(reverse("nodes:remove_server", args=[scene.server1.pk])).text
    )
    assert "runs on" in client.get(address).text
    response = client.post(f"{address}?then=remove")
    assert response["Location"] == reverse("nodes:remove_server", args=[scene.server1.pk])
    assert address not in client.get(reverse("nodes:server", args=[scene.server1.pk])).text


def test_what_went_wrong_is_said(scene: Scene, admin: Any, client: Client, answers: dict[str, Any]) -> None:
    client.force_login(admin)
    answers["forget"] = NoAnswer("no route to host", started=False)
    text = client.post(reverse("networks:forget_server", args=[scene.server1.pk])).text
    assert "no route to host" in text and "Forget this server" in text
