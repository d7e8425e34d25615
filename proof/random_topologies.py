"""`make visibility N=30`: random topologies on the lab, each built by the panel, predicted and measured.

One seed is one topology: which interfaces are in which network, on which adapters and VLANs the networks
are, which containers are stopped, which have a bridge inside, who is host-routed, which VLAN adapter is
switched off, which switch ports lack a VLAN. Cells that differ are printed with their seed, and their
topology is kept in var/proof: a seed that differed becomes a test.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lab import netns
from lab.definition import SERVERS
from lab.lab import Lab
from lab.shell import run
from proof.faults import (
    VIDS,
    Faults,
    add_interfaces,
    as_bridged,
    as_faulty,
    choose_faults,
    inflict,
    inflict_after,
    relieve,
)
from proof.measuring import measure, name_of
from proof.panel import apply, panel_on, say
from proof.seen import Seen, write

if TYPE_CHECKING:
    from networks.domain.inventory import Inventory
    from networks.domain.state import Desired
    from networks.measure.plan import MeasuredCell

NETWORKS = "ABCDE"
TRIES = 400
"""So many random designs are thrown away at most before the rules accept one."""
LOOKS = 4
NAMESPACE = uuid.UUID("5d0f7c52-0000-4000-8000-000000000000")


@dataclass
class Tally:
    """Cells so far."""

    compared: int = 0
    differing: list[str] = field(default_factory=list)


def main(count: int, first_seed: int | None = None) -> int:
    """Try `count` topologies; 0 if nothing differs. A given first seed repeats a run."""
    seed = int(time.time()) if first_seed is None else first_seed
    lab, tally = Lab(report=say), Tally()
    with lab.use(alone=True, wait=True):
        try:
            lab.up()
            lab.renew()
            with panel_on(lab, measures=False):
                pin_neighbours(lab)
                add_interfaces(lab)
                for number in range(count):
                    one_topology(lab, seed + number, tally)
        finally:
            lab.down(force=True)
    for line in tally.differing:
        print(line)
    print(f"visibility: {tally.compared} cells compared, {len(tally.differing)} differ")
    return 1 if tally.differing else 0


def pin_neighbours(lab: Lab) -> None:
    """The panel knows its servers' hardware addresses by heart.

    A container with a bridge inside can join the LAN to an interface that is in no bridge. There the server
    answers ARP for all its addresses (arp_ignore 0), and who has learnt that end's address loses the server.
    """
    for server in SERVERS:
        known = [server.address, "lladdr", server.mac, "dev", "eth0", "nud", "permanent"]
        run([*netns.exec_prefix(lab.place), "ip", "neigh", "replace", *known])


def choices_of(seed: int) -> random.Random:
    """The choices of a seed, always the same."""
    return random.Random(seed)  # noqa: S311 - no secret


def one_topology(lab: Lab, seed: int, tally: Tally) -> None:
    """Build the topology of a seed, measure it, put the lab back into order."""
    from networks.desired import head
    from networks.domain.diff import edits_between
    from networks.inventory_rows import inventory
    from nodes.models import PhysicalServer

    choice = choices_of(seed)
    keys = {row.name: row.pk for row in PhysicalServer.objects.all()}
    look(keys)
    faults = choose_faults(choice)
    known = as_bridged(inventory(list(keys.values())), faults, keys)
    wanted = design(choice, keys, head().state, known)
    faults = replace(faults, switched_off=tuple(_there(faults, wanted, keys)))
    inflict(lab, faults)
    try:
        look(keys)
        edits = edits_between(head().state, wanted)
        if edits:
            apply(edits)
        inflict_after(lab, faults)
        look(keys)
        sight, cells = measure(lab, None, lambda found: as_faulty(found, faults, keys))
    finally:
        relieve(lab, faults)
    add(tally, seed, cells)
    path = write(Seen(seed, head().state, sight.world.scene.inventory, cells))
    if any(cell.differs for cell in cells):
        say(f"kept in {path.name}: {faults}")
    say(f"seed {seed}: {tally.compared} cells so far, {len(tally.differing)} differ")


def _there(faults: Faults, wanted: Desired, keys: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Of the VLAN adapters to switch off those that the design has."""
    for server, vid in faults.switched_off:
        if any(vlan.vid == vid for vlan in wanted.vlans_on(keys[server])):
            yield server, vid


def add(tally: Tally, seed: int, cells: tuple[MeasuredCell, ...]) -> None:
    """Count one topology's cells."""
    for cell in cells:
        tally.compared += cell.is_compared
        if cell.differs:
            pair = f"{name_of(cell.origin)} to {name_of(cell.target)}, {cell.layer}"
            line = f"seed {seed}: {pair}: predicted {cell.predicted}, measured {cell.measured}"
            say(line)
            tally.differing.append(line)


def design(choice: random.Random, keys: dict[str, int], before: Desired, known: Inventory) -> Desired:
    """A random design that the rules do not refuse."""
    from networks.domain.diff import edits_between
    from networks.domain.rules import review

    for _ in range(TRIES):
        wanted = _design(choice, keys, known)
        problems = review(before, edits_between(before, wanted), known)
        if not any(problem.severity == "refuse" for problem in problems):
            return wanted
    return before


def _design(choice: random.Random, keys: dict[str, int], known: Inventory) -> Desired:
    """Each network gets members anywhere; over several servers it needs an adapter on each, on one it may."""
    from networks.domain.state import Assignment, Desired, Member, Network, VlanAdapter

    ids = [str(uuid.uuid5(NAMESPACE, name)) for name in NETWORKS]
    homes = {
        view.key: choice.choice(ids)
        for view in sorted(known.interfaces, key=lambda view: view.key)
        if view.mode == "bridged" and not view.gone and choice.random() < 0.8
    }
    names = ["eth0", *(f"eth0.{vid}" for vid in VIDS)]
    taken: set[tuple[int, str]] = set()
    assignments = []
    for network in ids:
        servers = sorted({key.server for key, home in homes.items() if home == network})
        if len(servers) == 1 and choice.random() < 0.4:
            continue
        common = choice.choice(names)
        for server in servers:
            # Now and then on another wire than the rest: a network that is split.
            adapter = common if choice.random() < 0.85 else choice.choice(names)
            if (server, adapter) in taken:
                homes = {k: h for k, h in homes.items() if (k.server, h) != (server, network)}
                continue
            taken.add((server, adapter))
            assignments.append(Assignment(network, server, adapter))
    vlans = tuple(
        VlanAdapter(server, f"eth0.{vid}", "eth0", vid)
        for server in sorted(keys.values())
        for vid in VIDS
        if (server, f"eth0.{vid}") in taken or choice.random() < 0.2
    )
    return Desired(
        tuple(Network(network, name) for name, network in zip(NETWORKS, ids, strict=True)),
        tuple(assignments),
        tuple(Member(network, key) for key, network in homes.items()),
        vlans,
    )


def look(keys: dict[str, int]) -> None:
    """Have the panel see what is there now; on a busy machine a server may need more than one try."""
    from nodes import observe

    for server in observe.servers_to_ask().filter(pk__in=keys.values()):
        for _ in range(LOOKS - 1):
            try:
                observe.look(server)
                break
            except observe.LookFailed as error:
                say(str(error))
                time.sleep(5)
        else:
            observe.look(server)
