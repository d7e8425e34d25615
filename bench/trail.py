"""An audit trail as an installation gathers it, written at once: for the benchmark of pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone

from trust import chain
from trust.audit import columns
from trust.models import Entry

PER_SERVER = 100
"""Lines for each server."""
TOUCHED, COMMANDS = 5, 6
"""Servers of a Change in the trail, and commands in its plan for each of them."""
AT_ONCE = 5000


def fill_trail(servers: Sequence[Any], users: Sequence[Any]) -> int:
    """Add its lines, which are several users' in turn; how many lines the trail has then."""
    last = Entry.objects.values_list("number", "digest").first() or (0, chain.FIRST)
    lines = _lines(servers, users, *last)
    with transaction.atomic():
        while some := list(islice(lines, AT_ONCE)):
            # The trail's own manager refuses this, as it should: lines are written one by one.
            Entry._base_manager.bulk_create(some)
    return Entry.objects.count()


def _lines(servers: Sequence[Any], users: Sequence[Any], number: int, previous: str) -> Iterator[Entry]:
    wanted = PER_SERVER * len(servers)
    began = timezone.now() - timedelta(minutes=wanted)
    for event in range(wanted):
        number += 1
        user = users[event // 4 % len(users)]
        first = event * TOUCHED % len(servers)
        line = chain.Line(
            number=number,
            at=began + timedelta(minutes=event),
            actor=user.username,
            actor_key=user.pk,
            address="192.0.2.7",
            previous=previous,
            **_words(event, servers[first : first + TOUCHED]),
        )
        previous = chain.digest(line)
        yield Entry(**columns(line), digest=previous)


def _words(event: int, servers: Sequence[Any]) -> dict[str, str]:
    """A login, a Change applied, the same ended, a server changed; and again."""
    touched = "\n".join(f"{one.pk} {one.name}" for one in servers)
    change = f"Create network 007 on {len(servers)} physical servers."
    match event % 4:
        case 0:
            return {"action": "login", "text": "Logged in.", "servers": "", "plan": "", "result": ""}
        case 1:
            return {
                "action": "change.applied",
                "text": f"Change {event // 4} was applied: {change}",
                "servers": touched,
                "plan": "\n".join(
                    f"{one.name} (transaction {event}, digest {chain.FIRST})\n"
                    + "  ip link set dev eth0 master vn-network007\n" * COMMANDS
                    for one in servers
                ),
                "result": "",
            }
        case 2:
            return {
                "action": "change.ended",
                "text": f"Change {event // 4} was ended: {change}",
                "servers": touched,
                "plan": "",
                "result": "\n".join(["Done.", *(f"{one.name}: done." for one in servers)]),
            }
        case _:
            text = f"Of physical server {servers[0].name} the description was changed."
            return {
                "action": "server.changed",
                "text": text,
                "servers": touched.split("\n", 1)[0],
                "plan": "",
                "result": "",
            }
