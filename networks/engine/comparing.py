"""Whether a server is as the Change under way would have it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping

from networks.desired import head, head_number
from networks.domain.inventory import ServerView
from networks.domain.state import AddMember, Desired, InterfaceKey
from networks.domain.verify import mismatches
from networks.drift import not_known
from networks.engine.decide import settled
from networks.models import Operation
from networks.ours import ours_of
from networks.state_json import load_edits
from nodes.crew import by_whoever_waits
from nodes.facts import ServerFacts
from nodes.models import PhysicalServer
from nodes.observe import Heard, LookFailed, store_heard
from nodes.observe import look as look_at

FOLLOWS_LATER = "saved configuration"
"""The property (of domain/verify.py) that agrees only after the commit: vzctl saves outside any rollback."""


def differences(operation: Operation, server: PhysicalServer) -> str:
    """What a look finds otherwise than the Change would have it, as one text; "" if nothing."""
    desired, added = by_whoever_waits(lambda: _wanted_by(operation))
    try:
        facts = look_at(server, ours_of(desired, server.pk))
    except LookFailed as failure:
        return f"it could not be looked at after the change: {failure}"
    return by_whoever_waits(lambda: _differences(server, facts, desired, added))


def differences_heard(heard: Mapping[Operation, Heard]) -> dict[Operation, str]:
    """The same for servers of one wave that have looked already; those that the answer does not hold are to
    be looked at by themselves. Stored together, in one transaction.
    """
    if not heard:
        return {}
    desired, added = _wanted_by(next(iter(heard)))
    servers = {one: one.server for one in heard if one.server is not None}
    found = store_heard(
        {server: (heard[one], ours_of(desired, server.pk)) for one, server in servers.items()}
    )
    return {
        one: _differences(server, found[server.pk], desired, added)
        for one, server in servers.items()
        if server.pk in found
    }


def _differences(
    server: PhysicalServer, facts: ServerFacts, desired: Desired, added: frozenset[InterfaceKey]
) -> str:
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
