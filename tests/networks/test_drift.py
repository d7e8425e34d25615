"""Drift as it is stored: since when, ended when gone, never while a Change is at work; mended or adopted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import head, write_head
from networks.domain.drift import Judgement, judge
from networks.domain.inventory import ServerView
from networks.domain.state import Desired, InterfaceKey, RemoveMember
from networks.drift import compare, compare_many
from networks.engine import applying, comparing, planning, runner
from networks.engine import operation as steps
from networks.engine.hosts import Reply
from networks.host.answers import Answer
from networks.models import Behind, Change, Drift, DriftCheck, Operation, Preparation
from networks.services import changes, drafts
from networks.services import drift as services
from networks.services.errors import Conflict, NotAllowed
from networks.state_json import load_edits
from nodes import sync
from nodes.choices import Role
from nodes.facts import Boot, ServerFacts
from nodes.models import PhysicalServer, ServerGroup
from nodes.observe import looked
from tests.domain.built import DESIRED, changed
from tests.domain.test_drift import QUIET
from tests.networks.changes import planned
from tests.networks.conftest import with_role
from tests.set_back import ahead
from vnetpanel.clock import bring_back

T0 = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
OUT = changed(QUIET[1], "veth102.0", master="")


def minute(number: int) -> datetime:
    return T0 + timedelta(minutes=number)


@pytest.fixture
def group(db: None) -> ServerGroup:
    """The manual's scheme as it was decided and as it is on three servers, each looked at once."""
    group = ServerGroup.objects.create(name="Lab")
    for number, facts in QUIET.items():
        PhysicalServer.objects.create(
            pk=number, name=f"server{number}", group=group, address=f"10.0.0.{number}"
        )
        sync.store(number, facts, sync.Timing(T0))
    with transaction.atomic():
        write_head(1, Desired(), DESIRED, author_id=None, reason="")
    for number, facts in QUIET.items():
        compare(number, facts, T0)
    return group


@pytest.fixture
def otto(django_user_model: Any, group: ServerGroup) -> Any:
    return with_role(django_user_model, "otto", group, Role.OPERATOR)


@pytest.fixture
def vera(django_user_model: Any, group: ServerGroup) -> Any:
    return with_role(django_user_model, "vera", group, Role.VIEWER)


def count(server: int = 1) -> int:
    return PhysicalServer.objects.get(pk=server).drift_count


def test_servers_that_are_as_decided_have_none(group: ServerGroup) -> None:
    for number in range(1, 4):
        compare(number, QUIET[number], minute(1))
    assert not Drift.objects.exists()
    assert set(DriftCheck.objects.values_list("unsure", flat=True)) == {""}


def test_drift_keeps_the_time_it_was_first_seen_and_ends_when_it_is_gone(group: ServerGroup) -> None:
    compare(1, OUT, minute(1))
    compare(1, OUT, minute(2))
    row = Drift.objects.get()
    assert (row.first_seen_at, row.seen_at, row.ended_at) == (minute(1), minute(2), None)
    assert (row.thing, row.desired, row.observed) == ("Container 102 eth0", "in vn-a", "in no bridge")
    assert count() == 1
    compare(1, QUIET[1], minute(3))
    row.refresh_from_db()
    assert row.ended_at == minute(3) and count() == 0
    compare(1, OUT, minute(4))
    assert Drift.objects.open().get().first_seen_at == minute(4)


def test_what_is_remembered_outlives_the_worker(group: ServerGroup) -> None:
    gone = replace(QUIET[1], containers=QUIET[1].containers[:1] + QUIET[1].containers[2:])
    compare(1, gone, minute(1))
    assert not Drift.objects.exists()
    compare(1, gone, minute(2))
    assert Drift.objects.get().property_name == "interface"


def test_a_look_that_finds_the_same_writes_nothing(group: ServerGroup) -> None:
    with CaptureQueriesContext(connection) as queries:
        compare(1, QUIET[1], minute(1))
    assert len(queries) <= 9
    assert all(query["sql"].startswith("SELECT") for query in queries)


def test_an_older_look_that_ends_later_changes_nothing(group: ServerGroup) -> None:
    compare(1, OUT, minute(2))
    compare(1, QUIET[1], minute(1))
    assert Drift.objects.open().count() == 1


@pytest.mark.parametrize(
    "state",
    [OperationState.QUEUED, OperationState.APPLIED, OperationState.CONFIRMING, OperationState.IN_DOUBT],
)
def test_a_change_at_work_is_no_drift(group: ServerGroup, otto: Any, state: OperationState) -> None:
    planned(otto, servers=(PhysicalServer.objects.get(pk=1),))
    Operation.objects.update(state=state)
    compare(1, OUT, minute(1))
    assert not Drift.objects.exists()
    assert "change is at work" in DriftCheck.objects.get(server=1).unsure


