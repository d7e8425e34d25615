"""Whether a server is as the Change under way would have it."""

from __future__ import annotations

import threading
import uuid

from networks.desired import head, head_number
from networks.domain.inventory import ServerView
from networks.domain.state import AddMember, Desired, InterfaceKey
from networks.domain.verify import mismatches
from networks.drift import not_known
from networks.engine.decide import settled
from networks.models import Operation
from networks.ours import ours_of
from networks.state_json import load_edits
from nodes.models import PhysicalServer
from nodes.observe import Heard, LookFailed
from nodes.observe import look as look_at

FOLLOWS_LATER = "saved configuration"
"""The property (of domain/verify.py) that agrees only after the commit: vzctl saves outside any rollback."""


def differences(operation: Operation, server: PhysicalServer, heard: Heard | None = None) -> str:
    """What a look finds otherwise than the Change would have it, as one text; "" if nothing.

    `heard`: the server has looked already and is not asked again.
    """
    desired, added = _wanted_by(operation)
    try:
        facts = look_at(server, ours_of(desired, server.pk), heard)
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
    change, wave = operation.change, operation.wave
    key = (change.pk, change.edits, wave, head_number())
    with _wanted_lock:
        if key not in _wanted:
            _wanted.clear()
            added = frozenset(e.interface for e in load_edits(change.edits) if isinstance(e, AddMember))
            _wanted[key] = settled(change, head().state, wave), added
        return _wanted[key]
