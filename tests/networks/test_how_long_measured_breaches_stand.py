"""A breach that servers measured stands until its pair is measured otherwise, or its servers are changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from networks import tasks
from networks.choices import MeasurementState, OperationState
from networks.models import Change, Decision, Draft, Measurement, NetworkIntent, StandingProblem
from nodes.models import PhysicalServer
from tests.domain.scheme import C, D
from tests.networks.changes import planned, was_decided
from tests.seeded import seed

pytestmark = pytest.mark.django_db

APART = ("c:2:203", "c:2:204", "ip", "no")


@pytest.fixture
def admin(db: None) -> User:
    """The manual's scheme, applied; members of C are meant to see each other, and two were seen apart."""
    seed()
    Draft.objects.all().delete()
    Measurement.objects.all().delete()
    NetworkIntent.objects.create(network_id=C, kind="together")
    measured(APART)
    assert standing()
    return User.objects.get(username="admin")


def measured(*cells: tuple[str, str, str, str], servers: tuple[int, ...] = (2,), network: Any = None) -> None:
    """A measurement that has just ended: (origin, target, layer, answer)."""
    Measurement.objects.create(
        servers=list(servers),
        network=network,
        cells=[[a, b, layer, "yes", answer] for a, b, layer, answer in cells],
        state=MeasurementState.DONE,
        ended_at=timezone.now(),
    )


def standing() -> list[int]:
    """The breaches that stand when they have just been judged."""
    tasks.check_intents()
    return list(StandingProblem.objects.open().filter(cause="breach").values_list("pk", flat=True))


def changed(admin: User, *servers: int, **columns: Any) -> Change:
    """A Change that did something on those servers, decided just now."""
    change = planned(admin, servers=tuple(PhysicalServer.objects.filter(pk__in=servers)))
    change.operations.update(**columns)
    was_decided(change)
    return change


def test_measuring_another_network_or_another_pair_leaves_it(admin: User) -> None:
    before = standing()
    measured(("c:2:205", "c:3:301", "ip", "yes"), servers=(2, 3), network=D)
    measured(("c:2:203", "o:1", "ip", "no"))
    assert standing() == before


def test_a_change_of_other_servers_leaves_it(admin: User) -> None:
    before = standing()
    changed(admin, 3)
    assert standing() == before


def test_a_change_that_left_its_server_out_leaves_it(admin: User) -> None:
    before = standing()
    changed(admin, 2, state=OperationState.LEFT_OUT)
    assert standing() == before


def test_a_wave_of_other_servers_leaves_it(admin: User) -> None:
    before = standing()
    changed(admin, 2, wave=2)
    assert standing() == before


def test_a_change_of_its_server_ends_it_until_it_is_measured_again(admin: User) -> None:
    changed(admin, 2)
    assert not standing()
    measured(APART)
    assert standing()


def test_bringing_its_server_back_to_what_was_decided_ends_it(admin: User) -> None:
    change = planned(admin, servers=(PhysicalServer.objects.get(pk=2),))
    Decision.objects.create(change=change, wave=1, revision=None, decided_at=timezone.now())
    assert not standing()


def test_a_change_of_another_server_of_the_network_ends_it(admin: User) -> None:
    NetworkIntent.objects.create(network_id=D, kind="isolated")
    before = standing()
    measured(("c:2:205", "o:1", "layer2", "yes"))
    assert len(standing()) == 2
    changed(admin, 3)
    assert standing() == before


def test_what_was_measured_otherwise_ends_it_and_what_could_not_be_told_does_not(admin: User) -> None:
    before = standing()
    measured((*APART[:3], "unknown"))
    assert standing() == before
    measured((*APART[:3], "yes"))
    assert not standing()


def test_it_costs_three_queries_and_nothing_computed_where_nothing_was_measured(
    admin: User, django_assert_num_queries: Any
) -> None:
    from networks.desired import head
    from networks.intents import measured_now

    state = head().state
    with django_assert_num_queries(3):
        assert measured_now({C, D}, state)[C]
    Measurement.objects.all().delete()
    with django_assert_num_queries(1):
        assert measured_now({C}, state) == {C: {}}