def test_a_look_that_began_before_a_change_ended_is_no_drift(group: ServerGroup, otto: Any) -> None:
    planned(otto, servers=(PhysicalServer.objects.get(pk=1),))
    Operation.objects.update(state=OperationState.DONE, ended_at=minute(2))
    compare(1, OUT, minute(1))
    assert not Drift.objects.exists()
    compare(1, OUT, minute(3))
    assert Drift.objects.count() == 1


def test_a_change_that_ended_before_the_clock_was_set_back_is_not_at_work(
    group: ServerGroup, otto: Any
) -> None:
    planned(otto, servers=(PhysicalServer.objects.get(pk=1),))
    with ahead(hours=1):
        Operation.objects.update(state=OperationState.DONE, ended_at=timezone.now())
    compare(1, OUT, timezone.now())
    assert Drift.objects.count() == 1


def test_looks_are_compared_after_the_clock_was_set_back(group: ServerGroup) -> None:
    with ahead(hours=1):
        compare(1, OUT, timezone.now())
    assert compare(1, QUIET[1], timezone.now()) is None
    bring_back()
    compare(1, QUIET[1], timezone.now())
    assert not Drift.objects.open().exists()


def test_a_server_behind_is_shown_as_that(group: ServerGroup, otto: Any) -> None:
    Behind.objects.create(server_id=1, missed=1, followed=0, since=T0)
    compare(1, OUT, minute(1))
    assert not Drift.objects.exists()


def test_every_stored_look_is_compared(group: ServerGroup) -> None:
    looked.send(sender=PhysicalServer, looks=[sync.Seen(1, OUT, sync.Timing(minute(1)))])
    assert Drift.objects.count() == 1


def test_looks_at_many_servers_are_compared_in_as_many_queries_as_one(
    group: ServerGroup, django_assert_max_num_queries: Any
) -> None:
    looks = [(number, OUT if number == 1 else QUIET[number], minute(1)) for number in (1, 2, 3)]
    with django_assert_max_num_queries(9):
        found = compare_many([(number, QUIET[number], minute(1)) for number in (1, 2, 3)])
    assert [bool(one and one.drifts) for one in found.values()] == [False, False, False]
    compare_many([(number, facts, minute(2)) for number, facts, _ in looks])
    assert [row.server_id for row in Drift.objects.open()] == [1]


