"""A reviewed Change on its way to the worker: still true, its servers in waves, nobody else's in the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import F, Q
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import Head, alone, at_revision, head
from networks.domain.diff import edits_between
from networks.domain.inventory import Inventory
from networks.domain.rules import Problem
from networks.domain.state import (
    AdapterKey,
    AddMember,
    Assign,
    CreateNetwork,
    DeleteNetwork,
    DescribeNetwork,
    Edit,
    Unassign,
    apply_edits,
)
from networks.domain.waves import ALL_AT_ONCE, MOST, server_of, waves
from networks.domain.words import listed
from networks.engine.behind import missed_on
from networks.intents import stored
from networks.inventory_rows import inventory, servers_named
from networks.models import Change, NetworkIntent, Operation
from networks.services.errors import Conflict
from networks.services.validate import breached_since, refusals, warnings_since
from networks.state_json import load_edits
from nodes.querysets import AnyUser

UNDECIDED = Q(
    state__in=(ChangeState.QUEUED, ChangeState.APPLYING, ChangeState.VERIFYING, ChangeState.ROLLING_BACK)
) | Q(state=ChangeState.DECIDED, decided_at=None)
"""Changes that will decide something yet; one of several waves also between two of them."""


def check_still_true(change: Change) -> None:
    """What was decided since the review must neither touch the same things nor break a rule with it.

    In the caller's transaction, in which it is claimed as well: nothing is decided or claimed in between.
    """
    alone()
    newest = head()
    edits = load_edits(change.edits)
    if newest.number != change.base:
        since = edits_between(at_revision(change.base), newest.state)
        # Errands leave no trace in a revision: the Changes decided meanwhile tell of them.
        decided = Change.objects.filter(decisions__revision__gt=change.base).values_list("edits", flat=True)
        done = [edit for text in set(decided) for edit in load_edits(text)]
        if touched((*since, *done)) & (touched(edits) | set(change.repairs)):
            raise Conflict(
                "Another change of the same networks or servers was decided since this review. "
                + _ask_again(change)
            )
    broken = refusals(newest.state, edits, change.author, found=change.is_found)
    if broken:
        raise Conflict("It cannot be applied any more: " + " ".join(problem.text for problem in broken))
    if new := not_reviewed(change, newest, edits, edits):
        raise Conflict(new)


def not_reviewed(
    change: Change,
    newest: Head,
    edits: Iterable[Edit],
    reviewed: Iterable[Edit],
    made: Collection[AdapterKey] = (),
    to_come: Iterable[Edit] = (),
) -> str:
    """What the edits would be warned of that was not on the review; "" if nothing.

    By what others decided since: nobody has ticked such a warning, for each of the two Changes was right by
    itself. And by what people have meant networks to do since. `reviewed` are the edits of the Change that
    would be decided by then if nothing else had been; `to_come` what its later waves decide.
    """
    edits, rows = tuple(edits), list(NetworkIntent.objects.order_by("pk"))
    asked = set(change.settled.get("intents", ()))
    if later := stored(row for row in rows if row.pk not in asked):
        # As at a review: by what the whole Change makes, not by what is so between two of its waves.
        after = apply_edits(newest.state, (*edits, *to_come))
        if new := _unticked(breached_since(newest.state, after, later, change.author, made=made)):
            return (
                "It breaches what people have said since the review that a network is meant to do, and "
                f"nobody has ticked that: {new} Review the draft again."
            )
    if newest.number == change.base + change.decisions.exclude(revision=None).count():
        return ""
    base = at_revision(change.base)
    reviewed = tuple(reviewed)
    new = _unticked(
        (
            *warnings_since(
                newest.state, edits, (base, reviewed), change.author, made=made, found=change.is_found
            ),
            *breached_since(
                newest.state,
                apply_edits(newest.state, edits),
                stored(row for row in rows if row.pk in asked),
                change.author,
                reviewed=apply_edits(base, reviewed),
                made=made,
            ),
        )
    )
    if not new:
        return ""
    return (
        "Together with another change that was decided since the review there are warnings that nobody has "
        f"ticked: {new} Review the draft again."
    )


def _unticked(problems: Iterable[Problem]) -> str:
    return " ".join(problem.text for problem in problems if not problem.existing)


def queue_reviewed(change: Change, width: int | None = None, leave_out: Collection[int] = ()) -> None:
    """Claim a reviewed Change and its servers for the worker; in the caller's transaction.

    Raises Conflict, or IntegrityError where another Change has one of the servers.
    """
    problems = [{**row, "ticked": row["severity"] == "warn"} for row in change.problems]
    if width is None:
        width = change.width
    if not _may_go(change, width, leave_out):
        raise Conflict(f"At most {MOST} servers can be changed at once. Choose narrower waves.")
    claimed = Change.objects.filter(pk=change.pk, state=ChangeState.PLANNED).update(
        state=ChangeState.QUEUED,
        problems=problems,
        width=width,
        sent_at=timezone.now(),
        attempts=0,
        version=F("version") + 1,
    )
    if claimed != 1:
        raise Conflict("This change is being applied already.")
    _check_networks_free(change)
    _leave_out(change, leave_out)
    _cut_into_waves(change, width)
    change.operations.filter(state=OperationState.PLANNED).update(state=OperationState.QUEUED)
    # Only now: from here on nobody else can commit anything there.
    _check_missed(change)


def _check_missed(change: Change) -> None:
    """What a server had missed is in its plan; that it was brought forward since, no revision tells."""
    names = dict(change.operations.exclude(server=None).values_list("server_id", "server_name"))
    # Committed there, but that nothing is missed any more may be yet to be written down.
    done = Operation.objects.filter(server__in=names, state=OperationState.DONE, change__ended_at=None)
    just_done = set(done.values_list("server_id", flat=True))
    then, missed = change.settled.get("missed", {}), missed_on(names)
    others = [
        name
        for server, name in names.items()
        if missed.get(server, []) != then.get(str(server), []) or (server in missed and server in just_done)
    ]
    if others:
        raise Conflict(
            f"{listed(others)} {'was' if len(others) == 1 else 'were'} brought forward, or missed another "
            f"change, since this review: what is planned there might be done twice. {_ask_again(change)}"
        )


def _ask_again(change: Change) -> str:
    # A repair comes from no draft.
    return "Ask for the repair again." if change.repairs else "Review the draft again."


def _may_go(change: Change, width: int, leave_out: Collection[int]) -> bool:
    if width == ALL_AT_ONCE:
        return change.operations.exclude(is_unreachable=True, server__in=leave_out).count() <= MOST
    return 0 < width <= MOST


def _leave_out(change: Change, servers: Collection[int]) -> None:
    left = change.operations.filter(is_unreachable=True, server__in=servers)
    left.update(
        state=OperationState.LEFT_OUT,
        message="Left out: it could not be reached when the change was reviewed.",
        ended_at=timezone.now(),
    )


def _cut_into_waves(change: Change, width: int) -> None:
    """Give every server its wave; those left out are decided with the last."""
    parts = change.operations.filter(state=OperationState.PLANNED).exclude(server=None)
    # The canary is to prove what can go wrong, where the least hangs on it.
    servers = [
        row.server_id
        for row in sorted(
            parts.select_related("server"),
            key=lambda row: (not row.is_guarded, row.server.running_count if row.server else 0),
        )
        if row.server_id is not None
    ]
    out = set(change.operations.filter(state=OperationState.LEFT_OUT).values_list("server_id", flat=True))
    newest, edits = head().state, load_edits(change.edits)
    needs_rules = width != ALL_AT_ONCE and len(servers) > 1
    known = inventory(servers_named(newest, apply_edits(newest, edits))) if needs_rules else Inventory()
    cut = waves(edits, newest, servers, width, known, out)
    for number, wave in enumerate(cut, 1):
        change.operations.filter(server__in=wave).update(wave=number)
    change.operations.filter(state=OperationState.LEFT_OUT).update(wave=len(cut))


def told_as(change: Change, user: AnyUser | None) -> str:
    """A Change that is in the way as the user may know it: what it is called tells of its servers."""
    if user is not None and Change.objects.visible_to(user).filter(pk=change.pk).exists():
        return f"“{change}”"
    return "Another change"


def _check_networks_free(change: Change) -> None:
    """Two undecided Changes must not touch one network: the second was planned without the first."""
    mine = touched_networks(change)
    for other in Change.objects.filter(UNDECIDED).exclude(pk=change.pk):
        if mine & touched_networks(other):
            raise Conflict(
                f"{told_as(other, change.author)} is under way on the same network. "
                "Wait for its end, then review again."
            )


def touched_networks(change: Change) -> set[str]:
    """Ids of the networks that the Change's edits name."""
    return {thing for thing in touched(load_edits(change.edits)) if isinstance(thing, str)}


def touched(edits: Iterable[Edit]) -> set[str | int]:
    """Ids of the networks (text) and of the servers (numbers) that the edits name."""
    found: set[str | int] = set()
    for edit in edits:
        server = server_of(edit)
        if server is not None:
            found.add(server)
        match edit:
            case CreateNetwork(id=network) | DescribeNetwork(id=network) | DeleteNetwork(id=network):
                found.add(network)
            case Assign(network=network) | Unassign(network=network) | AddMember(network=network):
                found.add(network)
    return found
