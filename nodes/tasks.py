"""Entries of the worker: which servers are looked at when. Thin; the messages carry primary keys only.

Looks are fanned out as a few shard tasks with threads of their own: a message per server would cost more
than the look (measured: 2.7 against about 0.5 ms of CPU). Everything here can be lost or doubled without
harm: the schedule finds due servers by their rows, and a look claims its server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from nodes import observe, remembered
from nodes.choices import ServerOS, ServerState
from nodes.fanout import observe_many
from nodes.models import PhysicalServer
from nodes.sync import next_look
from vnetpanel.celery import server_queue

log = structlog.get_logger(__name__)

SHARD_SIZE = 64
EXPIRES_S = 55
"""A look that has waited for a free worker this long is sent again by the schedule anyway."""
RESEND_AFTER = timedelta(seconds=10)
"""A look that was asked for and has not happened by then was lost by the broker."""


@shared_task(name="nodes.observe_server")
def observe_server(pk: int) -> None:
    """Look at one server."""
    observe.observe(pk)


@shared_task(name="nodes.offer_host_key")
def offer_host_key(pk: int) -> None:
    """Read the host key of a server without logging in."""
    try:
        observe.offer_host_key(pk)
    except observe.LookFailed as failure:
        log.info("host_key_not_read", server=pk, reason=failure.reason)
    except PhysicalServer.DoesNotExist:
        log.info("server_removed", server=pk)


@shared_task(name="nodes.observe_due")
def observe_due() -> int:
    """Send a look at every server whose time has come; how many. The schedule calls it every few seconds.

    Servers that did not answer last time go into shards of their own: their time-outs delay no other.
    """
    answering, silent = take_due()
    send_shards(answering)
    send_shards(silent)
    return len(answering) + len(silent)


@shared_task(name="nodes.observe_shard")
def observe_shard(pks: list[int]) -> None:
    """Look at these servers, many at a time."""
    observe_many(pks)


@shared_task(name="nodes.observe_shard_whole")
def observe_shard_whole(pks: list[int]) -> None:
    """Look at these servers and ask as well for what only a restart should change."""
    for pk in pks:
        remembered.forget(pk)
    observe_many(pks)


def take_due() -> tuple[list[int], list[int]]:
    """Servers whose look is due, each given to one caller only: those that answered last time, and the rest.

    Their next look is put a minute ahead in the same transaction, so a second caller does not find them.
    On SQLite the transaction has the write lock from its start; elsewhere the rows are locked.
    """
    now = timezone.now()
    due = Q(next_look_at=None) | Q(next_look_at__lte=now) | Q(look_requested_at__lte=now - RESEND_AFTER)
    free = Q(look_claimed_until=None) | Q(look_claimed_until__lt=now)
    with transaction.atomic():
        servers = PhysicalServer.objects.filter(due, free, os=ServerOS.LINUX, is_enabled=True)
        found = list(
            servers.order_by("next_look_at", "pk")
            .select_for_update(skip_locked=True)
            .values_list("pk", "state")
        )
        PhysicalServer.objects.bulk_update(
            [PhysicalServer(pk=pk, next_look_at=next_look(pk, now)) for pk, _ in found], ["next_look_at"]
        )
    answering = [pk for pk, state in found if state in (ServerState.OK, ServerState.WAITING)]
    return answering, [pk for pk, state in found if state not in (ServerState.OK, ServerState.WAITING)]


def send_shards(pks: Collection[int], whole: bool = False) -> None:
    """Send looks at these servers to the worker, `whole` ones or not, as few messages as make sense."""
    task = observe_shard_whole if whole else observe_shard
    by_worker: dict[int, list[int]] = {}
    for pk in pks:
        by_worker.setdefault(worker_of(pk, settings.WORKERS), []).append(pk)
    for worker, mine in by_worker.items():
        for shard in _shards(mine):
            queue = server_queue(worker) if settings.WORKERS > 1 else None
            send(task, shard, queue=queue)


def worker_of(pk: int, workers: int) -> int:
    """The worker that looks at a server and keeps the connection to it.

    By rendezvous hashing: with another number of workers only the servers of those that came or went move.
    """

    def weight(number: int) -> bytes:
        return hashlib.blake2b(f"{pk} on {number}".encode(), digest_size=8).digest()

    return max(range(workers), key=weight)


def send(task: Any, *args: Any, queue: str | None = None) -> None:
    """Send a task; a broker that is away costs time only, for the schedule finds what is due by its row."""
    try:
        task.apply_async(args=args, expires=EXPIRES_S, queue=queue)
    except Exception:  # whatever the transport raises: kombu's, redis', the socket's own
        log.warning("broker_unreachable", task=task.name, exc_info=True)


def _shards(pks: list[int]) -> Iterable[list[int]]:
    number = -(-len(pks) // SHARD_SIZE)
    # Dealt out like cards, so that shards are of one size.
    return (pks[first::number] for first in range(number))
