"""Writing the audit trail: one function, `record`, for every part of the panel.

Call it inside the transaction that stores what is recorded, as its last step: both are stored or neither.
Adding a line waits for other transactions that have added one, so nothing slow may follow it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from trust import chain
from trust.models import Entry
from vnetpanel.logs import masked

if TYPE_CHECKING:
    from django.http import HttpRequest

log = structlog.get_logger(__name__)

LONGEST_TEXT, LONGEST_PLAN, LONGEST_RESULT = 1000, 64_000, 4000
"""Characters kept of each part: servers' words may be endless."""
_LOCK = 0x61756469
"""Number of PostgreSQL's advisory lock that one writer at a time holds until its transaction ends."""
# Servers' words may hold anything; PostgreSQL refuses NUL, and a lone surrogate cannot be encoded.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

#: The request that is being answered, for the lines that it causes; set by trust.middleware.
request_now: ContextVar[HttpRequest | None] = ContextVar("request_now", default=None)


def record(
    action: str,
    text: str,
    *,
    actor: Any = None,
    servers: Iterable[Any] = (),
    plan: str = "",
    result: str = "",
) -> Entry:
    """Add a line to the audit trail.

    `action` is a word such as "change.applied", `text` one sentence without secrets. `actor` is a user, or a
    text such as "root at the command line"; without one it is the user of the request that is being
    answered. `servers` are physical servers, or pairs of key and name.
    """
    name, key, address = _who(actor)
    with transaction.atomic():
        _one_at_a_time()
        last = Entry.objects.order_by("-number").values_list("number", "digest").first() or (0, chain.FIRST)
        line = chain.Line(
            number=last[0] + 1,
            at=timezone.now(),
            actor=clean(name, 150),
            actor_key=key,
            address=address,
            action=action,
            text=clean(text, LONGEST_TEXT),
            servers=_server_lines(servers),
            plan=clean(plan, LONGEST_PLAN),
            result=clean(result, LONGEST_RESULT),
            previous=last[1],
        )
        entry = Entry(**columns(line), digest=chain.digest(line))
        entry.save()
    # In the log as well: whoever could rewrite the database would have to rewrite the logs of that day too.
    log.info("audit", number=entry.number, digest=entry.digest, action=action, actor=entry.actor)
    return entry


def columns(line: chain.Line) -> dict[str, Any]:
    """The line by column."""
    return {name: getattr(line, name) for name in chain.Line.__dataclass_fields__}


def line_of(entry: Entry) -> chain.Line:
    """The stored row as the value that its digest covers."""
    return chain.Line(**{name: getattr(entry, name) for name in chain.Line.__dataclass_fields__})


def clean(text: str, longest: int) -> str:
    """Bounded, without secrets and control characters."""
    return _UNPRINTABLE.sub("�", masked(text)[:longest])


def address_of(request: HttpRequest) -> str:
    """Where the browser is. Behind a proxy it is the last address that the proxy has put into the header."""
    from django.conf import settings

    address = str(request.META.get("REMOTE_ADDR") or "")
    if settings.BEHIND_PROXY and (forwarded := request.headers.get("X-Forwarded-For")):
        address = forwarded.rsplit(",", 1)[-1].strip()
    return clean(plain_address(address), 45)


def plain_address(address: str) -> str:
    """As it is; of an IPv4 address that a socket for both kinds has put into IPv6, the IPv4 address."""
    try:
        mapped = ipaddress.IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return str(mapped) if mapped else address


def _who(actor: Any) -> tuple[str, int | None, str]:
    request = request_now.get()
    address = address_of(request) if request is not None else ""
    if actor is None and request is not None:
        actor = getattr(request, "user", None)
    if actor is None:
        return "", None, address
    if isinstance(actor, str):
        return actor, None, address
    return actor.get_username(), actor.pk, address


def _server_lines(servers: Iterable[Any]) -> str:
    pairs = [one if isinstance(one, tuple) else (one.pk, one.name) for one in servers]
    return "\n".join(f"{key} {' '.join(clean(name, 100).split())}" for key, name in pairs)


def _one_at_a_time() -> None:
    """Numbers have no gap and each line knows the one before. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
