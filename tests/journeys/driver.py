"""Makes one Change through the panel's own services and worker, and prints how it ended as JSON.

Run by `manage.py shell` with the panel's settings: `main(edits, mode)`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.models import User

from networks.choices import ChangeState
from networks.desired import head
from networks.domain.looks import with_look
from networks.domain.plan import plan
from networks.domain.state import Edit, InterfaceKey
from networks.inventory_rows import inventory, servers_named
from networks.models import Change, VirtualNetwork
from networks.services import changes, drafts
from nodes import observe
from nodes.facts import ServerFacts
from nodes.models import PhysicalServer

NEW = "7d0f7c52-0000-4000-8000-00000000000"


def server(name: str) -> int:
    """The primary key of a server."""
    return PhysicalServer.objects.get(name=name).pk


def key(name: str, ctid: str, ifname: str = "eth0") -> InterfaceKey:
    return InterfaceKey(server(name), ctid, ifname)


def network(name: str) -> str:
    """The id of a stored network, or a new one."""
    row = VirtualNetwork.objects.filter(name=name).first()
    return str(row.pk) if row else str(uuid.uuid4())


def until(done: Callable[[Change], bool], change: Change, seconds: float) -> Change:
    deadline = time.monotonic() + seconds
    while not done(change) and time.monotonic() < deadline:
        time.sleep(0.2)
        change.refresh_from_db()
    return change


def review(edits: Sequence[Edit]) -> Change:
    """Stage, review by the worker; the planned Change."""
    user = User.objects.get(username="admin")
    drafts.discard(user)
    drafts.stage(user, edits)
    change = changes.start_review(user, "a journey")
    return until(lambda c: c.state != ChangeState.PLANNING, change, 120)


def apply(change: Change) -> Change:
    """Apply with all warnings ticked; the Change as it is then, under way."""
    user = User.objects.get(username="admin")
    return changes.apply_change(user, change, {row["key"] for row in change.problems})


def ended(change: Change, seconds: float = 240) -> dict[str, Any]:
    """Wait for the end, and tell it."""
    until(lambda c: c.is_terminal, change, seconds)
    return {
        "id": str(change.pk),
        "state": change.state,
        "result": change.result,
        "attempts": change.attempts,
        "revision": head().number,
        "operations": {
            op.server_name: {
                "txid": str(op.pk),
                "state": op.state,
                "message": op.message,
                "events": op.events,
            }
            for op in change.operations.select_related("server")
        },
    }


def look(pk: int) -> ServerFacts:
    """Look at the server with that key, now."""
    return observe.look(observe.servers_to_ask().get(pk=pk))


def plans_are_empty(*names: str) -> dict[str, bool]:
    """Whether desired, planned again on a fresh look, would do nothing, by server."""
    state = head().state
    known = inventory(servers_named(state) | {server(name) for name in names})
    answer = {}
    for name in names:
        view = known.server(server(name))
        assert view is not None
        known = with_look(known, view, look(view.id))
        view = known.server(view.id)
        assert view is not None
        answer[name] = plan(view, state, state, known).is_empty
    return answer


def say(value: Any) -> None:
    print("ANSWER " + json.dumps(value))
