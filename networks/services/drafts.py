"""Drafts: a user's pending edits. Staging checks who asks; the rules look at the whole at the review."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import sha256

import structlog
from django.contrib.auth.models import User
from django.db import transaction

from networks.desired import Head, head
from networks.domain.diff import edits_between
from networks.domain.drop import needing
from networks.domain.rules.edits import edits_meet_what_is_there
from networks.domain.state import (
    CreateNetwork,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Desired,
    Edit,
    apply_edits,
)
from networks.domain.waves import server_of
from networks.inventory_rows import inventory
from networks.models import Draft, VirtualNetwork
from networks.services.errors import NotAllowed, Refused
from networks.services.steps import forget, remember
from networks.state_json import UnreadableState, dump_edits, load_edits
from nodes.models import PhysicalServer, ServerGroup
from nodes.querysets import AnyUser

log = structlog.get_logger(__name__)


def draft_of(user: User) -> Draft:
    """The user's draft; a new, empty one if she has none."""
    draft = Draft.objects.filter(user_id=user.pk).first()
    return draft or Draft(user_id=user.pk)


def drafted(user: User, newest: Head | None = None) -> Desired:
    """Desired as the user's draft would have it, on top of the newest revision."""
    newest = newest or head()
    return apply_edits(newest.state, edits_of(draft_of(user)))


def edits_of(draft: Draft) -> tuple[Edit, ...]:
    """The draft's edits; none, with a line in the log, if they were stored in a form that is read no more."""
    try:
        return load_edits(draft.edits)
    except UnreadableState as error:
        log.warning("draft_unreadable", user=draft.user_id, error=str(error))
        return ()


def still_to_do(draft: Draft, decided: Desired) -> tuple[Edit, ...]:
    """The draft's edits on top of what is decided now.

    Others may have decided since the last edit: what is so already, or cannot be because what it is about is
    gone, is left out.
    """
    return edits_between(decided, apply_edits(decided, edits_of(draft)))


def found_of(draft: Draft) -> tuple[Edit, ...]:
    """Those of the draft's edits that only write down what was found."""
    try:
        return load_edits(draft.found)
    except UnreadableState:
        return ()


def is_found(draft: Draft) -> bool:
    """Whether the whole draft only writes down what was found."""
    edits = edits_of(draft)
    return bool(edits) and set(edits) <= set(found_of(draft))


def take_applied(user_id: int | None, applied: Iterable[Edit]) -> None:
    """Take edits that are being applied out of their author's draft; what she added since stays pending."""
    draft = Draft.objects.filter(user_id=user_id or 0).first()
    if draft is None:
        return
    done, decided = set(applied), head().state
    if left := [edit for edit in still_to_do(draft, decided) if edit not in done]:
        found = [edit for edit in found_of(draft) if edit not in done]
        Draft.objects.filter(pk=draft.pk).update(edits=dump_edits(left), found=dump_edits(found))
    else:
        draft.delete()
    forget(user_id or 0)


def stage(user: User, edits: Iterable[Edit], *, found: bool = False) -> Draft:
    """Add edits to the user's draft; NotAllowed if one needs a role that she lacks, Refused if one cannot be.

    What the edits add up to is kept, not the way there: assigning twice is one edit, making and deleting a
    network is none. They add up on top of what is decided now: her pages show what others decided since the
    last edit, and she may change that. `found`: they only write down what is so on the servers already.
    """
    new = tuple(edits)
    if not new:
        return draft_of(user)
    check_allowed(user, new)
    with transaction.atomic():
        draft = draft_of(user)
        decided = head().state
        pending = edits_of(draft)
        _check_vlans_are_ours(user, decided, pending, new)
        after = apply_edits(decided, (*pending, *new))
        draft.edits = dump_edits(edits_between(decided, after))
        if found:
            draft.found = dump_edits(dict.fromkeys((*found_of(draft), *new)))
        remember(user.pk)
        draft.save()
    return draft


def put_back(user: User, edits: Iterable[Edit], *, found: bool, reason: str) -> None:
    """Put edits of a Change that came to nothing back into the user's draft, before what she added since."""
    edits = tuple(edits)
    with transaction.atomic():
        draft, decided = draft_of(user), head().state
        after = apply_edits(decided, (*edits, *edits_of(draft)))
        remember(user.pk)
        draft.edits = dump_edits(edits_between(decided, after))
        draft.found = dump_edits(dict.fromkeys((*found_of(draft), *(edits if found else ()))))
        draft.reason = draft.reason or reason
        draft.save()


