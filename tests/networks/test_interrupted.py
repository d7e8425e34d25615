"""A worker dies, a server falls silent, a user cancels: what is stored stays true, and nothing hangs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import head
from networks.domain.state import AddMember, CreateNetwork
from networks.domain.verify import Mismatch
from networks.engine import applying, comparing, planning, runner, story, sweeper
from networks.engine import operation as steps
from networks.engine.decide import Cancelled, decide
from networks.engine.hosts import NoAnswer, Reply
from networks.engine.lease import MAX_ATTEMPTS, claim
from networks.host.answers import Answer, Saved
from networks.models import Change, Operation
from networks.services import changes
from networks.services.errors import Conflict
from networks.state_json import dump_edits
from nodes.choices import ServerState
from nodes.crew import Crew
from nodes.facts import ServerFacts
from nodes.observe import LookFailed
from tests.networks.changes import at_once, planned, was_decided
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
LONG_AGO = timedelta(minutes=5)

Said = dict[str, Any]


def reply(state: str, code: int = 0, **values: str) -> Reply:
    return Reply(code, Answer({"state": state, **values} if state else values))


SILENT = NoAnswer("no route", started=False)
CUT = NoAnswer("the connection broke", started=True)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What the server answers to each verb, nothing to a verb that is missing. `asked` lists the verbs."""
    answers: Said = {"asked": []}

    class Server:
        def __init__(self, server: object) -> None: ...

        def __getattr__(self, verb: str) -> Callable[..., Reply | tuple[Reply, None]]:
            def answer(*args: object, **kwargs: object) -> Reply | tuple[Reply, None]:
                answers["asked"].append(verb)
                alone = verb.removesuffix("_and_look")
                found = answers.get(alone, SILENT)
                if isinstance(found, Exception):
                    raise found
                return found if alone == verb else (found, None)

            return answer

    def look(*args: object) -> None:
        raise LookFailed(ServerState.UNREACHABLE, "no route")

    monkeypatch.setattr(steps, "Host", Server)
    monkeypatch.setattr(applying, "Host", Server)
    monkeypatch.setattr(sweeper, "Host", Server)
    monkeypatch.setattr(comparing, "look_at", look)
    monkeypatch.setattr(steps, "ASK_S", 0)
    monkeypatch.setattr(steps, "POLL_S", 0)
    monkeypatch.setattr(steps, "CONFIRM_GAP_S", 0)
    return answers


@pytest.fixture
def change(scene: Scene, operator: Any) -> Change:
    change = planned(operator, servers=(scene.server1,), sent_at=timezone.now() - LONG_AGO)
    Change.objects.update(state=ChangeState.QUEUED)
    change.operations.update(state=OperationState.QUEUED)
    return change


def ended(change: Change) -> tuple[str, str]:
    change.refresh_from_db()
    return change.state, change.operations.get().state


@pytest.mark.django_db(transaction=True)
def test_silence_after_a_worker_died_does_not_mean_that_nothing_was_sent(change: Change, said: Said) -> None:
    change.operations.update(state=OperationState.APPLYING)
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.FAILED, OperationState.IN_DOUBT)


@pytest.mark.django_db(transaction=True)
def test_silence_before_anything_was_sent_means_that_nothing_was_changed(change: Change, said: Said) -> None:
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.FAILED, OperationState.FAILED)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("barred", "end"),
    [
        (reply("rolledback", 76), (ChangeState.FAILED, OperationState.FAILED)),
        (reply("none", 75), (ChangeState.FAILED, OperationState.IN_DOUBT)),
        (SILENT, (ChangeState.FAILED, OperationState.IN_DOUBT)),
        (reply("committed"), (ChangeState.DONE, OperationState.DONE)),
    ],
)
def test_a_plan_that_has_not_arrived_is_barred_and_one_that_came_meanwhile_is_not_taken_back(
    change: Change, said: Said, barred: Reply | Exception, end: tuple[str, str]
) -> None:
    """Between its two questions a worker may sleep for so long that another has decided."""
    said.update(apply=CUT, status=reply("none", 77), bar=barred, prepare=reply(""), follow=reply(""))
    runner.run_change(change.pk)
    assert ended(change) == end
    assert "abort" not in said["asked"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", ["applying", "stuck", "rollingback"])
def test_an_unfinished_answer_is_no_end(change: Change, said: Said, state: str) -> None:
    said["apply"] = reply(state)
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.FAILED, OperationState.IN_DOUBT)


