"""Making Changes for tests, without a server to plan on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.desired import head, write_head
from networks.domain.state import CreateNetwork, Desired, Edit, apply_edits
from networks.models import Change, Decision, Drift, Operation
from networks.state_json import dump_edits
from nodes.models import PhysicalServer


def decide(*edits: Edit) -> Desired:
    """Make the edits the next revision, as a decision does."""
    newest = head()
    after = apply_edits(newest.state, edits)
    with transaction.atomic():
        write_head(newest.number + 1, newest.state, after, author_id=None, reason="")
    return after


def write(state: Desired) -> None:
    """Make the state, bridge names and adopted bridges included, the next revision."""
    newest = head()
    with transaction.atomic():
        write_head(newest.number + 1, newest.state, state, author_id=None, reason="")


def was_decided(change: Change, wave: int = 1) -> None:
    """What the decision of the wave leaves, if it is the last."""
    newest, now = head(), timezone.now()
    with transaction.atomic():
        revision = write_head(newest.number + 1, newest.state, newest.state, author_id=None, reason="")
        Decision.objects.create(change=change, wave=wave, revision=revision, decided_at=now)
        Change.objects.filter(pk=change.pk).update(decided_at=now, revision=revision)


def planned(user: Any, *edits: Edit, servers: tuple[PhysicalServer, ...] = (), **columns: Any) -> Change:
    """A Change of the user as its review left it, with an operation for each server."""
    change = Change.objects.create(
        author=user,
        edits=dump_edits(edits or (CreateNetwork("6f1c3a1e-0000-4000-8000-000000000001", "A"),)),
        base=head().number,
        state=ChangeState.PLANNED,
        summary="Create Virtual Network A.",
        **columns,
    )
    for server in servers:
        Operation.objects.create(
            change=change,
            server=server,
            server_name=server.name,
            host_plan="vnetpanel-plan 1\nend\n",
            digest="0" * 64,
            commands=[{"phase": "critical", "text": "ip link set dev eth0 master vn-a"}],
            state=OperationState.PLANNED,
        )
    return change


def at_once(*works: Callable[[], object]) -> list[object]:
    """What each returned or raised, all of them begun at the same moment."""
    barrier = threading.Barrier(len(works))
    results: list[object] = [None] * len(works)

    def run(index: int) -> None:
        barrier.wait()
        try:
            results[index] = works[index]()
        except Exception as error:
            results[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def drifted(server: PhysicalServer, **columns: Any) -> Drift:
    """Container 102's port in no bridge, or what the columns say, as a look has stored it."""
    now = timezone.now()
    values = {
        "kind": "interface",
        "ctid": "102",
        "name": "eth0",
        "property_name": "port",
        "link": "veth102.0",
        "desired": "in vn-a",
        "observed": "in no bridge",
        "first_seen_at": now,
        "seen_at": now,
    }
    PhysicalServer.objects.filter(pk=server.pk).update(drift_count=1)
    return Drift.objects.create(server=server, **values | columns)
