"""The steps of one server's part of a Change. Each may be repeated: the server is asked before it is told.

A step returns when the server has got there, and raises StepFailed with a sentence for the page otherwise.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from networks.choices import TERMINAL_OPERATION_STATES, OperationState
from networks.desired import head, head_number
from networks.domain.inventory import ServerView
from networks.domain.state import AddMember, Desired, InterfaceKey
from networks.domain.verify import mismatches
from networks.drift import not_known
from networks.engine.behind import caught_up, missed_decision
from networks.engine.hosts import Host, NoAnswer, Reply
from networks.engine.lease import Lease
from networks.engine.story import record
from networks.host import script_digest
from networks.models import Operation, Preparation
from networks.ours import ours_of
from networks.state_json import load_edits
from nodes.models import PhysicalServer
from nodes.observe import LookFailed
from nodes.observe import look as look_at

Step = Callable[[Lease, Operation], None]

TIMEOUT_S = 60
"""Seconds until a server takes an unconfirmed change back."""
LEAST_LEFT_S = 30
"""Seconds that every clock must still have when the decision is made."""
EXTEND_BELOW_S = 50
"""Below this a clock is moved: the slowest server of the step may need 20 s to answer."""
POLL_S = 1.0
ASK_S = 20
"""How long a server that fell silent before the decision is waited for; it takes its change back itself."""
FOLLOW_AGAIN_S = 30
FOLLOWS_LATER = "saved configuration"
"""The property (of domain/verify.py) that agrees only after the commit: vzctl saves outside any rollback."""

CONFIRM_GAP_S = 3.05
"""The server wants its two confirmations 3 seconds apart (networks/host/README.md)."""
_first_confirmed: dict[uuid.UUID, float] = {}
"""When this process made the first one, by operation. A worker that takes over asks until it is time."""


class StepFailed(Exception):
    """The server did not get there; the text says why, in its own words where it had any."""


def server_of(operation: Operation) -> PhysicalServer:
    """The operation's server; StepFailed if it was removed from the panel meanwhile."""
    if operation.server is None:
        raise StepFailed("The server was removed from the panel.")
    return operation.server


