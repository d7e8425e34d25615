"""What was stored before the panel's clock was set back does not keep it from looking at servers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from nodes import sync, tasks
from nodes.choices import ServerState
from nodes.models import Look, PhysicalSegment, PhysicalServer, ServerGroup
from nodes.observe import CLAIM
from nodes.sync import Timing
from tests.nodes import scene
from tests.set_back import ahead
from vnetpanel.clock import SLACK, bring_back

pytestmark = pytest.mark.django_db


def due() -> list[int]:
    """Servers that the schedule would look at now."""
    answering, silent = tasks.take_due()
    return sorted([*answering, *silent])


def look(server: PhysicalServer) -> bool:
    """A look that begins now; whether what it found is stored."""
    return sync.store(server.pk, scene.server((), scene.nic()), Timing(timezone.now())).is_stored


def test_servers_are_due_again(group: ServerGroup) -> None:
    servers = [PhysicalServer.objects.create(name=f"n{n}", group=group, address="192.0.2.1") for n in (1, 2)]
    with ahead(hours=1):
        assert due() == [server.pk for server in servers]
    assert due() == []
    bring_back()
    assert due() == [server.pk for server in servers]


def test_a_look_that_was_asked_for_is_sent_again_and_no_page_waits_for_it(
    server: PhysicalServer, physical_network: PhysicalSegment
) -> None:
    with ahead(hours=1):
        look(server)
        PhysicalServer.objects.update(look_requested_at=timezone.now())
    bring_back()
    assert look(server)
    server.refresh_from_db()
    assert not server.awaits_look
    PhysicalServer.objects.update(next_look_at=timezone.now() + timedelta(minutes=1))
    with ahead(seconds=11):
        assert due() == [server.pk]


def test_the_claim_of_a_worker_that_died_runs_out_when_it_would_have(server: PhysicalServer) -> None:
    with ahead(hours=1):
        PhysicalServer.objects.update(look_claimed_until=timezone.now() + CLAIM)
    now = timezone.now()
    bring_back()
    until = PhysicalServer.objects.values_list("look_claimed_until", flat=True).get()
    assert until is not None and now + CLAIM <= until < now + CLAIM + SLACK
    assert due() == []
    with ahead(seconds=46):
        assert due() == [server.pk]


def test_what_a_look_finds_is_stored(server: PhysicalServer, physical_network: PhysicalSegment) -> None:
    with ahead(hours=1):
        assert look(server)
    assert not look(server)
    bring_back()
    assert look(server)
    assert Look.objects.get().at <= timezone.now()


def test_that_a_server_does_not_answer_is_stored(
    server: PhysicalServer, physical_network: PhysicalSegment
) -> None:
    with ahead(hours=1):
        look(server)
    assert not sync.store_failure(server.pk, ServerState.UNREACHABLE, "no route", timezone.now())
    bring_back()
    assert sync.store_failure(server.pk, ServerState.UNREACHABLE, "no route", timezone.now())


def test_a_look_that_began_before_is_overtaken_by_the_next(
    server: PhysicalServer, physical_network: PhysicalSegment
) -> None:
    with ahead(hours=1):
        began = timezone.now()
    bring_back()
    assert sync.store(server.pk, scene.server((), scene.nic()), Timing(began)).is_stored
    bring_back()
    assert look(server)


def test_times_that_can_be_true_stay_as_they_are(
    server: PhysicalServer, physical_network: PhysicalSegment
) -> None:
    look(server)
    now = timezone.now()
    PhysicalServer.objects.update(
        next_look_at=now + sync.LONGEST_WAIT, look_claimed_until=now + CLAIM, look_requested_at=now
    )
    before = list(PhysicalServer.objects.values())
    bring_back()
    assert list(PhysicalServer.objects.values()) == before


def test_no_look_is_due_later_than_the_longest_wait(server: PhysicalServer) -> None:
    now = timezone.now()
    waits = [sync.next_look(pk, now) - now for pk in range(1000)]
    assert max(waits) <= sync.LONGEST_WAIT < max(waits) + timedelta(seconds=1)
