"""Is the panel working? Four questions, each answered within seconds: database, broker, worker, scheduler."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from vnetpanel.beat import HEARTBEAT_KEY
from vnetpanel.broker import connect
from vnetpanel.celery import app
from vnetpanel.logs import masked

PING_TIMEOUT_S = 3.0
#: Beat looks at its schedule at least every 5 s (see vnetpanel.celery); older than this, it hangs.
BEAT_SILENT_S = 30
#: The page for monitors needs no login, so anyone may ask it: one answer serves all for this long.
VERDICT_S = 5


@dataclass(frozen=True)
class Finding:
    """The answer to one question: which part, whether it works, and one sentence."""

    part: str
    ok: bool
    detail: str


def findings() -> list[Finding]:
    """All four answers; worker and scheduler can only be heard through the broker."""
    first = [ask("database", database), ask("broker", broker)]
    if not first[-1].ok:
        unheard = "cannot be heard while the broker is away"
        return [*first, Finding("worker", False, unheard), Finding("scheduler", False, unheard)]
    return [*first, ask("worker", worker), ask("scheduler", scheduler)]


def ask(part: str, question: Callable[[], str]) -> Finding:
    """The answer to one question; whatever it raises is the answer "no"."""
    try:
        return Finding(part, True, question())
    except Exception as error:  # a health check that raises would tell less than one that answers
        text = str(error).strip().splitlines()
        return Finding(part, False, masked(text[0] if text else type(error).__name__))


def database() -> str:
    """The database answers a query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return f"{connection.display_name} answers"


def broker() -> str:
    """The broker answers, without the retries that ordinary work is given."""
    with connect(settings.CELERY_BROKER_URL, PING_TIMEOUT_S) as client:
        client.ping()
    return "answers"


def worker() -> str:
    """At least one worker answers a ping."""
    with app.connection_for_write() as link:
        link.connect()
        replies = app.control.ping(timeout=PING_TIMEOUT_S, limit=1, connection=link)
    if not replies:
        raise RuntimeError(f"no worker answered within {PING_TIMEOUT_S:.0f} s")
    return f"{next(iter(replies[0]))} answers"


def scheduler() -> str:
    """The scheduler has looked at its schedule lately."""
    with connect(settings.CELERY_BROKER_URL, PING_TIMEOUT_S) as client:
        seen = client.get(HEARTBEAT_KEY)
    if seen is None:
        raise RuntimeError("the scheduler has left no sign of life")
    return last_seen(float(seen))


def last_seen(at: float) -> str:
    """How long ago the scheduler's sign of life was; RuntimeError if that is too long, or cannot be true."""
    age_s = time.time() - at
    if age_s > BEAT_SILENT_S:
        raise RuntimeError(f"the scheduler was last seen {age_s:.0f} s ago")
    if age_s < -BEAT_SILENT_S:
        raise RuntimeError("the scheduler was last seen before the clock was set back")
    return f"seen {max(age_s, 0):.0f} s ago"


_verdict_lock = threading.Lock()
_verdict: tuple[float, bool] = (float("-inf"), False)


def is_healthy() -> bool:
    """Whether all parts work, looked up at most every few seconds however often it is asked."""
    global _verdict
    with _verdict_lock:
        if time.monotonic() - _verdict[0] > VERDICT_S:
            _verdict = (time.monotonic(), all(finding.ok for finding in findings()))
        return _verdict[1]
