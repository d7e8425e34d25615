"""Parts of pages that are asked for again and again: an empty answer while they stay the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from nodes.choices import HostKeyState
from nodes.models import HostKey, PhysicalServer
from tests.networks.conftest import Scene

HTMX = {"HTTP_HX_REQUEST": "true"}
pytestmark = pytest.mark.django_db


def addresses(server: PhysicalServer) -> list[str]:
    return [
        reverse("networks:problem_count"),
        reverse("health"),
        reverse("nodes:host_key", args=[server.pk]),
        reverse("nodes:preflight", args=[server.pk]),
        reverse("networks:measure_server", args=[server.pk]),
    ]


def test_each_answers_nothing_new_by_304(admin_client: Client, scene: Scene) -> None:
    for address in addresses(scene.server1):
        first = admin_client.get(address, **HTMX)  # type: ignore[arg-type]
        assert first.status_code == 200, address
        assert {"private", "no-cache"} <= set(first["Cache-Control"].split(", "))
        again = admin_client.get(address, HTTP_IF_NONE_MATCH=first["ETag"], **HTMX)  # type: ignore[arg-type]
        assert (again.status_code, again.content) == (304, b""), address


def test_what_changed_is_answered_in_full(admin_client: Client, scene: Scene) -> None:
    address = reverse("nodes:preflight", args=[scene.server1.pk])
    first = admin_client.get(address, **HTMX)  # type: ignore[arg-type]
    PhysicalServer.objects.update(state="unreachable", state_reason="No route to host.")
    again = admin_client.get(address, HTTP_IF_NONE_MATCH=first["ETag"], **HTMX)  # type: ignore[arg-type]
    assert again.status_code == 200 and again.content != first.content


def test_a_page_as_a_whole_is_never_taken_for_its_part(admin_client: Client, scene: Scene) -> None:
    address = reverse("nodes:preflight", args=[scene.server1.pk])
    etag = admin_client.get(address, **HTMX)["ETag"]  # type: ignore[arg-type]
    page: Any = admin_client.get(address, HTTP_IF_NONE_MATCH=etag)
    assert page.status_code == 200 and b"<html" in page.content


def parts_that_show_a_look(client: Client, server: PhysicalServer) -> dict[str, str]:
    """Whatever asks again every second until the look has answered."""
    names = ("nodes:server", "nodes:server_state", "nodes:preflight")
    pages = {name: client.get(reverse(name, args=[server.pk])).text for name in names}
    return {name: text for name, text in pages.items() if 'hx-trigger="every 1s"' in text}


def test_a_look_that_was_asked_for_is_waited_for(admin_client: Client, scene: Scene) -> None:
    PhysicalServer.objects.update(look_requested_at=timezone.now())
    assert len(parts_that_show_a_look(admin_client, scene.server1)) == 3
    PhysicalServer.objects.update(looked_at=timezone.now())
    assert parts_that_show_a_look(admin_client, scene.server1) == {}


def test_a_look_at_a_server_disabled_since_it_was_asked_for_is_not_waited_for(
    admin_client: Client, scene: Scene
) -> None:
    PhysicalServer.objects.update(look_requested_at=timezone.now())
    waiting = admin_client.get(reverse("nodes:server_state", args=[scene.server1.pk]))
    PhysicalServer.objects.update(is_enabled=False)
    assert parts_that_show_a_look(admin_client, scene.server1) == {}
    address = reverse("nodes:server_state", args=[scene.server1.pk]) + "?was=looking"
    answer = admin_client.get(address, HTTP_IF_NONE_MATCH=waiting["ETag"])
    assert answer.status_code == 200 and answer["HX-Refresh"] == "true"


def test_approving_the_host_key_of_a_disabled_server_waits_for_no_look(
    admin_client: Client, scene: Scene
) -> None:
    server = scene.server1
    PhysicalServer.objects.update(is_enabled=False)
    key = HostKey.objects.create(server=server, key_type="x", base64="AA", sha256="SHA256:x")
    body = {"decision": "approve", "sha256": key.sha256}
    admin_client.post(reverse("nodes:host_key", args=[server.pk]), body)
    key.refresh_from_db()
    server.refresh_from_db()
    assert (key.state, server.look_requested_at) == (HostKeyState.PINNED, None)
    assert parts_that_show_a_look(admin_client, server) == {}
    PhysicalServer.objects.update(is_enabled=True)
    assert parts_that_show_a_look(admin_client, server) == {}


def test_a_look_that_is_refused_takes_the_page_back_and_not_a_page_into_its_part(
    admin_client: Client, scene: Scene
) -> None:
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(is_enabled=False)
    address = reverse("nodes:server", args=[scene.server1.pk])
    answer: Any = admin_client.post(reverse("nodes:look", args=[scene.server1.pk]), **HTMX)  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers.get("HX-Redirect")) == (200, address)
    page = admin_client.get(address).text
    assert "server1 is disabled. Enable it first." in page
    assert re.search(r"<button[^>]* disabled[^>]*>(?:(?!</button>).)*Look now", page)
    assert "Disabled: it is not looked at." in page
