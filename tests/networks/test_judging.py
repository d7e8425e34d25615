"""Each network's problems are counted when the rules are asked about everything; lists show the numbers."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from networks import problem_check
from networks.domain.state import AddMember, Assign, CreateNetwork, Unassign
from networks.models import Judgement
from tests.networks.changes import decide
from tests.networks.conftest import Scene
from tests.pages.conftest import logged_in

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


def merged(scene: Scene) -> None:
    """Two networks on one wire."""
    decide(
        CreateNetwork(A, "A"),
        CreateNetwork(B, "B"),
        Assign(A, scene.server1.pk, "eth0"),
        Assign(B, scene.server2.pk, "eth0"),
    )


def test_it_stores_what_the_rules_say_and_takes_it_back_when_it_is_mended(scene: Scene) -> None:
    merged(scene)
    problem_check.check()
    found = {str(row.network_id): row for row in Judgement.objects.all()}
    assert found.keys() == {A, B} and all(row.warned == 1 for row in found.values())
    assert found[A].said == "1 warning"
    decide(Unassign(B, scene.server2.pk))
    problem_check.check()
    assert not Judgement.objects.exists()


def test_the_list_says_where_each_network_is_and_what_is_wrong(scene: Scene, viewer: Any) -> None:
    merged(scene)
    decide(AddMember(A, scene.key(scene.server1, "102")), AddMember(A, scene.key(scene.server2, "202")))
    problem_check.check()
    client: Client = logged_in(viewer)
    for name, keys in (("networks:list", []), ("networks:group_networks", [scene.group.pk])):
        text = client.get(reverse(name, args=keys)).text
        assert "server1: eth0" in text and "server2: local" in text and "server2: eth0" in text
        assert "1 refused, 1 warning" in text and "#problems-title" in text
    csv = b"".join(client.get(reverse("networks:list"), {"format": "csv"})).decode()  # type: ignore[arg-type]
    assert csv.startswith("Name,Description,Physical servers,Containers,State,Problems")
    assert '"1 refused, 1 warning"' in csv and "server2: local" in csv


def test_servers_that_one_may_not_see_count_but_are_not_named(scene: Scene, alice: Any) -> None:
    merged(scene)
    decide(AddMember(A, scene.key(scene.server2, "202")))
    text = logged_in(alice).get(reverse("networks:list")).text
    assert "server1" not in text and "server2" not in text and "2 that you may not see" in text
