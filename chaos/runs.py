"""One run: a Change, faults while it is at work, everything healed, everything settled, the oracle asked."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.contrib.auth.models import User
from django.db import OperationalError, connections
from django.utils import timezone

from chaos import edits as asks
from chaos.faults import Faults, Strike, end_again, end_all
from chaos.oracle import Oracle, drift_of, lost_decisions, open_ends, text
from chaos.panel import Panel, PanelDied
from chaos.rival import Rival
from chaos.verdict import SECOND, Run
from lab.errors import LabError
from lab.lab import Lab
from networks.choices import ChangeState, OperationState
from networks.desired import head
from networks.domain.diff import edits_between
from networks.domain.state import Desired, Edit, apply_edits
from networks.domain.waves import server_of
from networks.models import Behind, Change, Operation, Preparation
from networks.services import changes, drafts
from networks.services.errors import Conflict
from networks.state_json import dump_edits
from nodes.models import PhysicalServer

PLAN_S = 60.0
END_S = 240.0
"""The protocol's own clocks: a dead-man of 60 s, a lease of 15 s, a sweep every 10 s, a server that boots."""
SETTLE_S = 150.0
RIVAL_SHARE = 0.08
ALL_EVERY = 20
"""After every so many runs all servers are asked about, not only those of the run."""
LONG_S, SHORT_S = 5.0, 2.5
"""Faults strike in the first seconds of a Change: one that moves an address of a server takes longer."""