@pytest.mark.django_db(transaction=True)
def test_a_server_that_committed_is_decided_even_if_it_cannot_be_looked_at(
    change: Change, said: Said
) -> None:
    said.update(apply=reply("committed"), prepare=reply(""), follow=reply(""))
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.DONE, OperationState.DONE)
    assert head().number == 1


@pytest.mark.django_db(transaction=True)
def test_a_server_is_prepared_for_its_boot_before_anything_is_committed(change: Change, said: Said) -> None:
    said.update(apply=reply("committed"), prepare=reply(""), follow=reply(""))
    runner.run_change(change.pk)
    assert said["asked"].index("prepare") < said["asked"].index("apply")
    assert said["asked"].count("prepare") == 1


@pytest.mark.django_db(transaction=True)
def test_a_server_that_cannot_be_prepared_is_changed_all_the_same(change: Change, said: Said) -> None:
    said.update(apply=reply("committed"), prepare=reply("", 74), follow=reply(""))
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.DONE, OperationState.DONE)


@pytest.mark.django_db(transaction=True)
def test_what_a_later_transaction_has_overtaken_is_followed_no_more(change: Change, said: Said) -> None:
    change.operations.update(
        state=OperationState.DONE, must_follow=True, next_follow_at=timezone.now() - LONG_AGO
    )
    said["follow"] = Reply(77, Answer({"error": "committed is another"}))
    sweeper.replay_follows()
    operation = change.operations.get()
    assert not operation.must_follow and "Another change" in operation.message


@pytest.mark.django_db(transaction=True)
def test_what_vzctl_does_not_do_in_a_week_waits_for_a_person(change: Change, said: Said) -> None:
    def at(**ago: float) -> Operation:
        ended_at = timezone.now() - timedelta(**ago)
        change.operations.update(next_follow_at=timezone.now() - LONG_AGO, ended_at=ended_at)
        sweeper.replay_follows()
        return change.operations.get()

    change.operations.update(state=OperationState.DONE, must_follow=True)
    locked = Saved("102", "eth0", False, "Container already locked")
    said.update(follow=Reply(75, Answer({"state": "differs"}, saved=(locked,))), let_go=SILENT)
    assert at(days=6).must_follow and "let_go" not in said["asked"]
    assert at(days=8).must_follow, "the server carries it on until it is told not to"
    said["let_go"] = reply("agrees")
    operation = at(days=8)
    assert (operation.state, operation.must_follow) == (OperationState.NEEDS_ATTENTION, False)
    assert "in a week" in operation.message and "already locked" in operation.message
    asked = len(said["asked"])
    at(days=9)
    assert len(said["asked"]) == asked


@pytest.mark.django_db(transaction=True)
def test_a_cancel_after_the_one_server_committed_comes_too_late(change: Change, said: Said) -> None:
    change.operations.update(state=OperationState.COMMITTED)
    Change.objects.update(cancel_requested_at=timezone.now())
    said.update(prepare=reply(""), follow=reply(""))
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.DONE, OperationState.DONE)


@pytest.mark.django_db(transaction=True)
def test_a_change_that_a_server_kept_does_not_say_nothing_changed(change: Change, said: Said) -> None:
    change.operations.update(state=OperationState.APPLIED)
    Change.objects.update(cancel_requested_at=timezone.now())
    said["abort"] = reply("committed", 77)
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.NEEDS_ATTENTION, OperationState.NEEDS_ATTENTION)
    assert "server1" in change.result


@pytest.mark.django_db(transaction=True)
def test_a_lost_answer_to_the_last_confirmation_is_asked_for_until_it_is_known(
    change: Change, said: Said
) -> None:
    Change.objects.update(state=ChangeState.DECIDED)
    was_decided(change)
    change.operations.update(state=OperationState.VERIFIED)
    said["confirm"] = CUT
    monkey = steps.ask
    try:
        steps.ask = lambda lease, operation, host, within_s=0: monkey(lease, operation, host, 0)
        runner.run_change(change.pk)
    finally:
        steps.ask = monkey
    assert ended(change) == (ChangeState.BEHIND, OperationState.IN_DOUBT)
    said.update(status=reply("committed"), follow=reply(""))
    sweeper.sweep()
    assert ended(change) == (ChangeState.DONE, OperationState.DONE)