def apply(lease: Lease, operation: Operation) -> None:
    """Run the reviewed plan; afterwards it is applied and armed, or (short path) committed."""
    if operation.state not in (OperationState.QUEUED, OperationState.APPLYING):
        return
    host = Host(server_of(operation))
    # A worker that died may have sent it: then silence says nothing about what the server has done.
    was_sent = operation.state == OperationState.APPLYING
    # First: once it has committed the power may go at any moment, and the boot must know what to bring back.
    _prepare(lease, operation)
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
                deadline_at=_deadline(answer),
                timings_ms=operation.timings_ms,
            )
        case "applied":
            record(
                lease,
                operation,
                "Applied. The dead-man is armed: without confirmation the server takes it back.",
                state=OperationState.APPLIED,
                deadline_at=_deadline(answer),
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
            raise _failed(lease, operation, OperationState.ROLLED_BACK, words)
        case "none" if not (was_sent and answer.is_busy):
            words = answer.words or "The server refused it without a word."
            raise _failed(lease, operation, OperationState.FAILED, words)
        case state:
            words = f"The server has not ended it ({state}). {answer.words}".strip()
            raise _failed(lease, operation, OperationState.IN_DOUBT, words)


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
            raise _failed(lease, operation, OperationState.FAILED, f"Nothing was sent: {error}") from error
        record(lease, operation, f"The connection was lost ({error}); asking for the outcome.")
        outcome = ask(lease, operation, host, ASK_S)
        if outcome is None:
            words = f"It cannot be reached: {error}"
            raise _failed(lease, operation, OperationState.IN_DOUBT, words) from error
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
        raise _failed(lease, operation, OperationState.IN_DOUBT, f"It may begin yet: {error}") from error
    if answer.state == "rolledback":
        words = f"Nothing was changed: {error}"
        raise _failed(lease, operation, OperationState.FAILED, words) from error
    return answer


def _holds(operation: Operation) -> bool:
    """Whether the plan must be told to wait for the decision; a guarded one waits anyway.

    Also one server alone: until the decision anybody's may come first and forbid this one.
    """
    return not operation.is_guarded


def ask(lease: Lease, operation: Operation, host: Host, within_s: float) -> Reply | None:
    """The transaction's settled state, asked over new connections until it answers; None if it does not."""
    until = time.monotonic() + within_s
    while True:
        lease.check()
        try:
            answer = host.status(operation.pk)
            if answer.state not in ("preparing", "applying", "rollingback"):
                return answer
        except NoAnswer:
            pass
        if time.monotonic() > until:
            return None
        time.sleep(POLL_S)


def verify(lease: Lease, operation: Operation) -> None:
    """Reach the server over a new connection (the first confirmation) and compare what is there now.

    Where no address of the server was touched it cannot have been lost, and its script has compared already.
    """
    if not operation.is_guarded:
        return
    host = Host(server_of(operation))
    if operation.state == OperationState.APPLIED:
        answer = _confirmed(lease, operation, host, 1)
        if answer is None or not answer.ok:
            words = answer.words if answer else "it cannot be reached over a new connection"
            raise StepFailed(f"Not confirmed: {words}")
        _first_confirmed[operation.pk] = time.monotonic()
        record(lease, operation, "Reached over a new connection.", state=OperationState.VERIFIED)
    _compare(lease, operation)


def _compare(lease: Lease, operation: Operation) -> None:
    texts = _differences(operation)
    if not texts:
        return
    if operation.state in (OperationState.COMMITTED, OperationState.DONE):
        # It has ended there already: failing now would only leave desired behind the server.
        record(lease, operation, f"Looked at after the commit: {texts}")
    else:
        raise StepFailed(f"The server is not as planned: {texts}")


def _differences(operation: Operation) -> str:
    """What a look finds otherwise than the Change would have it, as one text; "" if nothing."""
    server = server_of(operation)
    desired, added = _wanted_by(operation)
    try:
        facts = look_at(server, ours_of(desired, server.pk))
    except LookFailed as failure:
        return f"it could not be looked at after the change: {failure}"
    view = ServerView(server.pk, server.name, dialect=facts.vzctl_dialect, facts=facts)
    different = [
        m
        # Drift stood before: it is shown as such and never stops an unrelated edit.
        for m in not_known(server.pk, mismatches(view, desired, facts))
        # A member whose container is gone was reviewed as such: it must not stop unrelated edits for ever.
        if m.property != FOLLOWS_LATER and not (m.property == "interface" and m.subject not in added)
    ]
    return "; ".join(
        f"{m.link or m.property}: {m.property} is {m.observed}, not {m.desired}" for m in different[:5]
    )


_wanted: dict[tuple[uuid.UUID, str, int, int], tuple[Desired, frozenset[InterfaceKey]]] = {}
_wanted_lock = threading.Lock()


def _wanted_by(operation: Operation) -> tuple[Desired, frozenset[InterfaceKey]]:
    """What the operation's wave makes of the newest desired, and the members that the Change adds.

    The same for all servers of a wave, and long where these are many: worked out once.
    """
    from networks.engine.decide import settled

    change, wave = operation.change, operation.wave
    key = (change.pk, change.edits, wave, head_number())
    with _wanted_lock:
        if key not in _wanted:
            _wanted.clear()
            added = frozenset(e.interface for e in load_edits(change.edits) if isinstance(e, AddMember))
            _wanted[key] = settled(change, head().state, wave), added
        return _wanted[key]


def seconds_left(operation: Operation) -> float:
    """Until its dead-man fires; 0 if that is not known."""
    return (operation.deadline_at - timezone.now()).total_seconds() if operation.deadline_at else 0.0


def extend(lease: Lease, operation: Operation) -> None:
    """Give the server's clock at least LEAST_LEFT_S seconds before the decision."""
    if operation.state != OperationState.VERIFIED:
        return
    if seconds_left(operation) >= EXTEND_BELOW_S:
        return
    try:
        answer = Host(server_of(operation)).extend(operation.pk, TIMEOUT_S)
    except NoAnswer as error:
        raise StepFailed(f"Its deadline could not be moved: {error}") from error
    if not answer.ok:
        raise StepFailed(f"Its deadline could not be moved: {answer.words}")
    record(lease, operation, "Deadline moved.", deadline_at=_deadline(answer))


def confirm(lease: Lease, operation: Operation) -> None:
    """The second confirmation, after the decision: the server commits. A missed one leaves it behind."""
    if operation.state in (OperationState.COMMITTED, OperationState.DONE):
        return
    if operation.state not in (OperationState.VERIFIED, OperationState.CONFIRMING, OperationState.IN_DOUBT):
        return
    if operation.is_guarded:
        record(lease, operation, "Decided; confirming.", state=OperationState.CONFIRMING)
        # Asked earlier, the server says no, and each time has cost it a connection.
        first = _first_confirmed.pop(operation.pk, -CONFIRM_GAP_S)
        time.sleep(max(0.0, first + CONFIRM_GAP_S - time.monotonic()))
    host = Host(server_of(operation))
    answer = (
        _confirmed(lease, operation, host, 2) if operation.is_guarded else _settled(lease, operation, host)
    )
    if answer is not None and answer.ok and answer.state == "committed":
        for note in answer.answer.warnings:
            record(lease, operation, note.text)
        if answer.answer.get("follows") == "agrees" and _is_prepared(operation):
            record(
                lease,
                operation,
                "Committed; vzctl's saved configuration agrees.",
                state=OperationState.DONE,
                deadline_at=None,
                must_follow=False,
            )
            caught_up(operation)
            return
        record(lease, operation, "Committed.", state=OperationState.COMMITTED, deadline_at=None)
        return
    settled = ask(lease, operation, host, 10)
    if settled is not None and settled.state == "committed":
        record(lease, operation, "Committed.", state=OperationState.COMMITTED, deadline_at=None)
        return
    words = (answer.words if answer else "") or "it could not be reached in time"
    if settled is None or settled.state not in ("rolledback", "none"):
        # It may have committed with the answer lost: only the server can say, and the sweeper asks it.
        raise _failed(lease, operation, OperationState.IN_DOUBT, f"Not known whether it committed: {words}")
    failed = _failed(lease, operation, OperationState.BEHIND, f"Missed the decision: {words}")
    missed_decision(operation, str(failed))
    raise failed


def _settled(lease: Lease, operation: Operation, host: Host) -> Reply | None:
    """Tell a held change that it stays, until the server has answered or its deadline has passed."""
    return _asked_until_deadline(lease, operation, lambda: host.settle(operation.pk))


def _confirmed(lease: Lease, operation: Operation, host: Host, step: int) -> Reply | None:
    """Confirm over new connections until the server has answered or its deadline has passed."""
    return _asked_until_deadline(lease, operation, lambda: host.confirm(operation.pk, step))


def _asked_until_deadline(lease: Lease, operation: Operation, ask_it: Callable[[], Reply]) -> Reply | None:
    while True:
        lease.check()
        try:
            answer = ask_it()
            if not answer.is_busy:
                return answer
        except NoAnswer as error:
            record(lease, operation, f"The confirmation did not get through: {error}")
        if operation.deadline_at is None or timezone.now() >= operation.deadline_at:
            return None
        time.sleep(POLL_S)


def follow(lease: Lease, operation: Operation) -> None:
    """Let vzctl's saved configuration follow; what does not agree yet is replayed by the sweeper."""
    if operation.state != OperationState.COMMITTED:
        return
    _prepare(lease, operation)
    words = ""
    try:
        answer = Host(server_of(operation)).follow(operation.pk)
        agrees, words = answer.ok, answer.words
        for note in answer.answer.warnings:
            record(lease, operation, note.text)
    except NoAnswer as error:
        agrees, words = False, str(error)
    if agrees:
        record(lease, operation, "Done.", state=OperationState.DONE, must_follow=False)
    else:
        record(
            lease,
            operation,
            f"vzctl has not done all of it yet ({words}); it is tried again.",
            state=OperationState.DONE,
            message=f"Not all is done by vzctl yet, and it is tried again. {words}",
            must_follow=True,
            follow_attempts=F("follow_attempts") + 1,
            next_follow_at=timezone.now() + timedelta(seconds=FOLLOW_AGAIN_S),
        )
    caught_up(operation)


def _is_prepared(operation: Operation) -> bool:
    return Preparation.objects.filter(server=operation.server, script=script_digest()).exists()


def _prepare(lease: Lease, operation: Operation) -> None:
    """Once per server and version of the script: what was committed must also be there after a reboot."""
    if _is_prepared(operation):
        return
    try:
        reply = Host(server_of(operation)).prepare()
    except NoAnswer as error:
        record(lease, operation, f"Not prepared for a reboot yet: {error}")
        return
    if not reply.ok:
        record(lease, operation, f"Not prepared for a reboot yet: {reply.words}")
        return
    warnings = [note.text for note in reply.answer.warnings]
    Preparation.objects.update_or_create(
        server=operation.server,
        defaults={"script": script_digest(), "hook": reply.answer.get("hook"), "warnings": warnings},
    )
    record(lease, operation, " ".join(["Prepared for a reboot.", *warnings]))


def look(lease: Lease, operation: Operation) -> None:
    """Store what is on the server now, so that the pages show it at once."""
    if not operation.is_guarded:
        _compare(lease, operation)
        return
    try:
        server = server_of(operation)
        look_at(server, ours_of(head().state, server.pk))
    except LookFailed as failure:
        record(lease, operation, f"Not looked at afterwards: {failure}")


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
        answer = ask(lease, operation, host, ASK_S)
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


def _failed(lease: Lease, operation: Operation, state: OperationState, words: str) -> StepFailed:
    record(lease, operation, words, state=state, message=words)
    return StepFailed(words)


def _deadline(answer: Reply) -> Any:
    """When the dead-man fires, on our clock: the server gives seconds left, never its wall clock."""
    return timezone.now() + timedelta(seconds=answer.seconds_left or 0)
