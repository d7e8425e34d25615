"""Measuring, the shell around `networks/measure`: asks servers over SSH, stores cells and disagreements."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from networks.choices import MeasurementState
from networks.desired import head
from networks.domain.visibility import HostKey, observed, visibility
from networks.engine.concerned import hosts_to_measure
from networks.engine.disagreements import store_disagreements
from networks.engine.trunks import find_trunks
from networks.inventory_rows import inventory
from networks.measure import (
    DEADLINE_S,
    BadMeasure,
    Heard,
    Place,
    Witness,
    job_text,
    measure_command,
    read_answer,
)
from networks.measure.plan import MOST_TARGETS, MeasuredCell, Plan, heard_in_all, plan, unseen
from networks.models import Measurement
from networks.points import point_text
from networks.services.sight import Sight, hosts_of_network, hosts_of_servers, servers_near
from nodes.gate import checked, gate_command
from nodes.models import PhysicalServer
from nodes.observe import TO_CONNECT, LookFailed, pool, servers_to_ask, target_of
from nodes.probe import new_nonce
from nodes.ssh import SshError

log = structlog.get_logger(__name__)

WIDTH = MOST_TARGETS
"""Servers that are asked at the same time: of a measurement all, as it tries no more hosts."""


def run_measurement(measurement_id: uuid.UUID) -> None:
    """Measure, once: whoever claims the row first."""
    now = timezone.now()
    # One that was given up before anybody began it comes late, but it comes.
    free = Q(state=MeasurementState.WAITING) | Q(state=MeasurementState.FAILED, started_at=None)
    claimed = Measurement.objects.filter(free, pk=measurement_id).update(
        state=MeasurementState.RUNNING, started_at=now, ended_at=None
    )
    if not claimed:
        return
    row = Measurement.objects.get(pk=measurement_id)
    try:
        _measure(row)
    except Exception:
        log.exception("measurement_broke", measurement=str(measurement_id))
        Measurement.objects.filter(pk=row.pk).update(state=MeasurementState.FAILED, ended_at=timezone.now())


def _measure(row: Measurement) -> None:
    newest = head().state
    known = inventory(servers_near(row.servers, newest))
    sight = visibility(newest, newest, known)
    whole = Sight("decided", sight, newest, False)
    made = plan(sight, _hosts(row, whole))
    cells, silent = measure_twice(made)
    trunks = find_trunks(sight, cells, ask_all)
    seen = observed(known, newest)
    # Both or neither: one that is done is not made again for what was not stored of it.
    with transaction.atomic():
        Measurement.objects.filter(pk=row.pk).update(
            state=MeasurementState.DONE,
            ended_at=timezone.now(),
            cells=[
                [point_text(c.origin), point_text(c.target), c.layer, c.predicted, c.measured] for c in cells
            ],
            silent={str(server): text for server, text in silent.items()} | _left_out(made),
        )
        store_disagreements(sight, seen, cells, trunks)
    log.info("measured", measurement=str(row.pk), cells=len(cells), differ=sum(c.differs for c in cells))


def _hosts(row: Measurement, found: Sight) -> list[HostKey]:
    """Those among whom is measured: of a network, of what a Change concerns, or of the servers."""
    if row.network:
        return hosts_of_network(found, str(row.network))
    if row.change:
        return hosts_to_measure(found, row.change, row.servers)
    return hosts_of_servers(found.visibility, row.servers)


def _left_out(made: Plan) -> dict[str, str]:
    """What is stored, beside the servers that were silent, of groups of hosts that nobody was asked of."""
    return {Measurement.LEFT_OUT: str(made.left_out)} if made.left_out else {}


def measure_twice(made: Plan) -> tuple[tuple[MeasuredCell, ...], dict[int, str]]:
    """Every pair once, and once more those that should have been seen and were not."""
    heard, silent = ask_all(made.places(), {})
    cells = made.cells(heard)
    # A server that did not answer is not waited for twice.
    jobs = {server: places for server, places in made.places(unseen(cells)).items() if server in heard}
    if jobs:
        again, _ = ask_all(jobs, {})
        cells = made.cells(heard_in_all(heard, again))
    return cells, silent


def ask_all(
    places: Mapping[int, tuple[Place, ...]], witnesses: Mapping[int, tuple[Witness, ...]]
) -> tuple[dict[int, Mapping[str, Heard]], dict[int, str]]:
    """What each server heard, and why others could not be asked. All of a server's probes are one exec."""
    servers = sorted({*places, *witnesses})
    if not servers:
        return {}, {}

    known = servers_by_key(servers)

    def one(server: int) -> Mapping[str, Heard] | str:
        return ask(known.get(server), places.get(server, ()), witnesses.get(server, ()))

    with ThreadPoolExecutor(min(WIDTH, len(servers)), thread_name_prefix="measure") as threads:
        answers = dict(zip(servers, threads.map(one, servers), strict=True))
    heard = {server: answer for server, answer in answers.items() if not isinstance(answer, str)}
    return heard, {server: answer for server, answer in answers.items() if isinstance(answer, str)}


def servers_by_key(pks: Collection[int]) -> dict[int, PhysicalServer]:
    """These servers with all that asking them needs, so that a thread that asks opens no database."""
    return {server.pk: server for server in servers_to_ask(TO_CONNECT).filter(pk__in=pks)}


def ask(
    server: PhysicalServer | None,
    places: tuple[Place, ...],
    witnesses: tuple[Witness, ...],
    deadline_s: float = DEADLINE_S,
) -> Mapping[str, Heard] | str:
    """One exec on one server: what it heard, or why it could not be asked."""
    if server is None:
        return "The server has been removed."
    nonce = new_nonce()
    try:
        command = (
            gate_command("measure", arguments=nonce, stdin=job_text(places, witnesses))
            if server.by_gate
            else measure_command(nonce, places, witnesses)
        )
        done = checked(server, pool().run(target_of(server), command, deadline_s=deadline_s))
        return read_answer(done.stdout, nonce)
    except SshError as error:
        return error.sentence
    except LookFailed as error:
        return error.reason
    except BadMeasure as error:
        return str(error)
