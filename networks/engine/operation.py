"""The steps of one server's part of a Change. Each may be repeated: the server is asked before it is told.

A step returns when the server has got there, and raises StepFailed with a sentence for the page otherwise.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from networks.choices import OperationState
from networks.engine.behind import missed_decision
from networks.engine.comparing import differences, differences_heard
from networks.engine.hosts import ANSWER_DEADLINE_S, Host, NoAnswer, Reply
from networks.engine.lease import Lease
from networks.engine.story import record
from networks.host import script_digest
from networks.models import Operation, Preparation
from nodes.crew import by_whoever_waits
from nodes.models import PhysicalServer
from nodes.observe import Heard
from nodes.sync_rows import fit
from nodes.together import Together

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

CONFIRM_GAP_S = 3.05
"""The server wants its two confirmations 3 seconds apart (networks/host/README.md)."""
_first_confirmed: dict[uuid.UUID, float] = {}
"""When this process made the first one, by operation. A worker that takes over asks until it is time."""
_heard: WeakKeyDictionary[Operation, Heard] = WeakKeyDictionary()
"""Looks that servers took with a verb, until they are stored; a worker that takes over asks for others."""


class StepFailed(Exception):
    """The server did not get there; the text says why, in its own words where it had any."""


def server_of(operation: Operation) -> PhysicalServer:
    """The operation's server; StepFailed if it was removed from the panel meanwhile."""
    if operation.server is None:
        raise StepFailed("The server was removed from the panel.")
    return operation.server


def ask(lease: Lease, operation: Operation, host: Host, within_s: float | None = None) -> Reply | None:
    """The transaction's settled state, asked over new connections until it answers; None if it does not."""
    until = time.monotonic() + (ASK_S if within_s is None else within_s)
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


def is_to_verify(operation: Operation) -> bool:
    """Where no address of the server was touched it cannot have been lost, and its script has compared."""
    return operation.is_guarded and operation.state == OperationState.APPLIED


def verify(lease: Lease, operation: Operation) -> None:
    """Reach the server over a new connection: the first confirmation."""
    if not is_to_verify(operation):
        return
    host = Host(server_of(operation))
    answer, heard = _confirmed(lease, operation, host, 1)
    if answer is None or not answer.ok:
        words = answer.words if answer else "it cannot be reached over a new connection"
        raise StepFailed(f"Not confirmed: {words}")
    look_s = 0.0
    if heard is not None:
        _heard[operation] = heard
        look_s = (heard.words.duration_ms - heard.words.connect_ms) / 1000
    _first_confirmed[operation.pk] = time.monotonic() - look_s
    record(lease, operation, "Reached over a new connection.", state=OperationState.VERIFIED)


def compare(lease: Lease, operation: Operation) -> None:
    """Look at the server, so that the pages show it at once, and compare it with what was planned."""
    _as_planned(lease, operation, differences(operation, server_of(operation)))


def _as_planned(lease: Lease, operation: Operation, texts: str) -> None:
    if not texts:
        return
    if operation.state in (OperationState.COMMITTED, OperationState.DONE):
        # It has ended there already: failing now would only leave desired behind the server.
        record(lease, operation, f"Looked at after the commit: {texts}")
    else:
        raise StepFailed(f"The server is not as planned: {texts}")


def seconds_left(operation: Operation) -> float:
    """Until its dead-man fires; 0 if that is not known.

    Never more than any server is given: the panel's clock may have been set back since.
    """
    if operation.deadline_at is None:
        return 0.0
    left = (operation.deadline_at - timezone.now()).total_seconds()
    return min(left, TIMEOUT_S)


def is_to_extend(operation: Operation) -> bool:
    """Whether the server's clock may have too little left at the decision."""
    return operation.state == OperationState.VERIFIED and seconds_left(operation) < EXTEND_BELOW_S


def extend(lease: Lease, operation: Operation) -> None:
    """Give the server's clock at least LEAST_LEFT_S seconds before the decision."""
    if not is_to_extend(operation):
        return
    try:
        answer = Host(server_of(operation)).extend(operation.pk, TIMEOUT_S)
    except NoAnswer as error:
        raise StepFailed(f"Its deadline could not be moved: {error}") from error
    if not answer.ok:
        raise StepFailed(f"Its deadline could not be moved: {answer.words}")
    record(lease, operation, "Deadline moved.", deadline_at=deadline(answer))


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
    if operation.is_guarded:
        answer, heard = _confirmed(lease, operation, host, 2)
    else:
        answer, heard = _settled(lease, operation, host)
    if answer is not None and answer.ok and answer.state == "committed":
        for note in answer.answer.warnings:
            record(lease, operation, note.text)
        # Where vzctl has still to do something, or the server to be prepared, another look comes after that.
        if answer.answer.get("follows") == "agrees" and is_prepared(operation):
            if heard is not None:
                _heard[operation] = heard
            record(
                lease,
                operation,
                "Committed; vzctl's saved configuration agrees.",
                state=OperationState.DONE,
                deadline_at=None,
                must_follow=False,
                # Ended before the look began: what that finds is judged.
                ended_at=heard.at if heard is not None else timezone.now(),
            )
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
        raise failed(lease, operation, OperationState.IN_DOUBT, f"Not known whether it committed: {words}")
    words = f"Missed the decision: {words}"
    # Before the operation is said to have ended: nobody asks again then, and the server would stay behind.
    by_whoever_waits(lambda: _missed(lease, operation, words))
    raise failed(lease, operation, OperationState.BEHIND, words)


