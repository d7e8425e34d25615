"""The first step of one server's part of a Change, and the way back from it."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils import timezone

from networks.choices import TERMINAL_OPERATION_STATES, OperationState
from networks.engine.hosts import Host, NoAnswer, Reply
from networks.engine.lease import Lease
from networks.engine.operation import TIMEOUT_S, ask, deadline, failed, prepare, server_of
from networks.engine.story import record
from networks.models import Operation


def apply(lease: Lease, operation: Operation) -> None:
    """Run the reviewed plan; afterwards it is applied and armed, or (short path) committed."""
    if operation.state not in (OperationState.QUEUED, OperationState.APPLYING):
        return
    host = Host(server_of(operation))
    # A worker that died may have sent it: then silence says nothing about what the server has done.
    was_sent = operation.state == OperationState.APPLYING
    # First: once it has committed the power may go at any moment, and the boot must know what to bring back.
    prepare(lease, operation)
    record(
        lease,
        operation,
        f"Sending the plan to {operation.server_name}.",
        state=OperationState.APPLYING,
        started_at=operation.started_at or timezone.now(),
        deadline_at=timezone.now() + timedelta(seconds=TIMEOUT_S),
    )
    began = time.monotonic()
    answer = _told_or_asked(lease, operation, host, was_sent)
    operation.timings_ms["apply"] = round((time.monotonic() - began) * 1000)
    _store_applied(lease, operation, answer, was_sent)


def _store_applied(lease: Lease, operation: Operation, answer: Reply, was_sent: bool) -> None:
    """What the server's answer to the plan means. Only "none" and "rolledback" are certain ends."""
    match answer.state:
        case "applied" if not operation.is_guarded:
            record(
                lease,
                operation,
                "Applied, and compared by the server itself. Undecided, it takes it back.",
                state=OperationState.VERIFIED,
                deadline_at=deadline(answer),
                timings_ms=operation.timings_ms,
            )
        case "applied":
            record(
                lease,
                operation,
                "Applied. The dead-man is armed: without confirmation the server takes it back.",
                state=OperationState.APPLIED,
                deadline_at=deadline(answer),
                timings_ms=operation.timings_ms,
            )
        case "committed":
            record(
                lease,
                operation,
                "Applied and committed.",
                state=OperationState.COMMITTED,
                deadline_at=None,
                timings_ms=operation.timings_ms,
            )
        case "rolledback":
            words = answer.words or "The server took it back."
            raise failed(lease, operation, OperationState.ROLLED_BACK, words)
        case "none" if not (was_sent and answer.is_busy):
            words = answer.words or "The server refused it without a word."
            raise failed(lease, operation, OperationState.FAILED, words)
        case state:
            words = f"The server has not ended it ({state}). {answer.words}".strip()
            raise failed(lease, operation, OperationState.IN_DOUBT, words)


def _told_or_asked(lease: Lease, operation: Operation, host: Host, was_sent: bool) -> Reply:
    """Send the plan; if the answer is lost on the way, ask for the outcome until the deadline has passed."""
    arguments = (operation.pk, TIMEOUT_S, operation.digest, operation.host_plan)
    try:
        answer = host.apply(*arguments, hold=_holds(operation))
        if answer.is_busy:
            # A transaction that a crash left, or another panel's: the server knows which.
            recovered = host.recover()
            record(lease, operation, f"The server was busy; recover said: {recovered.state}.")
            answer = host.apply(*arguments, hold=_holds(operation))
        return answer
    except NoAnswer as error:
        if not error.started and not was_sent:
            raise failed(lease, operation, OperationState.FAILED, f"Nothing was sent: {error}") from error
        record(lease, operation, f"The connection was lost ({error}); asking for the outcome.")
        outcome = ask(lease, operation, host)
        if outcome is None:
            words = f"It cannot be reached: {error}"
            raise failed(lease, operation, OperationState.IN_DOUBT, words) from error
        return _barred(lease, operation, host, error) if outcome.state == "none" else outcome


def _barred(lease: Lease, operation: Operation, host: Host, error: NoAnswer) -> Reply:
    """Have the plan refused when it arrives. Where it has begun meanwhile, what became of it.

    It must not be taken back here: another worker may have sent it, and decided, while this one slept.
    """
    lease.check()
    try:
        answer = host.bar(operation.pk)
    except NoAnswer:
        answer = None
    if answer is None or answer.state == "none":
        raise failed(lease, operation, OperationState.IN_DOUBT, f"It may begin yet: {error}") from error
    if answer.state == "rolledback":
        words = f"Nothing was changed: {error}"
        raise failed(lease, operation, OperationState.FAILED, words) from error
    return answer


def _holds(operation: Operation) -> bool:
    """Whether the plan must be told to wait for the decision; a guarded one waits anyway.

    Also one server alone: until the decision anybody's may come first and forbid this one.
    """
    return not operation.is_guarded


def roll_back(lease: Lease, operation: Operation) -> None:
    """Take this server's part back, or leave it to its dead-man if it cannot be reached."""
    if operation.state in TERMINAL_OPERATION_STATES or operation.state == OperationState.IN_DOUBT:
        return
    if operation.state == OperationState.QUEUED:
        record(lease, operation, state=OperationState.CANCELLED)
        return
    record(lease, operation, "Taking it back.", state=OperationState.ROLLING_BACK)
    host = Host(server_of(operation))
    try:
        answer: Reply | None = host.abort(operation.pk)
    except NoAnswer:
        answer = None
    if answer is None or answer.state not in ("rolledback", "committed"):
        answer = ask(lease, operation, host)
    _store_rolled_back(lease, operation, answer)


def _store_rolled_back(lease: Lease, operation: Operation, answer: Reply | None) -> None:
    """What the answer to a roll-back means; None: there was none."""
    words = answer.words if answer else ""
    match answer.state if answer else None:
        case "rolledback":
            record(lease, operation, "As before.", state=OperationState.ROLLED_BACK, deadline_at=None)
            return
        case "none":
            # Nothing has begun, but the server could not be kept from beginning yet.
            text, state = "Nothing has begun there; it is told not to.", OperationState.IN_DOUBT
        case "committed":
            text, state = "The server had committed already.", OperationState.NEEDS_ATTENTION
            words = "The server had committed before the Change failed; it differs from desired."
        case "failed":
            text, state = "The server gave up taking it back.", OperationState.NEEDS_ATTENTION
        case None:
            text = "It cannot be reached; its dead-man takes the change back."
            state = OperationState.IN_DOUBT
        case other:
            text = f"Not taken back yet ({other}); the server goes on by itself and is asked again."
            state = OperationState.IN_DOUBT
    record(lease, operation, text, state=state, message=words or operation.message)
