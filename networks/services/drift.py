"""What to do about drift: list it, bring servers back to what was decided, or accept what was found."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import QuerySet

from networks.domain.inventory import Inventory
from networks.domain.rules import Problem
from networks.domain.rules.boot import boot_brings_back_what_runs
from networks.domain.state import Edit
from networks.inventory_rows import server_view
from networks.models import Drift
from networks.services import drafts
from networks.services.errors import Conflict
from networks.slices import decided_on
from networks.state_json import UnreadableState, load_edits
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser


def open_drifts(user: AnyUser) -> QuerySet[Drift]:
    """Everything that differs from desired on servers that the user may see, newest first."""
    return Drift.objects.open().visible_to(user).select_related("server__group", "network")


@dataclass(frozen=True, slots=True)
class Adopted:
    """What adopting came to: edits that are in the draft now, and why the rest is not, a sentence each."""

    edits: tuple[Edit, ...]
    not_adopted: tuple[str, ...]


def adopt(user: User, chosen: Collection[Drift]) -> Adopted:
    """Put edits into the user's draft that make desired what was found. Nothing on a server changes by them.

    Raises Conflict if none of it can be said with edits, NotAllowed.
    """
    edits: dict[Edit, None] = {}
    not_adopted = []
    for drift in chosen:
        accepted = edits_of(drift)
        if not accepted:
            not_adopted.append(f"{drift.thing} on {drift.server}: {drift.why_not}")
        edits |= dict.fromkeys(accepted)
    if not edits:
        raise Conflict(" ".join(not_adopted) or "It does not differ any more.")
    drafts.stage(user, edits, found=True)
    return Adopted(tuple(edits), tuple(not_adopted))


def edits_of(drift: Drift) -> tuple[Edit, ...]:
    """The edits that accept what was found; none if there are none to say it with."""
    try:
        return load_edits(drift.adopt)
    except UnreadableState:
        return ()


def reboot_risks(server: PhysicalServer) -> list[Problem]:
    """What the server's next boot would not bring back (rule 14), as it is decided now. Two queries."""
    state = decided_on(server.pk)
    return boot_brings_back_what_runs(state, state, Inventory(servers=(server_view(server),)))


def is_rehearsed(server: PhysicalServer) -> bool:
    """Whether something was committed there, and a look has read what its boot would do."""
    boot = server_view(server).boot
    return boot is not None and bool(boot.keeps)


def servers_of(drifts: Iterable[Drift]) -> list[int]:
    """The servers of these drifts, each once."""
    return sorted({drift.server_id for drift in drifts})