def _check_vlans_are_ours(
    user: User, base: Desired, pending: tuple[Edit, ...], new: tuple[Edit, ...]
) -> None:
    """Refused if `new` deletes a VLAN adapter of somebody else's: a state has no place for that edit."""
    servers = {edit.server for edit in new if isinstance(edit, DeleteVlan)}
    if not servers:
        return
    met = edits_meet_what_is_there(base, (*pending, *new), inventory(servers, user))
    if foreign := tuple(problem for problem in met if problem.code == "vlan-foreign"):
        raise Refused(foreign)


def withdraw(user: User, unwanted: Iterable[Edit]) -> Draft:
    """Take these edits back out of the user's draft, those that are in it; an errand has no other undo."""
    gone = set(unwanted)
    with transaction.atomic():
        draft = draft_of(user)
        draft.edits = dump_edits(edit for edit in edits_of(draft) if edit not in gone)
        if draft.pk is not None:
            remember(user.pk)
            draft.save()
    return draft


def discard(user: User) -> None:
    """Forget the draft; `steps.undo` brings it back."""
    with transaction.atomic():
        if Draft.objects.filter(user_id=user.pk).exists():
            remember(user.pk)
            Draft.objects.filter(user_id=user.pk).delete()


def drop(user: User, keys: Collection[str]) -> tuple[tuple[Edit, ...], tuple[Edit, ...]]:
    """Take the edits of those keys out of the user's draft, and what needs them: both, in this order."""
    draft = draft_of(user)
    edits = still_to_do(draft, head().state)
    chosen = tuple(edit for edit in edits if key_of(edit) in keys)
    along = needing(edits, chosen)
    if chosen:
        gone = {*chosen, *along}
        with transaction.atomic():
            remember(user.pk)
            draft.edits = dump_edits(edit for edit in edits if edit not in gone)
            draft.save()
    return chosen, along


def key_of(edit: Edit) -> str:
    """A short name of an edit within a draft, for forms."""
    return sha256(dump_edits([edit]).encode()).hexdigest()[:16]


def check_allowed(user: User, edits: Iterable[Edit]) -> None:
    """Raise NotAllowed for the first edit that needs a role which the user lacks.

    Assignments, members, VLANs and errands need operator on the server's group; a network's name and its end
    need operator wherever it has members or assignments; a new network needs operator somewhere.
    """
    edits = tuple(edits)
    need_servers(user, _servers_of(edits))
    networks = {edit.id for edit in edits if isinstance(edit, DescribeNetwork | DeleteNetwork)}
    stored = VirtualNetwork.objects.filter(pk__in=networks)
    mine = set(stored.changeable_by(user).values_list("pk", flat=True))
    for row in stored:
        if row.pk not in mine:
            raise NotAllowed(
                f"To change or delete {row.name} you need the operator role on every server group "
                "where it has members or assignments."
            )
    creates = any(isinstance(edit, CreateNetwork) for edit in edits)
    if creates and not ServerGroup.objects.operable_by(user).exists():
        raise NotAllowed("To make a virtual network you need the operator role on a server group.")


def on_own_servers(user: AnyUser, several: Iterable[Iterable[Edit]]) -> list[bool]:
    """Of each of those edits, whether the user may operate all servers that they are about. One query."""
    about = [_servers_of(edits) for edits in several]
    wanted = frozenset().union(*about)
    mine = set(PhysicalServer.objects.operable_by(user).filter(pk__in=wanted).values_list("pk", flat=True))
    return [servers <= mine for servers in about]


def _servers_of(edits: Iterable[Edit]) -> frozenset[int]:
    return frozenset(server for edit in edits if (server := server_of(edit)) is not None)


def need_servers(user: User, servers: Collection[int]) -> None:
    """Raise NotAllowed unless the user may operate all these servers."""
    servers = set(servers)
    allowed = set(
        PhysicalServer.objects.operable_by(user).filter(pk__in=servers).values_list("pk", flat=True)
    )
    visible = PhysicalServer.objects.visible_to(user).filter(pk__in=servers - allowed)
    names = ", ".join(visible.values_list("name", flat=True))
    if servers - allowed:
        raise NotAllowed(f"You need the operator role on {names or 'that server'} to change its networks.")