class Chaos:
    """Runs on one lab with one panel, and now and then a second one."""

    def __init__(
        self,
        lab: Lab,
        panel: Panel,
        seed: int,
        only: str = "",
        second: float = RIVAL_SHARE,
        lanes: int = 1,
    ) -> None:
        self.lab = lab
        self.panel = panel
        self.seed = seed
        self.only = only
        self.rival_share = second
        self.given_up: set[str] = set()
        self.servers = {row.name: row for row in PhysicalServer.objects.order_by("name")}
        self.faults = Faults(lab, panel, {row.name: row.address for row in self.servers.values()})
        self.oracle = Oracle(lab)
        self.users = [_user(lane) for lane in range(lanes)]
        self.mending = threading.Lock()
        """One user has one review: two servers of a run are repaired one after the other."""
        self.reviving = threading.Lock()
        self.rival: Rival | None = None
        self.rival_has: Desired | None = None
        """What the second panel has decided, once it has changed a server, or may have."""
        self.rival_knows = True
        """Whether it knows."""

    def begin(self) -> None:
        """Decide the networks of all runs; nothing of them is on a server yet."""
        first = asks.first({name: row.pk for name, row in self.servers.items()})
        change = self._reviewed(first, self.users[0])
        changes.apply_change(self.users[0], change, {row["key"] for row in change.problems})
        self._until(change, lambda c: c.is_terminal, PLAN_S)

    def needs(self, number: int) -> set[str]:
        """What the run needs for itself: its servers, and the second panel if that takes part."""
        _, names, with_rival = self._begun(number)
        return {*(self.servers if number % ALL_EVERY == 0 else names), *([SECOND] * with_rival)}

    def _begun(self, number: int) -> tuple[random.Random, list[str], bool]:
        """The run's dice, to be drawn the same again, its servers, and whether the second panel is there."""
        dice = random.Random(f"{self.seed}-{number}")  # noqa: S311
        with_rival = dice.random() < self.rival_share
        return dice, asks.draw_servers(dice, self.servers), with_rival

    def run(self, number: int, lane: int = 0) -> Run:
        """Run number `number` of this seed. Whatever happens in it, the next one begins healed."""
        done = Run(number, lane)
        began = time.monotonic()
        try:
            self._run(number, done)
        except Exception as error:  # its story is told, and the others go on
            traceback.print_exc()
            done.verdict.lost.append(f"the run broke off: {type(error).__name__}: {error}")
        if not done.verdict.is_ok:
            with done.timed("healing"):
                self._heal(done)
        done.seconds = time.monotonic() - began
        connections.close_all()
        return done

    def _run(self, number: int, done: Run) -> None:
        dice, names, with_rival = self._begun(number)
        keys = {name: row.pk for name, row in self.servers.items()}
        user, before = self.users[done.lane], head().state
        wanted, done.servers = asks.draw(dice, before, keys, names), names
        within = LONG_S if asks.moves_an_address(wanted) else SHORT_S
        strikes = self.faults.draw(dice, names, within, self.only)
        done.asked = ", ".join(type(edit).__name__ for edit in wanted) + " on " + " and ".join(names)
        done.strikes = [str(strike) for strike in strikes] + [SECOND] * with_rival
        with done.timed("review"):
            change = self._reviewed(wanted, user)
        second = self._second(done, dice, names, keys) if with_rival else None
        with done.timed("change"):
            if second is not None:
                # The other one has to look and plan first: now this one is the earlier, now that one.
                time.sleep(dice.uniform(0, 4))
            is_applied = False
            try:
                changes.apply_change(user, change, {row["key"] for row in change.problems})
                is_applied = True
                for strike in strikes:
                    strike.start()
            except Conflict as conflict:
                done.ended += f" not applied: {conflict}"
            if second is not None:
                second.join(300)
            self._end(change, strikes)
            if is_applied:
                done.ended += f" {change.state}"
        with done.timed("ends"):
            self._wait_for_ends(done)
            if second is not None:
                self._rival_takes_back(done, keys[names[0]])
            if is_applied:
                end_again(strikes)
        if is_applied:
            change.refresh_from_db()
            done.verdict.lost += lost_decisions(
                change, before, wanted, [self.servers[name] for name in names]
            )
        with done.timed("oracle"):
            self._ask(done, names if number % ALL_EVERY else [*self.servers])

    def _ask(self, done: Run, names: Sequence[str]) -> None:
        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(partial(self._judge, done), names))

    def _reviewed(self, wanted: Sequence[Edit], user: User) -> Change:
        drafts.discard(user)
        drafts.stage(user, wanted)
        change = changes.start_review(user, "chaos")
        return self._until(change, lambda c: c.state != ChangeState.PLANNING, PLAN_S)

    @staticmethod
    def _until(change: Change, done: Callable[[Change], bool], seconds: float) -> Change:
        deadline = time.monotonic() + seconds
        while True:
            try:
                change.refresh_from_db()
                if done(change):
                    return change
            except OperationalError:
                pass
            if time.monotonic() > deadline:
                return change
            time.sleep(0.1)

    def _rival_changes(self, wanted: list[Edit], done: Run, had: Desired) -> None:
        if self.rival is None:
            return
        try:
            state = self.rival.change(dump_edits(wanted))
            done.ended += f" {SECOND}: {state};"
            self.rival_knows = state != ChangeState.BEHIND
            is_decided = state in (ChangeState.DONE, ChangeState.BEHIND)
            self.rival_has = apply_edits(had, wanted) if is_decided else None
        except (RuntimeError, OSError) as error:
            # It did not start or has died: that is no fault of the first one, and the next run has a new one.
            done.ended += f" {error};"
            self.rival = self.rival_has = None

    def _rival_takes_back(self, done: Run, server: int) -> None:
        """The second panel comes round to the first one's view of the server.

        What it has put into a network is shown by the first one and never moved: it must go. Seed 35:
        it may learn only now, when nothing is broken any more, whether its server has committed.
        """
        if self.rival is not None and not self.rival_knows:
            try:
                state = self.rival.settled()
            except (RuntimeError, OSError) as error:
                state = str(error)
            done.ended += f" then {state};"
            self.rival_knows = True
            if state != ChangeState.DONE:
                self.rival_has = None
        if self.rival_has is not None:
            back = [e for e in edits_between(self.rival_has, head().state) if server_of(e) == server]
            if back:
                self._rival_changes(back, done, self.rival_has)

    def _second(
        self, done: Run, dice: random.Random, names: list[str], keys: dict[str, int]
    ) -> threading.Thread:
        """The second panel decides otherwise on the same server at the same time."""
        if self.rival is None:
            self.rival = Rival(self.panel)
        self.rival.copy()
        name, had = names[0], head().state
        wanted = asks._member(name, keys[name], had, dice)
        self.rival_has, self.rival_knows = None, True
        thread = threading.Thread(target=self._rival_changes, args=(wanted, done, had), daemon=True)
        thread.start()
        return thread

    def _end(self, change: Change, strikes: list[Strike]) -> None:
        end_all(strikes)
        self._until(change, lambda c: c.is_terminal or c.state == ChangeState.PLANNED, END_S)

    def _wait_for_ends(self, done: Run) -> None:
        deadline = time.monotonic() + SETTLE_S
        here = [self.servers[name].pk for name in done.servers]
        while ends := {
            key: said
            for key, said in open_ends(here, self.users[done.lane].pk).items()
            if key not in self.given_up
        }:
            if time.monotonic() > deadline:
                done.verdict.lost += ends.values()
                # They are this run's, not that of each one after it.
                self.given_up |= ends.keys()
                return
            # The waits between tries grow; here time is short, so the next one is due at once.
            now = timezone.now()
            Operation.objects.filter(next_follow_at__gt=now).update(next_follow_at=now)
            if Behind.objects.filter(next_try_at__gt=now).update(next_try_at=now):
                PhysicalServer.objects.exclude(state="ok").update(next_look_at=now)
            time.sleep(0.25)
            self.panel.check()

    def _heal(self, done: Run) -> None:
        """After a run that was not ok: panel and servers as a run wants to find them."""
        with self.reviving:
            try:
                self.panel.check()
            except PanelDied as died:
                done.verdict.lost.append(f"the panel gave up: {died}")
                self.panel.again()
        names = done.servers or [*self.servers]
        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(partial(self._heal_one, done), names))

    def _heal_one(self, done: Run, name: str) -> None:
        server = self.servers[name]
        try:
            self.faults.mend(name)
            if drift_of(server, 20) is None:
                self.lab.powercut(name)
            if drift_of(server, 60) is None:
                # Nothing brings it back: a new disk does, and repairing it below.
                self.lab.renew(name)
                Preparation.objects.filter(server=server).delete()
            if drift_of(server, 60):
                self._repair(server, done)
            self.oracle.forget(server)
        except Exception as error:
            traceback.print_exc()
            done.ended += f", {name} could not be healed: {error}"
        finally:
            connections.close_all()

    def _judge(self, done: Run, name: str) -> None:
        """Ask the oracle about one server. One that differs for a known reason is repaired first."""
        try:
            server = self.servers[name]
            with contextlib.suppress(LabError):
                self.oracle.minute(name)
            drifts = drift_of(server, 60)
            if drifts and self._may_differ(server, done):
                self._repair(server, done)
                drifts = drift_of(server, 60)
            if drifts is None:
                done.verdict.stranded.append(f"{name} cannot be reached")
                return
            done.verdict.divergent += [f"{name}: {text(drift)}" for drift in drifts]
            done.ended += "".join(f", {name}: {line}" for line in self.oracle.ask(server, done.verdict))
            if drifts:
                self._repair(server, done)
        finally:
            connections.close_all()

    @staticmethod
    def _may_differ(server: PhysicalServer, done: Run) -> bool:
        parts = Operation.objects.filter(server=server).exclude(started_at=None).order_by("-started_at")
        state = parts.values_list("state", flat=True).first()
        return state == OperationState.NEEDS_ATTENTION or SECOND in done.strikes

    def _repair(self, server: PhysicalServer, done: Run) -> None:
        """Bring one server to what is decided, by the same way that a person has."""
        user = self.users[done.lane]
        with self.mending:
            repair = changes.start_repair(user, [server.pk])
            self._until(repair, lambda c: c.state != ChangeState.PLANNING, PLAN_S)
            try:
                changes.apply_change(user, repair, {row["key"] for row in repair.problems})
            except Conflict as conflict:
                done.ended += f", {server.name} not repaired: {conflict}"
                return
            self._until(repair, lambda c: c.is_terminal, END_S)
        done.ended += f", {server.name} repaired ({repair.state})"
        self._wait_for_ends(done)


def _user(lane: int) -> User:
    """Who makes the Changes of a lane: a user has one draft and one review at a time."""
    name = f"admin{lane}" if lane else "admin"
    user, is_new = User.objects.get_or_create(username=name, defaults={"is_superuser": True})
    if is_new:
        user.set_unusable_password()
        user.save()
    return user
