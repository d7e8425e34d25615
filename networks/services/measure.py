"""Asking for a measurement, and what measurements have found."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from networks.choices import ChangeState, MeasurementState
from networks.domain.words import listed
from networks.engine.concerned import servers_to_measure
from networks.models import Change, Decision, Disagreement, Measurement, Operation
from networks.services.changes import send
from networks.services.errors import NobodyToAsk, NotAllowed
from nodes.choices import Role, ServerOS
from nodes.models import PhysicalServer
from nodes.querysets import AnyUser, group_paths, has_role
from vnetpanel.clock import SLACK

log = structlog.get_logger(__name__)

NEWEST = 6
"""So many measurements are laid over a matrix, the newest counting most."""
LOST = timedelta(minutes=5)
"""A measurement that has not begun by then was lost with its message: ask again."""
LONGEST = timedelta(minutes=20)
"""One that began and has not ended by then was lost with its worker: two rounds and trunks take less."""
MISSED = timedelta(hours=1)
"""A Change that ended not longer ago is measured late rather than never."""
TRIES = 3
"""So often is measured after one Change, if measuring fails."""
RESEND_AFTER = timedelta(seconds=30)
MEASURED_ENDS = (ChangeState.DONE, ChangeState.BEHIND, ChangeState.PARTLY, ChangeState.NEEDS_ATTENTION)
"""Ends of Changes that may have brought something to a server."""
OPEN = (MeasurementState.WAITING, MeasurementState.RUNNING)
KEPT = 200
"""Older measurements than the last so many are deleted; what they found wrong is kept as disagreements."""


def request_measurement(
    user: User, server_ids: Collection[int], network: uuid.UUID | None = None
) -> Measurement:
    """Have the worker measure who answers whom on those servers, or among the members of a network on them.

    Needs the operator role on each server, or on some if there is none. Raises NotAllowed; NobodyToAsk where
    no server can be asked: a measurement of nothing would stand before those that found something.
    """
    return _start(_to_ask(user, server_ids), network, author_id=user.pk)


def why_not(user: AnyUser, server_ids: Collection[int]) -> str:
    """Why the user cannot have those servers measured, a sentence; "" if she can. One query."""
    try:
        _to_ask(user, server_ids)
    except (NotAllowed, NobodyToAsk) as error:
        return str(error)
    return ""


def _to_ask(user: AnyUser, server_ids: Collection[int]) -> list[int]:
    concerned = PhysicalServer.objects.filter(pk__in=server_ids, os=ServerOS.LINUX)
    servers = list(concerned.select_related("group").only("name", "is_enabled", "group__path"))
    enabled = [server for server in servers if server.is_enabled]
    if lacking := [s for s in enabled or servers if not has_role(user, Role.OPERATOR, s.group)]:
        names = listed([server.name for server in lacking if has_role(user, Role.VIEWER, server.group)])
        raise NotAllowed(f"To measure you need the operator role on {names or 'every server concerned'}.")
    if not enabled:
        if not (getattr(user, "is_superuser", False) or group_paths(user, Role.OPERATOR)):
            raise NotAllowed("To measure you need the operator role on a server group.")
        raise NobodyToAsk("No physical server of it can be asked.")
    return sorted(server.pk for server in enabled)


def measure_after(change_id: uuid.UUID) -> None:
    """Measure what was decided of a Change that has ended, once, unless the settings say not to."""
    if not settings.MEASURE_AFTER_CHANGES:
        return
    change = Change.objects.filter(pk=change_id, state__in=MEASURED_ENDS).first()
    if change is None or not (servers := servers_to_measure(change)):
        return
    with transaction.atomic():
        # The sweeper may ask for it at the same moment.
        Change.objects.select_for_update().get(pk=change.pk)
        rows = list(change.measurements.values_list("state", flat=True))
        if len(rows) < TRIES and all(state == MeasurementState.FAILED for state in rows):
            _start(servers, None, change_id=change.pk)


def _start(servers: list[int], network: uuid.UUID | None, **whose: object) -> Measurement:
    with transaction.atomic():
        old = Measurement.objects.order_by("-asked_at").values_list("pk", flat=True)[KEPT:]
        # Not those that tell that a Change has been measured.
        Measurement.objects.filter(pk__in=list(old), asked_at__lt=timezone.now() - 2 * MISSED).delete()
        row = Measurement.objects.create(servers=servers, network=network, **whose)
        transaction.on_commit(partial(send, "networks.measure", row.pk))
    return row


def sweep_measurements() -> None:
    """End what was lost with its worker, send again what the broker lost, measure what nobody asked for."""
    end_lost()
    resend_waiting()
    measure_missed()


def end_lost() -> None:
    """End measurements that nobody works on any more, so that no page waits for them."""
    now = timezone.now()
    waiting = Q(state=MeasurementState.WAITING, asked_at__lt=now - LOST)
    running = Q(state=MeasurementState.RUNNING, started_at__lt=now - LONGEST)
    for pk in Measurement.objects.filter(waiting | running).values_list("pk", flat=True):
        if Measurement.objects.filter(waiting | running, pk=pk).update(
            state=MeasurementState.FAILED, ended_at=now
        ):
            log.warning("measurement_lost", measurement=str(pk))


def measure_missed() -> None:
    """Measure after Changes that ended a while ago and were not: their worker died, or the measurement's."""
    if not settings.MEASURE_AFTER_CHANGES:
        return
    now = timezone.now()
    brought = Measurement.objects.filter(change=OuterRef("pk")).exclude(state=MeasurementState.FAILED)
    # Later than now: before the clock was set back.
    a_while_ago = Q(ended_at__range=(now - MISSED, now - RESEND_AFTER)) | Q(ended_at__gt=now + SLACK)
    ended = Change.objects.filter(a_while_ago, ~Exists(brought), state__in=MEASURED_ENDS)
    for pk in ended.values_list("pk", flat=True):
        try:
            measure_after(pk)
        except Exception:  # one that cannot be read must not keep the sweeper from the others
            log.exception("change_not_measured", change=str(pk))


