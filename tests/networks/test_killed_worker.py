"""A worker killed before or after any of its writes: the next one ends in the right place."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import head
from networks.engine import applying, runner
from networks.engine import lease as leases
from networks.engine import operation as steps
from networks.engine.hosts import Reply
from networks.host.answers import Answer
from networks.models import Change
from nodes.observe import Heard, Words
from tests.networks.changes import planned
from tests.networks.conftest import Scene


class Killed(BaseException):
    """The worker is gone: no handler of the engine may see it as a failure of a step."""


class Server:
    """A server that keeps to the protocol, and counts how often it began to apply."""

    state = "none"
    applied = 0
    refuses = False

    def __init__(self, server: object) -> None: ...

    def __getattr__(self, verb: str) -> Any:
        return lambda *args, **kwargs: self._reply()

    def _reply(self) -> Reply:
        return Reply(0, Answer({"state": Server.state, "now": "100", "deadline": "160"}))

    def apply(self, *args: object, **kwargs: object) -> Reply:
        if Server.state == "none":
            Server.applied += 1
            Server.state = "applied"
        return self._reply()

    def confirm(self, txid: uuid.UUID, stage: int) -> Reply:
        if stage == 2 and Server.state == "applied":
            Server.state = "committed"
        return self._reply()

    def confirm_and_look(self, txid: uuid.UUID, stage: int, deadline_s: float) -> tuple[Reply, Heard]:
        reply = self.confirm(txid, stage)
        reply.answer.values["follows"] = "agrees"
        return reply, Heard(Words(b"", "0" * 32, 1, 0), timezone.now())

    def abort(self, txid: uuid.UUID) -> Reply:
        if Server.state == "applied":
            Server.state = "rolledback"
        return self._reply()


class Writes:
    """The engine's writes, counted; the worker is killed at one of them, before or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.after, self.was_killed = 0, False, False
        self.lock = threading.Lock()
        killing = self.killing(steps.record)
        for module in (steps, applying):
            monkeypatch.setattr(module, "record", killing)
        monkeypatch.setattr(leases.Lease, "update", self.killing(leases.Lease.update))
        monkeypatch.setattr(runner, "decide", self.killing(runner.decide))

    def kill_at(self, number: int, after: bool) -> None:
        self.left, self.after, self.was_killed = number, after, False

    def killing(self, write: Any) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self.lock:
                self.left -= 1
                hit = self.left == 0
                self.was_killed = self.was_killed or hit
            if hit and not self.after:
                raise Killed
            result = write(*args, **kwargs)
            if hit:
                raise Killed
            return result

        return watched


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("differs", [False, True])
def test_a_worker_killed_at_any_write_is_replaced_by_one_that_ends_whole(
    scene: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch, after: bool, differs: bool
) -> None:
    writes = Writes(monkeypatch)
    monkeypatch.setattr(steps, "Host", Server)
    monkeypatch.setattr(applying, "Host", Server)
    monkeypatch.setattr(steps, "CONFIRM_GAP_S", 0)
    found = "vn-a: missing" if differs else ""
    monkeypatch.setattr(steps, "differences", lambda *args: found)
    monkeypatch.setattr(steps, "differences_heard", lambda heard: dict.fromkeys(heard, found))
    for number in range(1, 60):
        Change.objects.all().delete()
        Server.state, Server.applied = "none", 0
        before = head().number
        change = Change.objects.get(pk=planned(operator, servers=(scene.server1,)).pk)
        Change.objects.update(state=ChangeState.QUEUED, sent_at=timezone.now(), edits="[]")
        change.operations.update(state=OperationState.QUEUED, is_guarded=True)
        writes.kill_at(number, after)
        try:
            runner.run_change(change.pk)
        except Killed:
            writes.kill_at(0, after)
            runner.run_change(change.pk)
        change.refresh_from_db()
        ended = (change.state, change.operations.get().state, Server.state, head().number - before)
        if differs:
            expected = (ChangeState.FAILED, OperationState.ROLLED_BACK, "rolledback", 0)
        else:
            expected = (ChangeState.DONE, OperationState.DONE, "committed", 1)
        assert ended == expected, f"killed at write {number}"
        assert Server.applied == 1, f"killed at write {number}"
        if not writes.was_killed and writes.left > 0:
            return
    pytest.fail("more writes than a Change can have")
