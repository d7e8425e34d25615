"""Drift on the pages: listed with desired and found, counted in lists, repaired or adopted by ticks."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from networks.domain.state import AddMember, CreateNetwork, RemoveMember
from networks.models import Change, Drift
from networks.services import drafts
from networks.state_json import dump_edits
from nodes.models import PhysicalServer
from tests.networks.changes import decide, drifted
from tests.networks.conftest import Scene
from tests.pages.conftest import logged_in

A = "6f1c3a1e-0000-4000-8000-000000000001"


@pytest.fixture
def drift(scene: Scene) -> Drift:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), AddMember(A, key))
    return drifted(scene.server1, network_id=A, adopt=dump_edits([RemoveMember(key)]))


def test_it_is_shown_where_the_server_and_the_network_are_shown(
    drift: Drift, scene: Scene, as_operator: Any
) -> None:
    here = scene.server1.pk
    assert (
        "1 thing differs from what was decided"
        in as_operator.get(reverse("nodes:server", args=[here])).content.decode()
    )
    for address in (
        reverse("networks:server_drift", args=[here]),
        reverse("networks:drift"),
        reverse("networks:detail", args=[A]),
    ):
        page = as_operator.get(address).content.decode()
        assert "Container 102 eth0" in page and "in no bridge" in page and "in vn-a" in page, address
    for address in (
        reverse("nodes:servers"),
        reverse("networks:list"),
        reverse("networks:server_networks", args=[here]),
    ):
        assert "1 differs" in as_operator.get(address).content.decode(), address


def test_an_untouched_server_says_so(scene: Scene, as_operator: Any) -> None:
    page = as_operator.get(reverse("networks:server_drift", args=[scene.server1.pk])).content.decode()
    assert "server1 is as it was decided" in page


def test_ticking_and_repairing_leads_to_a_review(drift: Drift, scene: Scene, as_operator: Any) -> None:
    response = as_operator.post(reverse("networks:repair_drift"), {"drift": [drift.pk]})
    change = Change.objects.get()
    assert response.url == reverse("networks:change", args=[change.pk])
    assert change.repairs == [scene.server1.pk]


def test_ticking_and_adopting_leads_to_the_draft(drift: Drift, operator: Any, as_operator: Any) -> None:
    response = as_operator.post(reverse("networks:adopt_drift"), {"drift": [drift.pk]})
    assert response.url == reverse("networks:draft")
    assert len(drafts.edits_of(drafts.draft_of(operator))) == 1


@pytest.mark.parametrize("name", ["networks:repair_drift", "networks:adopt_drift"])
def test_nothing_ticked_or_nothing_left_says_so(
    drift: Drift, scene: Scene, as_operator: Any, name: str
) -> None:
    back = reverse("networks:server_drift", args=[scene.server1.pk])
    response = as_operator.post(reverse(name), {"from": scene.server1.pk}, follow=True)
    assert response.redirect_chain[0][0] == back and "Tick what" in response.content.decode()
    Drift.objects.update(ended_at=timezone.now())
    response = as_operator.post(reverse(name), {"drift": [drift.pk]}, follow=True)
    assert "does not differ any more" in response.content.decode()
    assert as_operator.get(reverse(name)).status_code == 405


@pytest.mark.parametrize("name", ["networks:repair_drift", "networks:adopt_drift"])
def test_a_viewer_sees_it_and_mends_nothing(drift: Drift, as_viewer: Any, name: str) -> None:
    page = as_viewer.get(reverse("networks:drift")).content.decode()
    assert "Container 102 eth0" in page and 'name="drift"' not in page
    assert as_viewer.post(reverse(name), {"drift": [drift.pk]}).status_code == 403
    assert not Change.objects.exists()


def test_foreign_drift_is_not_there(drift: Drift, alice: Any, scene: Scene) -> None:
    client = logged_in(alice)
    assert "Container 102" not in client.get(reverse("networks:drift")).content.decode()
    assert client.get(reverse("networks:server_drift", args=[scene.server1.pk])).status_code == 404
    client.post(reverse("networks:repair_drift"), {"drift": [drift.pk]})
    assert not Change.objects.exists()


def test_a_thousand_of_them_take_six_queries(drift: Drift, scene: Scene, as_operator: Any) -> None:
    now = timezone.now()
    Drift.objects.bulk_create(
        Drift(
            server=scene.server1, network_id=A, kind="interface", ctid=str(n), name="eth0",
            property_name="port", link=f"veth{n}.0", observed="in no bridge", first_seen_at=now, seen_at=now,
        )
        for n in range(1000, 2000)
    )  # fmt: skip
    for address in (
        reverse("networks:drift"),
        reverse("networks:drift") + "?q=veth1&page=3&sort=-server",
        reverse("networks:server_drift", args=[scene.server1.pk]),
        reverse("networks:list"),
        reverse("nodes:servers"),
    ):
        with CaptureQueriesContext(connection) as queries:
            assert as_operator.get(address).status_code == 200
        assert len(queries) <= 6, [query["sql"][:150] for query in queries]


def test_what_the_next_boot_would_lose_is_shown_with_what_to_do(
    drift: Drift, scene: Scene, as_operator: Any
) -> None:
    boot = {"replay": "missing", "keeps": [["bridge", "vn-a", "-"]], "ports": [], "dhcp": [], "hook": True}
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(boot=boot | {"off": []})
    for address in (
        reverse("networks:server_drift", args=[scene.server1.pk]),
        reverse("networks:detail", args=[A]),
    ):
        page = as_operator.get(address).content.decode()
        assert "would lose Virtual Network A at its next boot" in page and "Apply any change" in page


def test_it_passes_over_numbers_that_no_database_counts_to(as_operator: Any) -> None:
    answer = as_operator.post(reverse("networks:repair_drift"), {"drift": ["9" * 30, "٣"], "from": "9" * 30})

    assert answer.status_code == 302
    assert answer["Location"] == reverse("networks:drift")
