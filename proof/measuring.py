"""Measures the lab with the panel's own script and parser, from the place of the other host as well."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lab import netns
from lab.lab import Lab

if TYPE_CHECKING:
    from networks.domain.inventory import Inventory
    from networks.domain.state import Desired
    from networks.domain.visibility import HostKey
    from networks.measure import Heard
    from networks.measure.plan import MeasuredCell, Plan

TRIES = 3
"""What should have been seen and was not is tried again so often: a laboratory on a busy machine is slow."""


def name_of(key: object) -> str:
    """The name that the data file has for a host: a CTID, a server's name, or "other"."""
    from networks.domain.inventory import ContainerKey, ServerRef
    from nodes.models import PhysicalServer

    if isinstance(key, ContainerKey):
        return key.ctid
    return PhysicalServer.objects.get(pk=key.id).name if isinstance(key, ServerRef) else "other"


def measure(
    lab: Lab, desired: Desired, amend: Callable[[Inventory], Inventory] = lambda found: found
) -> tuple[MeasuredCell, ...]:
    """Every pair of the lab's hosts on both layers, predicted from `desired` and measured.

    `amend` adds to the inventory what no look can see.
    """
    from networks.domain.visibility import OtherHosts, visibility
    from networks.engine.measuring import ask_all
    from networks.inventory_rows import inventory
    from networks.measure.plan import AMONG_OTHERS, heard_in_all, plan, unseen
    from nodes.models import PhysicalServer
    from proof.panel import ProofFailed

    servers = list(PhysicalServer.objects.values_list("pk", flat=True))
    sight = visibility(desired, desired, amend(inventory(servers)))
    made = plan(sight, sight.hosts())
    others = tuple(key for key in made.targets if isinstance(key, OtherHosts))
    made = replace(made, origins=(*made.origins, *others))
    heard, silent = ask_all(made.places(), {})
    if silent:
        raise ProofFailed("; ".join(silent.values()))
    heard[AMONG_OTHERS] = _among_others(lab, made, others)
    cells = made.cells(heard)
    for _ in range(TRIES):
        missed = unseen(cells)
        if not missed:
            break
        again, _silent = ask_all(made.places(missed), {})
        again[AMONG_OTHERS] = _among_others(lab, made, others)
        heard = dict(heard_in_all(heard, again))
        cells = made.cells(heard)
    return cells


def _among_others(lab: Lab, made: Plan, others: tuple[HostKey, ...]) -> Mapping[str, Heard]:
    """What the other host hears, asked by the same script in its place."""
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