def test_one_server_that_cannot_be_compared_keeps_no_other_from_it(
    group: ServerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(view: ServerView, *args: Any, **kwargs: Any) -> Judgement:
        if view.id == 2:
            raise ValueError("two")
        return judge(view, *args, **kwargs)

    monkeypatch.setattr("networks.drift.judge", broken)
    looks = [sync.Seen(number, facts, sync.Timing(minute(1))) for number, facts in ((1, OUT), (2, QUIET[2]))]
    looked.send(sender=PhysicalServer, looks=looks)
    assert Drift.objects.count() == 1


def test_a_server_without_anything_decided_is_not_remembered(group: ServerGroup) -> None:
    PhysicalServer.objects.create(pk=9, name="server9", group=group, address="10.0.0.9")
    assert compare(9, ServerFacts(), T0) is None
    assert not DriftCheck.objects.filter(server=9).exists()


def test_a_server_that_would_not_bring_it_back_is_prepared_again_by_the_next_change(
    group: ServerGroup,
) -> None:
    Preparation.objects.create(server_id=1, script="x" * 64)
    compare(1, replace(QUIET[1], boot=Boot("enabled")), minute(1))
    assert Preparation.objects.exists()
    compare(1, replace(QUIET[1], boot=Boot("missing")), minute(2))
    assert not Preparation.objects.exists()


def test_a_user_sees_the_drift_of_her_servers_only(group: ServerGroup, vera: Any, alice: Any) -> None:
    compare(1, OUT, minute(1))
    assert services.open_drifts(vera).count() == 1
    assert services.open_drifts(alice).count() == 0


# --- adopt ---


def test_adopting_puts_edits_into_the_draft_that_only_write_down_what_was_found(
    group: ServerGroup, otto: Any
) -> None:
    compare(1, OUT, minute(1))
    services.adopt(otto, list(services.open_drifts(otto)))
    assert drafts.edits_of(drafts.draft_of(otto)) == (RemoveMember(InterfaceKey(1, "102", "eth0")),)
    assert changes.start_review(otto).is_found is True


def test_a_draft_with_more_in_it_does_not_only_write_down_what_was_found(
    group: ServerGroup, otto: Any
) -> None:
    compare(1, OUT, minute(1))
    services.adopt(otto, list(services.open_drifts(otto)))
    drafts.stage(otto, [RemoveMember(InterfaceKey(1, "103", "eth0"))])
    assert changes.start_review(otto).is_found is False


def test_what_cannot_be_adopted_says_why(group: ServerGroup, otto: Any) -> None:
    compare(1, changed(QUIET[1], "vn-a", mtu=1400), minute(1))
    with pytest.raises(Conflict, match="Repair it"):
        services.adopt(otto, list(services.open_drifts(otto)))


def test_a_viewer_neither_adopts_nor_repairs(group: ServerGroup, vera: Any) -> None:
    compare(1, OUT, minute(1))
    with pytest.raises(NotAllowed):
        services.adopt(vera, list(services.open_drifts(vera)))
    with pytest.raises(NotAllowed):
        changes.start_repair(vera, [1])


# --- repair, and unrelated edits; the server's answers are given, the rest is real ---


Answers = dict[str, Any]


@pytest.fixture
def server1(group: ServerGroup, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Server 1 as the engine meets it: `facts` is what a look finds, `told` the plans it was given."""
    said: Answers = {"facts": OUT, "told": []}

    class Server:
        def __init__(self, server: object) -> None: ...

        def plan(self, host_plan: str) -> Reply:
            return Reply(0, Answer({"path": "short", "digest": "d" * 64}))

        def apply(self, txid: object, timeout_s: int, digest: str, host_plan: str, *, hold: bool) -> Reply:
            said["told"].append(host_plan)
            return Reply(0, Answer({"state": "committed"}))

        def __getattr__(self, verb: str) -> Callable[..., Reply]:
            return lambda *args, **kwargs: Reply(0, Answer({}))

    def look(server: PhysicalServer, ours: object = None) -> ServerFacts:
        compare(server.pk, said["facts"], timezone.now())
        return said["facts"]  # type: ignore[no-any-return]

    for module in (steps, applying, planning):
        monkeypatch.setattr(module, "Host", Server)
    for module in (comparing, planning):
        monkeypatch.setattr(module, "look_at", look)
    return said


def reviewed(change: Change) -> Change:
    planning.plan(change.pk)
    change.refresh_from_db()
    assert change.state == ChangeState.PLANNED
    return change


def applied(user: Any, change: Change) -> Change:
    changes.apply_change(user, change, {row["key"] for row in change.problems})
    runner.run_change(change.pk)
    change.refresh_from_db()
    return change


@pytest.mark.django_db(transaction=True)
def test_repairing_plans_the_way_back_and_decides_nothing_new(server1: Answers, otto: Any) -> None:
    change = reviewed(changes.start_repair(otto, [1]))
    assert change.summary == "Bring physical server server1 back to what was decided."
    assert "step port veth102.0 vn-a" in change.operations.get().host_plan
    server1["facts"] = QUIET[1]
    assert applied(otto, change).state == ChangeState.DONE
    assert head().state == DESIRED
    assert not Drift.objects.open().exists()


@pytest.mark.django_db(transaction=True)
def test_there_may_be_nothing_left_to_repair(server1: Answers, otto: Any) -> None:
    server1["facts"] = QUIET[1]
    change = reviewed(changes.start_repair(otto, [1]))
    with pytest.raises(Conflict, match="nothing to repair"):
        changes.apply_change(otto, change, ())


@pytest.mark.django_db(transaction=True)
def test_a_repair_does_not_outlive_the_role_of_its_author(server1: Answers, otto: Any) -> None:
    change = reviewed(changes.start_repair(otto, [1]))
    otto.group_roles.all().delete()
    with pytest.raises(NotAllowed):
        changes.apply_change(type(otto).objects.get(pk=otto.pk), change, ())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hand", ["another adapter in a bridge", "a bridge of somebody else"])
def test_drift_that_no_plan_can_mend_does_not_stop_an_unrelated_edit(
    server1: Answers, otto: Any, hand: str
) -> None:
    if hand == "another adapter in a bridge":
        server1["facts"] = changed(QUIET[1], "eth1", master="vn-a")
    else:
        server1["facts"] = changed(changed(QUIET[1], "eth1", kind="bridge"), "eth0", master="eth1")
    drafts.stage(otto, [RemoveMember(InterfaceKey(1, "103", "eth0"))])
    change = reviewed(changes.start_review(otto))
    assert "step bridge" not in change.operations.get().host_plan
    server1["facts"] = changed(server1["facts"], "veth103.0", master="")
    change = applied(otto, change)
    assert change.state == ChangeState.DONE, change.result
    assert not any("not as planned" in e["text"] for e in change.operations.get().events)


@pytest.mark.django_db(transaction=True)
def test_the_adopted_is_decided_without_touching_the_port(server1: Answers, otto: Any) -> None:
    compare(1, OUT, timezone.now())
    services.adopt(otto, list(services.open_drifts(otto)))
    change = applied(otto, reviewed(changes.start_review(otto)))
    assert change.state == ChangeState.DONE, change.result
    assert "step port" not in "".join(server1["told"])
    assert not head().state.memberships(InterfaceKey(1, "102", "eth0"))
    assert load_edits(change.edits) == (RemoveMember(InterfaceKey(1, "102", "eth0")),)