@pytest.mark.django_db(transaction=True)
def test_vzctl_follows_a_commit_even_if_the_worker_failed_to_say_so(
    change: Change, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    Change.objects.update(state=ChangeState.DECIDED)
    was_decided(change)
    change.operations.update(state=OperationState.COMMITTED)
    said["follow"] = RuntimeError("a bug")
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.BEHIND, OperationState.IN_DOUBT)
    said.update(status=reply("committed"), follow=reply(""))
    sweeper.settle_doubtful()
    assert change.operations.get().must_follow
    assert ended(change)[0] == ChangeState.DONE


@pytest.mark.django_db(transaction=True)
def test_armed_servers_of_a_change_that_was_given_up_are_asked_until_they_settle(
    change: Change, said: Said
) -> None:
    Change.objects.update(attempts=MAX_ATTEMPTS, state=ChangeState.VERIFYING)
    change.operations.update(state=OperationState.APPLIED)
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.NEEDS_ATTENTION, OperationState.IN_DOUBT)
    said["status"] = reply("rolledback")
    sweeper.settle_doubtful()
    assert ended(change)[1] == OperationState.ROLLED_BACK


@pytest.mark.django_db(transaction=True)
def test_a_decided_change_is_given_up_as_behind_not_taken_up_for_ever(change: Change, said: Said) -> None:
    Change.objects.update(attempts=MAX_ATTEMPTS, state=ChangeState.DECIDED, lease_until=None)
    was_decided(change)
    change.operations.update(state=OperationState.CONFIRMING)
    runner.run_change(change.pk)
    assert ended(change) == (ChangeState.BEHIND, OperationState.IN_DOUBT)


@pytest.mark.django_db(transaction=True)
def test_a_silent_server_is_asked_less_and_less_often(change: Change, said: Said) -> None:
    Change.objects.update(state=ChangeState.FAILED, ended_at=timezone.now())
    change.operations.update(state=OperationState.IN_DOUBT)
    sweeper.settle_doubtful()
    sweeper.settle_doubtful()
    assert said["asked"] == ["status"]


@pytest.mark.django_db(transaction=True)
def test_a_server_silent_for_a_day_no_longer_stands_in_the_way(change: Change, said: Said) -> None:
    Change.objects.update(state=ChangeState.FAILED, ended_at=timezone.now() - timedelta(days=2))
    change.operations.update(state=OperationState.IN_DOUBT)
    sweeper.settle_doubtful()
    assert ended(change) == (ChangeState.NEEDS_ATTENTION, OperationState.NEEDS_ATTENTION)