def _missed(lease: Lease, operation: Operation, words: str) -> None:
    with transaction.atomic():
        lease.update()  # the fence
        missed_decision(operation, words)


Asked = tuple[Reply | None, Heard | None]
"""An answer, None if there was none until the deadline; and the look that came with it, if one did."""


def _settled(lease: Lease, operation: Operation, host: Host) -> Asked:
    """Tell a held change that it stays."""
    txid = operation.pk
    return _asked_until_deadline(
        lease, operation, lambda: host.settle_and_look(txid), lambda: host.settle(txid)
    )


def _confirmed(lease: Lease, operation: Operation, host: Host, stage: int) -> Asked:
    """Confirm a guarded change over new connections."""
    txid = operation.pk
    return _asked_until_deadline(
        lease,
        operation,
        lambda: host.confirm_and_look(txid, stage, _patience_s(operation, stage)),
        lambda: host.confirm(txid, stage),
    )


def _patience_s(operation: Operation, stage: int) -> float:
    """How long a first try may take: the server can be asked again, over another connection, in time.

    vzctl follows the second confirmation, which takes as long as it takes.
    """
    if stage == 1:
        return ANSWER_DEADLINE_S
    return max(ANSWER_DEADLINE_S, seconds_left(operation) - ANSWER_DEADLINE_S - POLL_S)


def _asked_until_deadline(
    lease: Lease,
    operation: Operation,
    and_look: Callable[[], tuple[Reply, Heard | None]],
    ask_it: Callable[[], Reply],
) -> Asked:
    """Ask until the server has answered or its deadline has passed.

    The server is to look as well, until it did not answer: then the verb is all that it is asked for.
    """
    is_silent = False
    until = time.monotonic() + seconds_left(operation)
    while True:
        lease.check()
        try:
            answer, heard = (ask_it(), None) if is_silent else and_look()
            if not answer.is_busy:
                return answer, heard
        except NoAnswer as error:
            record(lease, operation, f"The confirmation did not get through: {error}")
            is_silent = True
        if time.monotonic() >= until:
            return None, None
        time.sleep(POLL_S)


def is_to_follow(operation: Operation) -> bool:
    """Whether it has committed, and what follows the commit has not been done or given to the sweeper."""
    return operation.state == OperationState.COMMITTED


def follow(lease: Lease, operation: Operation) -> None:
    """Let vzctl's saved configuration follow; what does not agree yet is replayed by the sweeper."""
    if not is_to_follow(operation):
        return
    prepare(lease, operation)
    words = ""
    try:
        answer = _followed(lease, operation)
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


def _followed(lease: Lease, operation: Operation) -> Reply:
    """What the server says of following, once a confirmation that was cut short is no longer at it."""
    host = Host(server_of(operation))
    until = time.monotonic() + FOLLOW_AGAIN_S
    while True:
        answer = host.follow(operation.pk)
        if answer.state != "none" or not answer.is_busy or time.monotonic() > until:
            return answer
        time.sleep(POLL_S)
        lease.check()


def is_prepared(operation: Operation) -> bool:
    """Whether the server brings back at boot what this version of the script commits."""
    try:
        return server_of(operation).preparation.script == script_digest()
    except Preparation.DoesNotExist:
        return False


def prepare(lease: Lease, operation: Operation) -> None:
    """Once per server and version of the script: what was committed must also be there after a reboot."""
    if is_prepared(operation):
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
    server = server_of(operation)
    hook = fit(Preparation, "hook", reply.answer.get("hook"))
    row = Preparation(server=server, script=script_digest(), hook=hook, warnings=warnings)
    _prepared.write(row, _store_prepared)
    server.preparation = row
    record(lease, operation, " ".join(["Prepared for a reboot.", *warnings]))


_prepared: Together[Preparation] = Together()
"""Servers of a wave that are changed for the first time are prepared at the same time."""


def _store_prepared(rows: Sequence[Preparation]) -> None:
    # Durable: rows of other threads must not hang on what the caller does afterwards.
    with transaction.atomic(durable=True):
        Preparation.objects.bulk_create(
            {row.server_id: row for row in rows}.values(),
            update_conflicts=True,
            unique_fields=["server"],
            update_fields=["script", "hook", "warnings", "at"],
        )


def compare_heard(lease: Lease, operations: Sequence[Operation]) -> tuple[list[Operation], list[str]]:
    """Store and compare what those saw that looked as they were told something.

    Returns the others, to be asked, and a sentence about each that is not as planned.
    """
    heard = {one: _heard.pop(one) for one in operations if one.server is not None and one in _heard}
    texts = differences_heard(heard)
    failures = []
    for operation, text in texts.items():
        try:
            _as_planned(lease, operation, text)
        except StepFailed as failure:
            failures.append(f"{operation.server_name}: {failure}")
    return [one for one in operations if one not in texts], failures


def failed(lease: Lease, operation: Operation, state: OperationState, words: str) -> StepFailed:
    record(lease, operation, words, state=state, message=words)
    return StepFailed(words)


def deadline(answer: Reply) -> Any:
    """When the dead-man fires, on our clock: the server gives seconds left, never its wall clock."""
    return timezone.now() + timedelta(seconds=answer.seconds_left or 0)
