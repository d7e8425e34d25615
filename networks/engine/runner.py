"""One Change, from claimed to ended.

The order is the promise: apply on all servers (each armed to take it back by itself) - verify all - give
every clock time - decide (one database row) - confirm all - let vzctl's saved configuration follow. Any
failure before the decision rolls all back. After it, a server that misses it takes its change back by itself,
is shown as behind, and is brought forward when it answers.

Every step asks the server by transaction id, so a worker that takes over a dead one's Change walks the same
steps again and runs nothing twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import connections, transaction
from django.utils import timezone

from networks.change_trail import record_change
from networks.choices import IDLE_OPERATION_STATES, ChangeState, OperationState
from networks.engine import operation as steps
from networks.engine.decide import Cancelled, DecisionRefused, decide, is_cancelled
from networks.engine.lease import Lease, LeaseLost, claim, is_poisoned, kept_alive
from networks.engine.operation import Step, StepFailed
from networks.models import Change, Operation

log = structlog.get_logger(__name__)

CANCELLED = "Cancelled before it was decided."

WIDTH = 20
"""Servers of one Change that are talked to at the same time."""


def run_change(change_id: uuid.UUID) -> None:
    """Work on the Change until it has ended, or until another worker has taken it over."""
    lease = claim(change_id)
    if lease is None:
        return
    try:
        with kept_alive(lease):
            _Run(lease).drive()
    except LeaseLost:
        log.warning("change_taken_over", change=str(change_id))


class _PhaseFailed(Exception):
    """At least one server failed a step before the decision; the text is the Change's result."""


class _Run:
    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.change = Change.objects.get(pk=lease.change_id)

    def drive(self) -> None:
        """Take the Change from where it is to its end."""
        if is_poisoned(self.change):
            self._give_up()
            return
        if self.change.started_at is None:
            self.lease.update(started_at=timezone.now())
        if self.change.decided_at is None:
            if self.change.state == ChangeState.ROLLING_BACK:
                self._roll_back(self.change.result)
                return
            try:
                self._make_ready()
            except (_PhaseFailed, DecisionRefused) as failure:
                self._roll_back(str(failure))
                return
        self._follow_through()

    def _give_up(self) -> None:
        workers = f"{self.change.attempts - 1} workers gave up on it."
        if self.change.decided_at is not None:
            self._end(
                ChangeState.BEHIND,
                f"{workers} It was decided; the servers are asked whether they have committed. "
                "Look at the workers' logs.",
            )
            return
        self._end(
            ChangeState.NEEDS_ATTENTION,
            f"{workers} The servers have taken it back or will; "
            "look at the workers' logs, then apply the draft again.",
        )

    def _make_ready(self) -> None:
        self._phase(ChangeState.APPLYING, steps.apply)
        self._phase(ChangeState.VERIFYING, steps.verify)
        self._phase(ChangeState.VERIFYING, steps.extend)
        self._check_clocks()
        self._stop_if_cancelled()
        try:
            decide(self.lease, self.change)
        except Cancelled:
            raise _PhaseFailed(CANCELLED) from None
        self.change.refresh_from_db()

    def _check_clocks(self) -> None:
        """While the slowest server answered, the clocks of the others ran on."""
        late = [
            op.server_name
            for op in self._operations()
            if op.state == OperationState.VERIFIED and steps.seconds_left(op) < steps.LEAST_LEFT_S
        ]
        if late:
            raise _PhaseFailed(f"Too little time was left to decide on {', '.join(late)}.")

    def _phase(self, state: ChangeState, step: Step) -> None:
        self._stop_if_cancelled()
        self.lease.update(state=state)
        failures = self._each(step)
        if failures:
            raise _PhaseFailed(" ".join(failures))

    def _stop_if_cancelled(self) -> None:
        self.change.refresh_from_db(fields=["cancel_requested_at"])
        if is_cancelled(self.change):
            raise _PhaseFailed(CANCELLED)

    def _follow_through(self) -> None:
        self.lease.update(state=ChangeState.DECIDED)
        self._each(steps.confirm)
        self._each(steps.follow)
        self._each(steps.look)
        behind = [op for op in self._operations() if op.state != OperationState.DONE]
        if behind:
            names = ", ".join(op.server_name for op in behind)
            self._end(ChangeState.BEHIND, f"Decided, but not yet on {names}.")
        else:
            self._end(ChangeState.DONE, "")

    def _roll_back(self, why: str) -> None:
        self.lease.update(state=ChangeState.ROLLING_BACK, result=why)
        self._each(steps.roll_back)
        doubtful = [op for op in self._operations() if op.state == OperationState.IN_DOUBT]
        if doubtful:
            names = ", ".join(op.server_name for op in doubtful)
            why += f" {names} could not be asked; it takes the change back by itself."
        self.change.refresh_from_db(fields=["cancel_requested_at"])
        state = ChangeState.CANCELLED if self.change.cancel_requested_at else ChangeState.FAILED
        if kept := [op for op in self._operations() if op.state == OperationState.NEEDS_ATTENTION]:
            state = ChangeState.NEEDS_ATTENTION
            names = ", ".join(op.server_name for op in kept)
            why += f" {names} could not take it back and may differ from what was decided: see there."
        self._end(state, why)

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

    def _operations(self) -> list[Operation]:
        return list(self.change.operations.select_related("server__credential"))

    def _each(self, step: Step) -> list[str]:
        """Run the step for every server at the same time; sentences about those that failed."""
        operations = self._operations()
        if not operations:
            return []
        with ThreadPoolExecutor(min(WIDTH, len(operations)), thread_name_prefix="change") as threads:
            results = list(threads.map(_guarded(step, self.lease), operations))
        self.lease.check()
        return [text for text in results if text]


def _guarded(step: Step, lease: Lease) -> Callable[[Operation], str]:
    """The step as a function that never raises, but for a lost lease: one server must not stop the others."""

    def run(operation: Operation) -> str:
        try:
            step(lease, operation)
            return ""
        except StepFailed as failure:
            return f"{operation.server_name}: {failure}"
        except LeaseLost:
            return ""
        except Exception as error:
            log.exception("step_failed", operation=str(operation.pk), step=step.__name__)
            return f"{operation.server_name}: unexpected {type(error).__name__}; the worker's log has it."
        finally:
            connections.close_all()

    return run
