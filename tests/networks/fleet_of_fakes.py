"""Many servers that keep to the transaction's protocol, each with its own faults, for tests of the engine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from networks.engine import applying, members, planning, sweeper
from networks.engine import operation as steps
from networks.engine.hosts import NoAnswer, Reply
from networks.host.answers import Answer, Command, Note
from networks.models import Operation
from nodes.models import PhysicalServer
from nodes.observe import Heard

REFUSES = "refuses"
BUSY = "busy"
SILENT = "silent"


class Fakes:
    """What each server was told and has, by name. `before[name, verb]` runs when it is told that verb."""

    def __init__(self) -> None:
        self.faults: dict[tuple[str, str], str] = {}
        """(server, verb): REFUSES, BUSY or SILENT, as long as it is there."""
        self.before: dict[tuple[str, str], Callable[[], object]] = {}
        self.states: dict[uuid.UUID, str] = {}
        self.told: list[tuple[str, str]] = []
        self.plans: dict[str, str] = {}
        """What each server was last asked to plan."""
        self.seconds = 60
        """Until the dead-men fire."""
        self.warnings: tuple[Note, ...] = ()
        """What servers warn of when they are asked for a plan."""
        self.follows = ""
        """What servers say of vzctl once they have committed: "agrees", "differs", or nothing."""
        self.look_begins: Callable[[], Heard | None] = lambda: None
        """The look that they take when they settle or confirm."""
        self.patience: list[float] = []
        """Seconds within which first tries of confirmations were to be answered."""
        self.compared: list[tuple[str, Heard | None]] = []
        """Servers that were compared with what was planned, and the look that they were compared by."""

    def verbs(self, verb: str) -> list[str]:
        """Names of the servers that were told the verb, in order."""
        return [name for name, told in self.told if told == verb]

    def host(self, server: PhysicalServer) -> Any:
        return _Fake(self, server.name)


class _Fake:
    def __init__(self, fakes: Fakes, name: str) -> None:
        self.fakes = fakes
        self.name = name

    def _answer(self, verb: str, txid: uuid.UUID | None, to: dict[str, str]) -> Reply:
        self.fakes.told.append((self.name, verb))
        self.fakes.before.get((self.name, verb), lambda: None)()
        fault = self.fakes.faults.get((self.name, verb)) or self.fakes.faults.get((self.name, "*"))
        if fault == SILENT:
            raise NoAnswer("no route", started=False)
        if fault == REFUSES:
            return Reply(69, Answer({"state": "none", "error": f"{self.name} will not"}))
        if fault == BUSY:
            return Reply(75, Answer({"error": "a transaction is at work"}))
        state = self.fakes.states.get(txid, "none") if txid else "none"
        if txid and state in to:
            state = self.fakes.states[txid] = to[state]
        return Reply(0, Answer({"state": state, "now": "100", "deadline": str(100 + self.fakes.seconds)}))

    def apply(self, txid: uuid.UUID, *args: object, **kwargs: object) -> Reply:
        return self._answer("apply", txid, {"none": "applied"})

    def confirm(self, txid: uuid.UUID, stage: int) -> Reply:
        return self._answer(f"confirm{stage}", txid, {"applied": "committed"} if stage == 2 else {})

    def confirm_and_look(self, txid: uuid.UUID, stage: int, deadline_s: float) -> tuple[Reply, Heard | None]:
        self.fakes.patience.append(deadline_s)
        reply = self._answer(f"confirm{stage} and look", txid, {"applied": "committed"} if stage == 2 else {})
        reply.answer.values["follows"] = self.fakes.follows
        return reply, self.fakes.look_begins() if reply.ok else None

    def settle(self, txid: uuid.UUID) -> Reply:
        return self._answer("settle", txid, {"applied": "committed"})

    def settle_and_look(self, txid: uuid.UUID) -> tuple[Reply, Heard | None]:
        reply = self._answer("settle and look", txid, {"applied": "committed"})
        reply.answer.values["follows"] = self.fakes.follows
        return reply, self.fakes.look_begins() if reply.ok else None

    def abort(self, txid: uuid.UUID) -> Reply:
        return self._answer("abort", txid, {"none": "rolledback", "applied": "rolledback"})

    def bar(self, txid: uuid.UUID) -> Reply:
        return self._answer("bar", txid, {"none": "rolledback"})

    def status(self, txid: uuid.UUID) -> Reply:
        return self._answer("status", txid, {})

    def follow(self, txid: uuid.UUID) -> Reply:
        return self._answer("follow", txid, {})

    def prepare(self) -> Reply:
        return self._answer("prepare", None, {})

    def plan(self, host_plan: str) -> Reply:
        self.fakes.plans[self.name] = host_plan
        self._answer("plan", None, {})
        text = "ip link set dev eth0 master vn-a"
        values = {"digest": "0" * 64, "path": "guarded"}
        return Reply(0, Answer(values, self.fakes.warnings, commands=(Command("critical", text),)))

    def recover(self) -> Reply:
        return self._answer("recover", None, {})

    def extend(self, txid: uuid.UUID, seconds: int) -> Reply:
        return self._answer("extend", txid, {})


def fake(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """Put fakes in place of the servers' scripts, and looks that find what was planned."""
    fakes = Fakes()
    monkeypatch.setattr(steps, "Host", fakes.host)
    monkeypatch.setattr(applying, "Host", fakes.host)
    monkeypatch.setattr(sweeper, "Host", fakes.host)
    monkeypatch.setattr(planning, "Host", fakes.host)
    monkeypatch.setattr(members, "ask", lambda *args: "Nobody is asked here.")

    def differences(operation: Operation, server: PhysicalServer) -> str:
        fakes.compared.append((server.name, None))
        return ""

    def differences_heard(heard: Mapping[Operation, Heard]) -> dict[Operation, str]:
        fakes.compared += [(one.server_name, look) for one, look in heard.items()]
        return dict.fromkeys(heard, "")

    monkeypatch.setattr(steps, "differences", differences)
    monkeypatch.setattr(steps, "differences_heard", differences_heard)
    monkeypatch.setattr(steps, "ASK_S", 0)
    monkeypatch.setattr(steps, "POLL_S", 0)
    monkeypatch.setattr(steps, "CONFIRM_GAP_S", 0)
    return fakes
