"""One Change, from claimed to ended.

The order is the promise, wave by wave: apply on all servers (each armed to take it back by itself) - verify
all - give every clock time - decide (one database row) - confirm all - let vzctl's saved configuration
follow.
Any failure before the decision rolls the wave back and begins no other. After it, a server that misses it
takes its change back by itself, is shown as behind, and is brought forward when it answers.

Every step asks the server by transaction id, so a worker that takes over a dead one's Change walks the same
steps again and runs nothing twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

import structlog
from django.db import transaction
from django.utils import timezone

from networks.change_trail import record_change
from networks.choices import IDLE_OPERATION_STATES, ChangeState, OperationState
from networks.domain.waves import MOST
from networks.domain.words import listed
from networks.engine import applying
from networks.engine import operation as steps
from networks.engine.behind import caught_up
from networks.engine.decide import (
    Cancelled,
    DecisionRefused,
    decide,
    is_cancelled,
    is_decided,
    last_wave,
)
from networks.engine.lease import Lease, LeaseLost, claim, is_poisoned, kept_alive
from networks.engine.members import Members
from networks.engine.operation import Step, StepFailed
from networks.models import Change, Operation
from nodes.crew import Crew

log = structlog.get_logger(__name__)

CANCELLED = "Cancelled before it was decided."

MOST_NAMED = 20
"""A result names so many servers of a kind and counts the rest."""


def run_change(change_id: uuid.UUID) -> None:
    """Work on the Change until it has ended, or until another worker has taken it over."""
    lease = claim(change_id)
    if lease is None:
        return
    try:
        with kept_alive(lease), Crew(MOST, "change") as crew:
            _Run(lease, crew).drive()
    except LeaseLost:
        log.warning("change_taken_over", change=str(change_id))


class _PhaseFailed(Exception):
    """At least one server failed a step before the decision; the text is the Change's result."""


class _Stopped(Exception):
    """The Change goes no further than the wave under way; the text is its result."""

    def __init__(self, state: ChangeState, result: str) -> None:
        super().__init__(result)
        self.state = state


