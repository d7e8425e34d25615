"""Without broker or worker nothing is lost, pages come, and a Change's page says what it waits for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from networks.choices import ChangeState
from networks.domain.state import CreateNetwork
from networks.models import Change
from networks.services import drafts
from tests.networks.changes import planned
from tests.networks.conftest import Scene

SAYS = "No worker has taken this up yet"


@pytest.fixture(autouse=True)
def no_broker(settings: Any) -> None:
    """The settings name a socket where nobody listens, as in every test; this makes it sure."""
    assert not settings.BROKER_SOCKET.exists()


@pytest.mark.django_db(transaction=True)
def test_a_review_that_nobody_hears_is_kept_and_says_so(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    drafts.stage(operator, [CreateNetwork("6f1c3a1e-0000-4000-8000-000000000001", "A")])
    response = as_operator.post(reverse("networks:review_draft"))
    assert response.status_code == 302
    change = Change.objects.get()
    assert change.state == ChangeState.PLANNING
    page = reverse("networks:change", args=[change.pk])
    assert SAYS not in as_operator.get(page).text
    before = as_operator.get(page, headers={"HX-Request": "true"})["ETag"]
    Change.objects.update(sent_at=timezone.now() - timedelta(seconds=11))
    assert SAYS in as_operator.get(page).text
    poll = as_operator.get(page, headers={"HX-Request": "true", "If-None-Match": before})
    assert poll.status_code == 200 and SAYS in poll.text


def test_one_that_is_worked_on_does_not(scene: Scene, operator: Any, as_operator: Client) -> None:
    change = planned(operator, servers=(scene.server1,))
    now = timezone.now()
    Change.objects.update(
        state=ChangeState.QUEUED, sent_at=now - timedelta(minutes=1), lease_until=now + timedelta(seconds=9)
    )
    assert SAYS not in as_operator.get(reverse("networks:change", args=[change.pk])).text


def test_every_list_comes_without_a_broker(scene: Scene, as_operator: Client) -> None:
    for name in (
        "home",
        "nodes:servers",
        "networks:list",
        "networks:draft",
        "networks:changes",
        "audit",
        "account",
    ):
        assert as_operator.get(reverse(name)).status_code == 200
    assert as_operator.post(reverse("nodes:look", args=[scene.server1.pk])).status_code == 302