@pytest.mark.django_db(transaction=True)
def test_one_servers_trouble_does_not_keep_the_sweeper_from_others(
    change: Change, scene: Scene, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    Operation.objects.create(change=change, server=scene.server2, server_name="server2")
    Change.objects.update(state=ChangeState.FAILED, ended_at=timezone.now())
    change.operations.update(state=OperationState.IN_DOUBT)
    said["status"] = RuntimeError("its password cannot be decrypted")
    sweeper.settle_doubtful()
    assert said["asked"] == ["status", "status"]


def test_a_server_that_gave_up_is_told_to_a_person(change: Change) -> None:
    Change.objects.update(state=ChangeState.FAILED)
    change.operations.update(state=OperationState.IN_DOUBT)
    sweeper.settle(Operation.objects.select_related("change").get(), "failed")
    assert ended(change) == (ChangeState.NEEDS_ATTENTION, OperationState.NEEDS_ATTENTION)


def test_a_member_whose_container_is_gone_does_not_stop_unrelated_edits(
    change: Change, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Mismatch(scene.key(scene.server1, "103"), "interface", "in vn-a", "missing")
    monkeypatch.setattr(comparing, "look_at", lambda *args: ServerFacts())
    monkeypatch.setattr(comparing, "mismatches", lambda *args: (gone,))
    assert comparing.differences(change.operations.get(), scene.server1) == ""
    own = AddMember(A, scene.key(scene.server1, "103"))
    change.edits = dump_edits([CreateNetwork(A, "A"), own])
    assert "missing" in comparing.differences(change.operations.get(), scene.server1)


def test_words_of_a_server_are_cut_and_hold_no_control_characters(change: Change) -> None:
    lease = claim(change.pk)
    assert lease
    words = "bad\x00\x1b[31m" + "x" * 9999
    story.record(lease, change.operations.get(), words, message=words)
    stored = change.operations.get()
    assert len(stored.message) == story.MAX_MESSAGE
    assert len(stored.events[0]["text"]) == story.MAX_EVENT
    assert "\x00" not in stored.message and "\x1b" not in stored.events[0]["text"]


def test_a_clock_with_too_little_left_is_not_decided_on(change: Change) -> None:
    lease = claim(change.pk)
    assert lease
    soon = timezone.now() + timedelta(seconds=steps.LEAST_LEFT_S - 5)
    change.operations.update(state=OperationState.VERIFIED, deadline_at=soon)
    with pytest.raises(runner._PhaseFailed, match="server1"):
        runner._Run(lease, Crew(1, "try"))._check_clocks()


def test_a_cancel_that_came_before_the_decision_wins(change: Change) -> None:
    lease = claim(change.pk)
    assert lease
    change.operations.update(state=OperationState.VERIFIED)
    Change.objects.update(cancel_requested_at=timezone.now())
    with pytest.raises(Cancelled):
        decide(lease, change)
    change.refresh_from_db()
    assert (head().number, change.decided_at, change.state) == (0, None, ChangeState.QUEUED)


def test_discarding_a_review_that_was_applied_meanwhile_cancels_it(change: Change, operator: Any) -> None:
    stale = Change.objects.get(pk=change.pk)
    stale.state = ChangeState.PLANNED
    changes.cancel_change(operator, stale)
    change.refresh_from_db()
    assert change.state == ChangeState.QUEUED
    assert change.cancel_requested_at is not None


@pytest.mark.parametrize("state", [ChangeState.PLANNING, ChangeState.PLANNED])
def test_what_nobody_has_applied_is_never_run(change: Change, state: ChangeState) -> None:
    Change.objects.update(state=state)
    assert claim(change.pk) is None


def test_a_change_that_cannot_be_read_ends_as_a_refused_review(change: Change) -> None:
    Change.objects.update(state=ChangeState.PLANNING, edits='[{"edit": "Reboot"}]')
    planning.plan(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.PLANNED
    assert change.problems[0]["severity"] == "refuse"
    assert "cannot be read" in change.problems[0]["text"]


def test_a_failure_while_planning_ends_as_a_refused_review(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(planning, "name_bridges", broken)
    Change.objects.update(state=ChangeState.PLANNING)
    planning.plan(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.PLANNED
    assert "ValueError" in change.problems[0]["text"]


def test_a_review_that_workers_die_of_is_refused_in_the_end(change: Change) -> None:
    Change.objects.update(state=ChangeState.PLANNING, attempts=MAX_ATTEMPTS)
    planning.plan(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.PLANNED
    assert "gave up planning" in change.problems[0]["text"]


def test_a_discarded_review_stays_discarded_when_its_planning_ends(change: Change) -> None:
    Change.objects.update(state=ChangeState.PLANNING)
    lease = claim(change.pk, planning=True)
    assert lease
    Change.objects.update(state=ChangeState.DISCARDED)
    planning._refuse(lease, "too late")
    change.refresh_from_db()
    assert change.state == ChangeState.DISCARDED


@pytest.mark.django_db(transaction=True)
def test_of_two_simultaneous_applies_one_wins(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1,))

    def apply() -> object:
        return changes.apply_change(operator, Change.objects.get(pk=change.pk), ())

    results = at_once(apply, apply, apply)
    assert sum(isinstance(result, Conflict) for result in results) == 2, results


@pytest.mark.django_db(transaction=True)
def test_simultaneous_decisions_get_one_revision_each(scene: Scene, operator: Any) -> None:
    leases = []
    for number in range(4):
        edit = CreateNetwork(f"6f1c3a1e-0000-4000-8000-00000000001{number}", f"N{number}")
        change = planned(operator, edit)
        Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
        lease = claim(change.pk)
        assert lease
        leases.append((lease, change))
    results = at_once(*(lambda pair=pair: decide(*pair) for pair in leases))
    assert results == [None] * 4
    assert head().number == 4
    assert len(head().state.networks) == 4


@pytest.mark.django_db(transaction=True)
def test_a_cancel_and_a_decision_at_once_agree_on_who_was_first(scene: Scene, operator: Any) -> None:
    change = planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.VERIFYING)
    change.operations.update(state=OperationState.VERIFIED)
    lease = claim(change.pk)
    assert lease
    asked = Change.objects.get(pk=change.pk)
    results = at_once(lambda: decide(lease, change), lambda: changes.cancel_change(operator, asked))
    assert sorted(type(r).__name__ for r in results) in (["Cancelled", "NoneType"], ["Conflict", "NoneType"])
    assert (head().number == 1) == isinstance(results[1], Conflict)
