"""What was decided when, how two revisions differ, and undoing one Change by a new draft."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from networks.desired import at_revision, head
from networks.domain.diff import describe, edits_between
from networks.domain.history import Reverted, revert
from networks.domain.state import Desired, Edit
from networks.domain.waves import server_of
from networks.inventory_rows import inventory
from networks.models import Change, Draft, Revision
from networks.services.drafts import check_allowed, discard, edits_of, stage
from networks.services.errors import Conflict
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser, sees_everything


@dataclass(frozen=True, slots=True)
class Told:
    """Edits as sentences for one reader; those on servers that she may not see are only counted."""

    sentences: tuple[str, ...] = ()
    hidden_count: int = 0


def told(edits: Sequence[Edit], before: Desired, user: AnyUser) -> Told:
    """The edits in words. A fixed number of queries."""
    servers = {server for edit in edits if (server := server_of(edit)) is not None}
    visible = set(PhysicalServer.objects.visible_to(user).filter(pk__in=servers).values_list("pk", flat=True))
    hidden = servers - visible
    if hidden and sees_everything(user):
        # Only what was removed from the panel since is not visible to her.
        hidden = set()
    shown = [edit for edit in edits if server_of(edit) not in hidden]
    return Told(describe(shown, before, inventory(visible)), len(edits) - len(shown))


def steps_of(change: Change) -> list[tuple[Desired, Desired]]:
    """The states before and after each decision of the Change that made a revision."""
    numbers = change.decisions.exclude(revision=None).order_by("revision").values_list("revision", flat=True)
    return [(at_revision(number - 1), at_revision(number)) for number in numbers if number]


def how_to_revert(change: Change) -> Reverted:
    """How the Change is undone today. Raises Conflict if it decided nothing."""
    steps = steps_of(change)
    if not steps:
        raise Conflict("This change decided nothing, so there is nothing to revert.")
    return revert(steps, head().state)


def stage_revert(user: User, change: Change, *, replace: bool) -> Draft:
    """Put what undoes the Change into the user's draft, which must be empty unless it is to be replaced.

    Raises Conflict, or NotAllowed for an edit that needs a role which she lacks.
    """
    with transaction.atomic():
        undoing = how_to_revert(change)
        if not undoing.edits:
            raise Conflict("Nothing of this change is left to revert.")
        check_allowed(user, undoing.edits)
        if pending_count(user) and not replace:
            raise Conflict("Your draft holds pending edits. Apply it first, or tick that it is replaced.")
        discard(user)
        draft = stage(user, undoing.edits)
        draft.reason = f"Revert “{change}”"[:500]
        draft.save(update_fields=["reason"])
    return draft


def pending_count(user: User) -> int:
    """How many edits the user's draft holds."""
    draft = Draft.objects.filter(user_id=user.pk).first()
    return len(edits_of(draft)) if draft else 0


def difference(a: int, b: int) -> tuple[Desired, tuple[Edit, ...]]:
    """Revision `a`, and the edits that make revision `b` of it. Raises Revision.DoesNotExist."""
    before = at_revision(a)
    return before, edits_between(before, at_revision(b))


def revisions(numbers: Iterable[int]) -> dict[int, Revision]:
    """Those revisions without their states, with author and Change. One query."""
    rows = Revision.objects.filter(number__in=numbers).defer("state")
    return {row.number: row for row in rows.select_related("author", "decision__change")}
