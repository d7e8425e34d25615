"""A server that settles or confirms a change looks in the same breath; what it saw is stored and compared."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.engine import operation as steps
from networks.engine import runner
from networks.engine.comparing import differences_heard
from networks.engine.hosts import Host
from networks.host import script_digest
from networks.models import Behind, Change, DriftCheck, Preparation
from nodes import observe
from nodes.commands import Command
from nodes.models import PhysicalServer
from nodes.observe import Heard, Words
from nodes.ssh import Completed
from tests.facts.test_captured_answers import CASES, LOOK_NONCE
from tests.networks.changes import planned
from tests.networks.conftest import Scene
from tests.networks.fleet_of_fakes import BUSY, SILENT, Fakes, fake

pytestmark = pytest.mark.django_db(transaction=True)
SEEN = Heard(Words(b"", "0" * 32, 1, 0), datetime(2026, 11, 29, tzinfo=UTC))


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    monkeypatch.setattr(steps, "POLL_S", 0.01)
    fakes = fake(monkeypatch)
    fakes.look_begins, fakes.follows = (lambda: SEEN), "agrees"
    return fakes


def run(
    scene: Scene,
    operator: Any,
    *,
    guarded: bool = False,
    prepared: bool = True,
    state: ChangeState = ChangeState.DONE,
) -> Change:
    change = Change.objects.get(pk=planned(operator, servers=(scene.server1,)).pk)
    Change.objects.update(state=ChangeState.QUEUED, sent_at=timezone.now(), edits="[]")
    change.operations.update(state=OperationState.QUEUED, is_guarded=guarded)
    if prepared:
        Preparation.objects.create(server=scene.server1, script=script_digest())
    runner.run_change(change.pk)
    change.refresh_from_db()
    assert change.state == state, change.result
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


def test_a_guarded_one_is_compared_by_what_it_saw_at_both_confirmations(
    scene: Scene, operator: Any, fakes: Fakes
) -> None:
    run(scene, operator, guarded=True)
    assert [verb for _, verb in fakes.told] == ["apply", "confirm1 and look", "confirm2 and look"]
    assert fakes.compared == [("server1", SEEN), ("server1", SEEN)]


def test_a_guarded_one_whose_looks_did_not_come_is_asked(scene: Scene, operator: Any, fakes: Fakes) -> None:
    fakes.look_begins, fakes.follows = (lambda: None), ""
    run(scene, operator, guarded=True)
    assert fakes.verbs("follow") == ["server1"]
    assert fakes.compared == [("server1", None), ("server1", None)]


def test_a_confirmation_whose_answer_is_lost_is_made_again_without_a_look(
    scene: Scene, operator: Any, fakes: Fakes
) -> None:
    fakes.faults["server1", "confirm1 and look"] = SILENT
    run(scene, operator, guarded=True)
    assert fakes.verbs("confirm1") == ["server1"]
    assert fakes.compared == [("server1", None), ("server1", SEEN)]


def test_a_confirmation_that_came_too_early_looks_when_it_comes_again(
    scene: Scene, operator: Any, fakes: Fakes
) -> None:
    verb = ("server1", "confirm2 and look")
    fakes.faults[verb] = BUSY
    tries = iter([dict, dict, fakes.faults.clear])
    fakes.before[verb] = lambda: next(tries)()
    run(scene, operator, guarded=True)
    assert len(fakes.verbs("confirm2 and look")) == 3 and fakes.verbs("confirm2") == []
    assert fakes.compared == [("server1", SEEN), ("server1", SEEN)]


@pytest.mark.parametrize(("seconds", "second_try"), [(60, 20), (35, 14)])
def test_the_first_try_of_a_confirmation_leaves_time_for_another(
    scene: Scene, operator: Any, fakes: Fakes, seconds: int, second_try: int
) -> None:
    fakes.seconds = seconds
    run(scene, operator, guarded=True)
    first, second = fakes.patience
    assert first == 20 and 20 <= second <= seconds - second_try


def test_a_confirmation_cut_short_that_is_still_following_is_waited_for(
    scene: Scene, operator: Any, fakes: Fakes
) -> None:
    fakes.follows = "later"
    fakes.faults["server1", "follow"] = BUSY
    tries = iter([dict, dict, fakes.faults.clear])
    fakes.before["server1", "follow"] = lambda: next(tries)()
    change = run(scene, operator, guarded=True)
    assert len(fakes.verbs("follow")) == 3
    assert not change.operations.get().must_follow


def test_a_guarded_one_that_saw_something_else_at_the_first_confirmation_is_taken_back(
    scene: Scene, operator: Any, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "differences_heard", lambda heard: dict.fromkeys(heard, "eth0 is elsewhere"))
    change = run(scene, operator, guarded=True, state=ChangeState.FAILED)
    assert "server1: The server is not as planned: eth0 is elsewhere" in change.result
    assert fakes.verbs("abort") == ["server1"] and fakes.verbs("confirm2 and look") == []


def test_the_second_confirmation_counts_from_the_first_and_not_from_the_look_after_it(
    scene: Scene, operator: Any, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(steps, "CONFIRM_GAP_S", 3.0)
    monkeypatch.setattr(steps.time, "sleep", slept.append)
    fakes.look_begins = lambda: Heard(Words(b"", "0" * 32, 2_100, 100), datetime(2026, 11, 29, tzinfo=UTC))
    run(scene, operator, guarded=True)
    assert 0 < slept[-1] <= 1.0


def test_looks_of_many_servers_are_stored_and_compared_with_as_many_queries_as_of_few(
    scene: Scene, operator: Any
) -> None:
    words = (CASES / "look/lab-server1.txt").read_bytes()

    def queries(numbers: range) -> int:
        servers = [
            PhysicalServer.objects.create(name=f"s{n}", group=scene.server1.group, address=f"192.0.2.{n}")
            for n in numbers
        ]
        change = planned(operator, servers=tuple(servers))
        operations = list(change.operations.select_related("server"))
        for one in operations:
            one.change = change
        look = Heard(Words(words, LOOK_NONCE, 1, 0), timezone.now())
        with CaptureQueriesContext(connection) as asked:
            texts = differences_heard(dict.fromkeys(operations, look))
        assert texts == dict.fromkeys(operations, "")
        return len(asked)

    assert queries(range(20, 60)) <= queries(range(60, 65)) + 5


@pytest.fixture
def really_stored(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """Servers answer with a look of lab-server1 that has just begun, which is really stored and compared."""
    words = Words((CASES / "look/lab-server1.txt").read_bytes(), LOOK_NONCE, 1, 0)
    fakes.look_begins = lambda: Heard(words, timezone.now())
    monkeypatch.setattr(steps, "differences_heard", differences_heard)
    return fakes


def replays(monkeypatch: pytest.MonkeyPatch, replay: str) -> None:
    """What looks say of the boot replay, a transaction having been committed."""
    real = observe.understood

    def understood(words: Words) -> observe.Answer:
        answer = real(words)
        facts = replace(
            answer.facts,
            boot=replace(answer.facts.boot, replay=replay),
            transaction=replace(answer.facts.transaction, committed=("x" * 8,)),
        )
        return replace(answer, facts=facts)

    monkeypatch.setattr(observe, "understood", understood)


def test_what_it_saw_is_judged_for_drift_at_once(
    scene: Scene, operator: Any, really_stored: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    replays(monkeypatch, "enabled")
    run(scene, operator)
    assert DriftCheck.objects.get(server=scene.server1).unsure == ""


def test_what_it_saw_before_it_was_prepared_does_not_count(
    scene: Scene, operator: Any, really_stored: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    replays(monkeypatch, "missing")
    really_stored.faults["server1", "prepare"] = SILENT
    really_stored.before["server1", "settle and look"] = really_stored.faults.clear
    run(scene, operator, prepared=False)
    assert Preparation.objects.filter(server=scene.server1).exists()


def test_a_worker_that_takes_over_tells_that_nothing_is_missed_any_more(
    scene: Scene, operator: Any, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*args: object) -> None:
        raise Killed

    behind = planned(operator)
    now = timezone.now()
    Behind.objects.create(
        server=scene.server1, change=behind, missed=0, followed=0, reason="x", since=now, next_try_at=now
    )
    with monkeypatch.context() as patched:
        patched.setattr(runner, "caught_up", dies)
        with pytest.raises(Killed):
            run(scene, operator)
    change = Change.objects.latest("created_at")
    Change.objects.update(lease_until=None)
    runner.run_change(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.DONE and not Behind.objects.exists()


@pytest.mark.parametrize("ended", ["3000000000.00", "999999999999.00", "0.00"])
def test_no_clock_of_a_server_dates_its_look(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    def said(self: Host, command: Command, **how: object) -> Completed:
        words = f"state=committed\nfollows=agrees\ndone=0\n\n@{command.argv[3]} after 0.00 {ended}\n"
        return Completed(0, words.encode(), b"", 0.5, 0.0, "c")

    monkeypatch.setattr(Host, "_installed_exec", said)
    before = timezone.now()
    reply, look = Host(scene.server1).settle_and_look(uuid.uuid4())
    assert reply.state == "committed" and look is not None
    assert before - timedelta(seconds=0.6) <= look.at <= timezone.now()
    assert 0 <= look.words.duration_ms <= 500
