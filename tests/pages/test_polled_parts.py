"""Parts of pages that are asked for again and again: an empty answer while they stay the same."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nodes.models import PhysicalServer
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
