"""The tree's filter finds what is in the tree."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from nodes.models import Container
from tests.networks.conftest import Scene
from tests.pages.test_access import foreign

__all__ = ["foreign"]


def test_a_container_is_found_with_its_server(
    scene: Scene, as_viewer: Client, foreign: dict[str, int]
) -> None:
    container = Container.objects.get(ctid="202")
    for text in ("202", "ct202"):
        answer = as_viewer.get(reverse("nodes:tree"), {"q": text}).text
        assert reverse("nodes:container", args=[container.pk]) in answer and "server2" in answer
    assert "Nothing matches" in as_viewer.get(reverse("nodes:tree"), {"q": "901"}).text


def test_a_server_with_more_containers_than_are_listed_leads_to_all(scene: Scene, as_viewer: Client) -> None:
    address = reverse("nodes:server_containers", args=[scene.server1.pk])
    level = reverse("nodes:tree_server", args=[scene.server1.pk])
    assert address not in as_viewer.get(level).text
    rows = [Container(server=scene.server1, ctid=str(ctid)) for ctid in range(1000, 1200)]
    Container.objects.bulk_create(rows)
    assert address in as_viewer.get(level).text
