"""A server that settles a change looks in the same breath; what it saw is stored at the end of the Change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.engine import operation as steps
from networks.engine import runner
from networks.engine.comparing import differences_heard
from networks.host import script_digest
from networks.models import Change, Preparation
from nodes.models import PhysicalServer
from nodes.observe import Heard, Words
from tests.facts.test_captured_answers import CASES, LOOK_NONCE
from tests.networks.changes import planned
from tests.networks.conftest import Scene
from tests.networks.fleet_of_fakes import SILENT, Fakes, fake

pytestmark = pytest.mark.django_db(transaction=True)
SEEN = Heard(Words(b"", "0" * 32, 1, 0), datetime(2026, 11, 29, tzinfo=UTC))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    monkeypatch.setattr(steps, "POLL_S", 0.01)
    fakes = fake(monkeypatch)
    fakes.heard, fakes.follows = SEEN, "agrees"
    return fakes


def run(scene: Scene, operator: Any, *, guarded: bool = False) -> Change:
    change = Change.objects.get(pk=planned(operator, servers=(scene.server1,)).pk)
    Change.objects.update(state=ChangeState.QUEUED, sent_at=timezone.now(), edits="[]")
    change.operations.update(state=OperationState.QUEUED, is_guarded=guarded)
    Preparation.objects.create(server=scene.server1, script=script_digest())
    runner.run_change(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.DONE, change.result
    return change


def test_it_is_compared_by_what_it_saw_and_not_asked_again(scene: Scene, operator: Any, fakes: Fakes) -> None:
    run(scene, operator)
    assert fakes.compared == [("server1", SEEN)]
    assert [verb for _, verb in fakes.told] == ["apply", "settle and look"]


def test_what_it_saw_before_vzctl_had_followed_does_not_count(
    scene: Scene, operator: Any, fakes: Fakes
) -> None:
    fakes.follows = "differs"
    run(scene, operator)
    assert fakes.compared == [("server1", None)]
    assert fakes.verbs("follow") == ["server1"]


def test_where_no_answer_came_it_is_only_told_to_settle(scene: Scene, operator: Any, fakes: Fakes) -> None:
    fakes.faults["server1", "settle and look"] = SILENT
    run(scene, operator)
    assert fakes.verbs("settle") == ["server1"]
    assert fakes.compared == [("server1", None)]


def test_a_guarded_one_is_looked_at_by_itself(scene: Scene, operator: Any, fakes: Fakes) -> None:
    run(scene, operator, guarded=True)
    assert fakes.verbs("settle and look") == []


def test_of_many_servers_the_looks_are_compared_with_one_reading_of_what_is_known(
    scene: Scene, operator: Any, django_assert_max_num_queries: Any
) -> None:
    words = (CASES / "look/lab-server1.txt").read_bytes()
    servers = [
        PhysicalServer.objects.create(name=f"s{n}", group=scene.server1.group, address=f"192.0.2.{n}")
        for n in range(20, 40)
    ]
    change = planned(operator, servers=tuple(servers))
    operations = list(change.operations.select_related("server"))
    for one in operations:
        one.change = change
    look = Heard(Words(words, LOOK_NONCE, 1, 0), timezone.now())
    with django_assert_max_num_queries(60):
        texts = differences_heard(dict.fromkeys(operations, look))
    assert texts == dict.fromkeys(operations, "")
