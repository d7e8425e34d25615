"""A server that is left out of a repair is brought forward when it answers, and then it is behind no more."""

from __future__ import annotations

from typing import Any

import pytest

from networks.choices import ChangeState
from networks.desired import head
from networks.domain.state import Assign, CreateNetwork
from networks.engine import sweeper
from networks.engine.runner import run_change
from networks.models import Behind, Change
from networks.services import changes
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene
from tests.networks.fleet_of_fakes import Fakes
from tests.networks.test_behind import (
    A,
    Servers,
    fakes,  # noqa: F401 -- a fixture
    later,
    server2_as_before,
    servers,  # noqa: F401 -- a fixture
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def repaired(scene: Scene, operator: Any, servers: Servers, fakes: Fakes) -> Change:  # noqa: F811
    """A repair of both servers, done without server2, which had not answered."""
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), Assign(A, scene.server2.pk, "eth0"))
    servers.facts = server2_as_before()
    here = (scene.server1, scene.server2)
    change = planned(operator, servers=here, repairs=[server.pk for server in here])
    Change.objects.filter(pk=change.pk).update(edits="[]")
    change.operations.filter(server=scene.server2).update(is_unreachable=True, refusals=["no route"])
    change.refresh_from_db()
    changes.apply_change(operator, change, (), leave_out=[scene.server2.pk])
    run_change(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.BEHIND
    return change


def test_it_is_behind_what_was_decided_before(repaired: Change) -> None:
    behind = Behind.objects.get()
    assert behind.missed == behind.followed == head().number == 1


def test_it_is_brought_forward_once(repaired: Change, servers: Servers) -> None:  # noqa: F811
    with later(10):
        sweeper.sweep()
        servers.work()
    assert not Behind.objects.exists()
    repaired.refresh_from_db()
    assert repaired.state == ChangeState.DONE
