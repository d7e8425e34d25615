"""The page of a Change over many servers: how they go, who is left out, one wave open at a time."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.domain.state import Assign, CreateNetwork
from networks.models import Change
from nodes.models import PhysicalServer
from tests.networks.changes import planned, was_decided
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"


@pytest.fixture
def many(scene: Scene, operator: Any) -> Change:
    """A reviewed Change of sixty servers, of which the last could not be reached."""
    servers = [
        PhysicalServer.objects.create(name=f"node{n:02}", group=scene.group, address=f"10.9.0.{n}")
        for n in range(60)
    ]
    edits = [CreateNetwork(A, "A"), *(Assign(A, server.pk, None) for server in servers)]
    change = planned(operator, *edits, servers=tuple(servers), width=20)
    change.operations.filter(server=servers[-1]).update(is_unreachable=True, refusals=["node59: no route"])
    return change


def page(client: Client, change: Change, query: str = "") -> str:
    return client.get(reverse("networks:change", args=[change.pk]) + query).text


def test_the_review_asks_how_they_go_and_shows_a_part_of_them(many: Change, as_operator: Client) -> None:
    text = page(as_operator, many)
    assert "One server first, then 20 at a time" in text
    assert "servers at once" not in text, "sixty are too many for one wave"
    assert "node00</h2>" in text and "node55</h2>" not in text
    assert "node55</h2>" in page(as_operator, many, "?wave=2")
    assert "node00</h2>" in page(as_operator, many, "?wave=nonsense")


def test_a_server_that_was_not_reached_can_be_left_out_by_a_tick(many: Change, as_operator: Client) -> None:
    last = many.operations.get(is_unreachable=True)
    text = page(as_operator, many)
    assert "Leave node59 out." in text and f'name="leave_out" value="{last.server_id}"' in text
    apply = reverse("networks:apply_change", args=[many.pk])
    assert "no route" in as_operator.post(apply, {"width": "5"}, follow=True).text
    as_operator.post(apply, {"width": "5", "leave_out": [str(last.server_id), "x"]})
    many.refresh_from_db()
    assert (many.state, many.width) == (ChangeState.QUEUED, 5)
    assert many.operations.get(is_unreachable=True).state == OperationState.LEFT_OUT
    assert [many.operations.filter(wave=n).count() for n in (1, 2, 13)] == [1, 5, 4]


@pytest.mark.parametrize("width", ["0", "51", "-3", "many"])
def test_a_width_that_was_not_offered_is_refused_or_passed_over(
    many: Change, as_operator: Client, width: str
) -> None:
    many.operations.filter(is_unreachable=True).delete()
    response = as_operator.post(
        reverse("networks:apply_change", args=[many.pk]), {"width": width}, follow=True
    )
    many.refresh_from_db()
    if width.isdecimal():
        assert "At most 50 servers" in response.text and many.state == ChangeState.PLANNED
    else:
        assert (many.state, many.width) == (ChangeState.QUEUED, 20)


def test_the_wave_under_way_is_open_and_the_others_are_lines(many: Change, as_operator: Client) -> None:
    Change.objects.update(state=ChangeState.APPLYING, width=20)
    for number, operation in enumerate(many.operations.order_by("server_name")):
        wave = 1 if number == 0 else 2 if number < 30 else 3
        state = OperationState.DONE if wave == 1 else OperationState.QUEUED
        many.operations.filter(pk=operation.pk).update(wave=wave, state=state)
    many.operations.filter(server_name="node05").update(state=OperationState.APPLYING)
    was_decided(many, 1)
    Change.objects.update(decided_at=None)
    with CaptureQueriesContext(connection) as queries:
        text = page(as_operator, many)
    assert len(queries) < 25
    for words in ("Wave 1: the first server", "1 done", "decided", "30 queued", "1 applying"):
        assert words in text, words
    assert "node05</h2>" in text and "node45</h2>" not in text and "node00</h2>" not in text
    asked = page(as_operator, many, "?wave=3")
    assert "node45</h2>" in asked
    # The poll keeps to the wave that was asked for.
    assert f'hx-get="{reverse("networks:change", args=[many.pk])}?wave=3"' in asked


def test_who_is_in_trouble_is_named_in_the_line_of_the_wave(many: Change, as_operator: Client) -> None:
    many.operations.update(state=OperationState.ROLLED_BACK)
    many.operations.filter(server_name__gte="node30").update(wave=2, state=OperationState.CANCELLED)
    many.operations.filter(server_name="node07").update(state=OperationState.FAILED)
    Change.objects.update(state=ChangeState.PARTLY)
    text = page(as_operator, many)
    line = text.split('aria-label="Waves"')[1].split("</nav>")[0]
    assert "node07" in line and "node08" not in line
    assert "30 not begun" in line
    assert "The rest into the draft" in text


def test_a_server_in_doubt_says_when_its_dead_man_fires(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    change = planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.BEHIND)
    at = timezone.now()
    change.operations.update(state=OperationState.IN_DOUBT, deadline_at=at)
    assert f"its dead-man fires at {at:%H:%M:%S} unless confirmed" in page(as_operator, change)