class _Run:
    def __init__(self, lease: Lease, crew: Crew) -> None:
        self.lease = lease
        self.crew = crew
        self.change = Change.objects.get(pk=lease.change_id)
        self._read: dict[int, list[Operation]] = {}
        """Operations by wave, read once and then kept as steps write them: nobody else writes them."""

    def drive(self) -> None:
        """Take the Change from where it is to its end."""
        if is_poisoned(self.change):
            self._give_up()
            return
        if self.change.started_at is None:
            self.lease.update(started_at=timezone.now())
        last = last_wave(self.change)
        try:
            for wave in range(1, last + 1):
                self._run_wave(wave)
                if wave < last:
                    self._stop_if_missed(wave)
        except _Stopped as stop:
            self._end(stop.state, str(stop))
            return
        self._end_decided()

    def _run_wave(self, wave: int) -> None:
        self._read.clear()
        if is_decided(self.change, wave):
            if all(op.is_terminal for op in self._operations(wave)):
                self._tell_caught_up(wave)
                return
        elif self.change.state == ChangeState.ROLLING_BACK:
            raise self._roll_back(wave, self.change.result)
        else:
            try:
                self._make_ready(wave)
            except (_PhaseFailed, DecisionRefused) as failure:
                raise self._roll_back(wave, str(failure)) from failure
        self._follow_through(wave)

    def _stop_if_missed(self, wave: int) -> None:
        """What one wave did not bring to its end, no other server is put through."""
        missed = [op.server_name for op in self._operations(wave) if op.state != OperationState.DONE]
        if missed:
            why = f"Wave {wave} was decided, but {', '.join(missed)} did not follow."
            raise _Stopped(ChangeState.PARTLY, f"{why} {self._tally()}")

    def _give_up(self) -> None:
        # Also of one that ends between two waves: the first may have committed.
        caught_up(self.change, list(self.change.operations.filter(state=OperationState.DONE)))
        workers = f"{self.change.attempts - 1} workers gave up on it."
        if self.change.decided_at is not None:
            self._end(
                ChangeState.BEHIND,
                f"{workers} It was decided; the servers are asked whether they have committed. "
                "Look at the workers' logs.",
            )
            return
        self._end(
            ChangeState.PARTLY if self.change.decisions.exists() else ChangeState.NEEDS_ATTENTION,
            f"{workers} The servers have taken it back or will; "
            "look at the workers' logs, then apply the draft again.",
        )

    def _make_ready(self, wave: int) -> None:
        self._phase(wave, ChangeState.APPLYING, applying.apply)
        self._phase(wave, ChangeState.VERIFYING, steps.verify, steps.is_to_verify)
        if failures := self._compare([one for one in self._operations(wave) if one.is_guarded]):
            raise _PhaseFailed(" ".join(failures))
        self._check_members(wave)
        self._phase(wave, ChangeState.VERIFYING, steps.extend, steps.is_to_extend)
        self._check_clocks(wave)
        self._stop_if_cancelled(wave)
        try:
            decide(self.lease, self.change, wave)
        except Cancelled:
            raise _PhaseFailed(CANCELLED) from None
        self.change.refresh_from_db()

    def _check_members(self, wave: int) -> None:
        try:
            members = Members(self.change, wave, self._operations(wave))
            if not members.questions:
                return
            self._phase(wave, ChangeState.VERIFYING, steps.extend, steps.is_to_extend)
            unheard = members.unheard()
        except (LeaseLost, _PhaseFailed):
            raise
        except Exception:  # what cannot be asked is unknown, and unknown is no reason to take anything back
            log.exception("members_not_asked", change=str(self.change.pk))
            return
        if unheard:
            raise _PhaseFailed(" ".join(unheard))

    def _check_clocks(self, wave: int = 1) -> None:
        """While the slowest server answered, the clocks of the others ran on."""
        late = [
            op.server_name
            for op in self._operations(wave)
            if op.state == OperationState.VERIFIED and steps.seconds_left(op) < steps.LEAST_LEFT_S
        ]
        if late:
            raise _PhaseFailed(f"Too little time was left to decide on {', '.join(late)}.")

    def _phase(
        self, wave: int, state: ChangeState, step: Step, concerns: Callable[[Operation], bool] | None = None
    ) -> None:
        """Run the step for every server of the wave, or those that it `concerns`."""
        self._stop_if_cancelled(wave)
        self.lease.update(state=state)
        failures = self._each(wave, step, concerns)
        if failures:
            raise _PhaseFailed(" ".join(failures))

    def _stop_if_cancelled(self, wave: int) -> None:
        self.change.refresh_from_db(fields=["cancel_requested_at"])
        if is_cancelled(self.change, wave):
            raise _PhaseFailed(CANCELLED)

    def _follow_through(self, wave: int) -> None:
        self.lease.update(state=ChangeState.DECIDED)
        self._each(wave, steps.confirm)
        self._each(wave, steps.follow, steps.is_to_follow)
        self._tell_caught_up(wave)
        self._compare(self._operations(wave))

    def _tell_caught_up(self, wave: int) -> None:
        caught_up(self.change, [one for one in self._operations(wave) if one.state == OperationState.DONE])

    def _compare(self, operations: list[Operation]) -> list[str]:
        """Compare these with what was planned, by looks that came with a verb, or by asking for one.

        Sentences about those that differ before the decision; later that only stands in their story.
        """
        try:
            unseen, failures = steps.compare_heard(self.lease, operations)
        except LeaseLost:
            raise
        except Exception:  # what cannot be stored together has its own chance, and its own error
            log.exception("not_stored_together", change=str(self.change.pk))
            unseen, failures = operations, []
        return failures + (self._all(unseen, steps.compare) if unseen else [])

    def _end_decided(self) -> None:
        behind = self.change.operations.exclude(state=OperationState.DONE)
        if names := ", ".join(behind.values_list("server_name", flat=True)):
            self._end(ChangeState.BEHIND, f"Decided, but not yet on {names}.")
        else:
            self._end(ChangeState.DONE, "")

    def _roll_back(self, wave: int, why: str) -> _Stopped:
        self.lease.update(state=ChangeState.ROLLING_BACK, result=why)
        self._each(wave, applying.roll_back)
        operations = self._operations(wave)
        doubtful = [op for op in operations if op.state == OperationState.IN_DOUBT]
        if doubtful:
            names = ", ".join(op.server_name for op in doubtful)
            why += f" {names} could not be asked; it takes the change back by itself."
        self.change.refresh_from_db(fields=["cancel_requested_at"])
        state = ChangeState.CANCELLED if self.change.cancel_requested_at else ChangeState.FAILED
        if self.change.decisions.exists():
            state = ChangeState.PARTLY
        if kept := [op for op in operations if op.state == OperationState.NEEDS_ATTENTION]:
            state = ChangeState.NEEDS_ATTENTION
            names = ", ".join(op.server_name for op in kept)
            why += f" {names} could not take it back and may differ from what was decided: see there."
        if last_wave(self.change) > 1:
            why = f"{why.rstrip('.')}. {self._tally()}"
        return _Stopped(state, why)

    def _tally(self) -> str:
        """Which servers have it, which took it back, which were not begun."""
        groups: dict[str, list[str]] = {}
        for op in self.change.operations.all():
            groups.setdefault(_ENDS.get(OperationState(op.state), "In doubt"), []).append(op.server_name)
        return " ".join(f"{end}: {listed(names, MOST_NAMED)}." for end, names in sorted(groups.items()))

    def _end(self, state: ChangeState, result: str) -> None:
        """End the Change. What its servers were told and did not settle, the sweeper asks them."""
        now = timezone.now()
        with transaction.atomic():
            self.lease.update(state=state, result=result, ended_at=now)
            left = self.change.operations.exclude(state__in=IDLE_OPERATION_STATES)
            left.filter(state=OperationState.QUEUED).update(state=OperationState.CANCELLED, ended_at=now)
            left.exclude(state=OperationState.QUEUED).update(state=OperationState.IN_DOUBT)
            record_change("ended", self.change, f"{ChangeState(state).label}. {result}".strip())
        log.info("change_ended", change=str(self.change.pk), state=state)

    def _operations(self, wave: int) -> list[Operation]:
        """The wave's operations that take part, read once a wave: steps keep them as they write them."""
        if wave not in self._read:
            self._read[wave] = self._read_operations(wave)
        return self._read[wave]

    def _read_operations(self, wave: int) -> list[Operation]:
        taking_part = self.change.operations.filter(wave=wave)
        for state in (OperationState.LEFT_OUT, OperationState.BEHIND):
            taking_part = taking_part.exclude(state=state, started_at=None)
        # Of the review, and for pages only.
        taking_part = taking_part.defer("commands", "notes", "refusals")
        servers = taking_part.select_related("server__preparation")
        # A credential that many of them have is read, and its secret opened, once.
        found = list(servers.prefetch_related("server__credential", "server__host_keys"))
        for operation in found:
            operation.change = self.change
        return found

    def _each(self, wave: int, step: Step, concerns: Callable[[Operation], bool] | None = None) -> list[str]:
        """Run the step for every server of the wave, or those that it concerns, at the same time.

        Sentences about those that failed.
        """
        return self._all([op for op in self._operations(wave) if concerns is None or concerns(op)], step)

    def _all(self, operations: Sequence[Operation], step: Step) -> list[str]:
        results = self.crew.each(_guarded(step, self.lease), operations)
        self.lease.check()
        return [text for text in results if text]


_ENDS = {
    OperationState.DONE: "Done",
    OperationState.BEHIND: "Behind",
    OperationState.LEFT_OUT: "Left out",
    OperationState.ROLLED_BACK: "Rolled back",
    OperationState.FAILED: "Unchanged",
    OperationState.QUEUED: "Not begun",
    OperationState.CANCELLED: "Not begun",
    OperationState.NEEDS_ATTENTION: "Needs attention",
}


def _guarded(step: Step, lease: Lease) -> Callable[[Operation], str]:
    """The step as a function that never raises, but for a lost lease: one server must not stop the others."""

    def run(operation: Operation) -> str:
        try:
            with lease.writes.at_work():
                step(lease, operation)
            return ""
        except StepFailed as failure:
            return f"{operation.server_name}: {failure}"
        except LeaseLost:
            return ""
        except Exception as error:
            log.exception("step_failed", operation=str(operation.pk), step=step.__name__)
            return f"{operation.server_name}: unexpected {type(error).__name__}; the worker's log has it."

    return run
