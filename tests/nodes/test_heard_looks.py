"""Looks that servers took together with something else that they were told: stored like any other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from nodes import observe, sync
from nodes.choices import ServerState
from nodes.models import Look, PhysicalServer, ServerGroup
from nodes.observe import Heard, Words, store_heard
from nodes.signals import looked
from nodes.sync import Ours
from tests.facts.test_captured_answers import CASES, LOOK_NONCE

pytestmark = pytest.mark.django_db(transaction=True)
OURS = Ours(vlans=frozenset(), bridges=frozenset())


def heard(name: str = "lab-server1", cut: int | None = None) -> Heard:
    words = Path(CASES / "look" / f"{name}.txt").read_bytes()[:cut]
    return Heard(Words(words, LOOK_NONCE, 12, 0), timezone.now())


@pytest.fixture
def servers(group: ServerGroup) -> list[PhysicalServer]:
    return [
        PhysicalServer.objects.create(name=f"server{n}", group=group, address=f"192.0.2.{n}") for n in (1, 2)
    ]


def test_they_are_stored_and_told_of_together(servers: list[PhysicalServer]) -> None:
    told: list[list[int]] = []

    def listen(looks: Any, **more: Any) -> None:
        told.append([look.server_id for look in looks])

    looked.connect(listen)
    try:
        found = store_heard({one: (heard(), OURS) for one in servers})
    finally:
        looked.disconnect(listen)
    assert told == [[one.pk for one in servers]] and set(found) == set(told[0])
    assert set(PhysicalServer.objects.values_list("state", flat=True)) == {ServerState.OK}
    assert set(Look.objects.values_list("duration_ms", flat=True)) == {12}


def test_words_that_are_no_look_harm_no_other_server(servers: list[PhysicalServer]) -> None:
    first, second = servers
    found = store_heard({first: (heard(cut=500), OURS), second: (heard(), OURS)})
    assert list(found) == [second.pk]
    assert Look.objects.get().server == second


def test_what_cannot_be_stored_is_left_to_a_look_of_its_own(
    servers: list[PhysicalServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(looks: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(sync, "store_many", full)
    assert store_heard({one: (heard(), OURS) for one in servers}) == {}


def test_a_later_look_is_not_replaced(servers: list[PhysicalServer]) -> None:
    first, _ = servers
    newest = timezone.now() + timedelta(seconds=5)
    facts = observe.understood(heard().words).facts
    sync.store(first.pk, facts, sync.Timing(newest, 1, 0))
    store_heard({first: (heard(), OURS)})
    assert Look.objects.get().at == newest
