"""What the panel measures on the lab, and what the other host hears, by the same script in its place."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lab import netns
from lab.lab import Lab
from proof.panel import ProofFailed, until

if TYPE_CHECKING:
    from networks.domain.inventory import Inventory
    from networks.domain.visibility import HostKey, Visibility
    from networks.measure import Heard
    from networks.measure.plan import Layer, MeasuredCell, Plan
    from networks.models import Change, Measurement

TRIES = 2
"""What should have been seen and was not is measured again so often: a lab on a busy machine is slow."""
MEASURED_WITHIN_S = 300


def name_of(key: object) -> str:
    """The name that the data file has for a host: a CTID, a server's name, or "other"."""
    from networks.domain.inventory import ContainerKey, ServerRef
    from nodes.models import PhysicalServer

    if isinstance(key, ContainerKey):
        return key.ctid
    return PhysicalServer.objects.get(pk=key.id).name if isinstance(key, ServerRef) else "other"


def measure(
    lab: Lab, change: Change | None, amend: Callable[[Inventory], Inventory] = lambda found: found
) -> tuple[Visibility, tuple[MeasuredCell, ...]]:
    """Every pair that the panel measured after the Change (on demand without one), and the other host's.

    What differs because it was not seen is measured again.

    The prediction, given back with them, is made here, from desired and the inventory; `amend` adds to it
    what no look can see.
    """
    from networks.desired import head
    from networks.domain.visibility import visibility
    from networks.inventory_rows import inventory
    from nodes.models import PhysicalServer

    row = _after(change) if change else _on_demand()
    servers = list(PhysicalServer.objects.values_list("pk", flat=True))
    desired = head().state
    sight = visibility(desired, desired, amend(inventory(servers)))
    cells = _cells(sight, row, _from_other(lab, sight))
    for _ in range(TRIES):
        if not any(cell.differs and cell.predicted == "yes" for cell in cells):
            break
        cells = _either(cells, _cells(sight, _on_demand(), _from_other(lab, sight)))
    return sight, cells


def _after(change: Change) -> Measurement:
    from networks.models import Measurement

    if not until(lambda: Measurement.objects.filter(change=change).exists(), 30):
        raise ProofFailed("the panel did not measure after the change")
    return _ended(Measurement.objects.get(change=change))


def _on_demand() -> Measurement:
    from django.contrib.auth.models import User

    from networks.services.measure import request_measurement
    from nodes.models import PhysicalServer

    servers = list(PhysicalServer.objects.values_list("pk", flat=True))
    return _ended(request_measurement(User.objects.get(username="admin"), servers))


def _ended(row: Measurement) -> Measurement:
    from networks.choices import MeasurementState

    def is_over() -> bool:
        row.refresh_from_db()
        return row.ended_at is not None

    until(is_over, MEASURED_WITHIN_S)
    if row.state != MeasurementState.DONE or row.silent:
        raise ProofFailed(f"the measurement ended as {row.state}: {row.silent}")
    return row


def _cells(sight: Visibility, row: Measurement, others: tuple[MeasuredCell, ...]) -> tuple[MeasuredCell, ...]:
    """The row's cells with the prediction of this sight, and those of the other host."""
    from networks.domain.inventory import ContainerKey, ServerRef
    from networks.domain.visibility import OtherHosts
    from networks.measure.plan import MeasuredCell
    from networks.points import short_point

    hosts = (ContainerKey, ServerRef, OtherHosts)
    found = []
    for a, b, layer, _, measured in row.cells:
        origin, target = short_point(a), short_point(b)
        if not isinstance(origin, hosts) or not isinstance(target, hosts):
            raise ProofFailed(f"the panel measured between {a} and {b}")
        ask = sight.answer if layer == "ip" else sight.layer2_answer
        found.append(MeasuredCell(origin, target, layer, ask(origin, target), measured))
    return (*found, *others)


def _either(first: tuple[MeasuredCell, ...], second: tuple[MeasuredCell, ...]) -> tuple[MeasuredCell, ...]:
    """What was seen once was seen."""
    later: dict[tuple[HostKey, HostKey, Layer], str] = {
        (cell.origin, cell.target, cell.layer): cell.measured for cell in second
    }
    return tuple(
        replace(cell, measured="yes") if later.get((cell.origin, cell.target, cell.layer)) == "yes" else cell
        for cell in first
    )


def _from_other(lab: Lab, sight: Visibility) -> tuple[MeasuredCell, ...]:
    """The cells of the other host, which is no part of the panel."""
    from networks.domain.visibility import OtherHosts
    from networks.measure.plan import AMONG_OTHERS, plan

    made = plan(sight, sight.hosts())
    others = tuple(key for key in made.targets if isinstance(key, OtherHosts))
    made = replace(made, origins=others)
    heard = {AMONG_OTHERS: _among_others(lab, made, others), **_known_macs()}
    return tuple(cell for cell in made.cells(heard) if cell.origin in others)


def _known_macs() -> dict[int, Mapping[str, Heard]]:
    """The hardware addresses of all hosts, as they say themselves."""
    from networks.engine.measuring import ask_all
    from networks.measure.jobs import Place
    from nodes.models import Container, PhysicalServer

    running = Container.objects.filter(status="running", gone_at=None)
    places = {
        pk: (Place(), *(Place(row.ctid) for row in running.filter(server_id=pk)))
        for pk in PhysicalServer.objects.values_list("pk", flat=True)
    }
    return dict(ask_all(places, {})[0])


def _among_others(lab: Lab, made: Plan, others: tuple[HostKey, ...]) -> Mapping[str, Heard]:
    """What the other host hears."""
    from networks.measure import measure_command, read_answer
    from networks.measure.jobs import Place
    from nodes.probe import new_nonce

    asked = [a for key in made.targets if key not in others for a in made.addresses(key)]
    nonce = new_nonce()
    place = Place("", tuple(asked), tuple(("eth0", a) for a in asked if ":" not in a))
    command = measure_command(nonce, (place,))
    prefix = netns.exec_prefix(lab.place, "other")
    done = subprocess.run([*prefix, *command.argv], input=command.stdin, capture_output=True, check=True)
    return read_answer(done.stdout, nonce)