def resend_waiting() -> None:
    """Send again measurements whose message the broker lost: the row is the outbox."""
    now = timezone.now()
    waiting = Measurement.objects.filter(
        state=MeasurementState.WAITING, asked_at__range=(now - LOST, now - RESEND_AFTER)
    )
    for pk in waiting.values_list("pk", flat=True):
        send("networks.measure", pk)


def last_measurement(server_ids: Iterable[int]) -> Measurement | None:
    """The newest measurement that concerns one of the servers."""
    wanted = set(server_ids)
    rows = Measurement.objects.defer("cells")[: NEWEST * 4]
    return next((row for row in rows if wanted & set(row.servers)), None)


def is_under_way(row: Measurement) -> bool:
    """Whether the measurement may still bring something: not ended, and not lost with its worker."""
    if row.state == MeasurementState.RUNNING and row.started_at is not None:
        return row.started_at > timezone.now() - LONGEST
    return row.state in OPEN and row.asked_at > timezone.now() - LOST


def measured_cells() -> dict[tuple[str, str, str], str]:
    """What was measured last of each (origin, target, layer), in the short form of networks/points.py.

    Without what was measured from or to a server before something else was decided for it.
    """
    found: dict[tuple[str, str, str], str] = {}
    done = Measurement.objects.filter(state=MeasurementState.DONE)
    rows = list(done.only("cells", "asked_at", "started_at")[:NEWEST])
    decided = _decided_since(min(map(_began, rows))) if rows else {}
    for row in rows:
        changed = {f"{server}" for server, at in decided.items() if at > _began(row)}
        for origin, target, layer, _, measured in row.cells:
            if measured != "unknown" and not changed & {_server_of(origin), _server_of(target)}:
                found.setdefault((origin, target, layer), measured)
    return found


def _began(row: Measurement) -> datetime:
    return row.started_at or row.asked_at


def _server_of(end: str) -> str:
    """The server in the short form of a container, an interface or a server; none of other hosts."""
    kind, server, *_ = end.split(":")
    return "" if kind == "o" else server


def _decided_since(since: datetime) -> dict[int, datetime]:
    """Servers that a Change decided something for since then, and when last. Two queries."""
    decisions = Decision.objects.filter(decided_at__gt=since).values_list("change", "wave", "decided_at")
    at = {(change, wave): decided_at for change, wave, decided_at in decisions}
    parts = Operation.objects.filter(change__in={change for change, _ in at}).exclude(server=None)
    found: dict[int, datetime] = {}
    for change, wave, server in parts.values_list("change", "wave", "server"):
        if (when := at.get((change, wave))) is not None:
            found[server] = max(found.get(server, when), when)
    return found


def open_disagreements(user: AnyUser) -> list[Disagreement]:
    """What was measured otherwise than predicted and has not agreed since, on servers the user may see."""
    rows = list(Disagreement.objects.filter(gone_at=None))
    wanted = {server for row in rows for server in row.servers}
    seen = set(PhysicalServer.objects.visible_to(user).filter(pk__in=wanted).values_list("pk", flat=True))
    return [row for row in rows if set(row.servers) <= seen]
