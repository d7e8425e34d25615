"""What is done to the lab beside a design, and undone again."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lab.definition import SERVERS
from lab.lab import Lab

if TYPE_CHECKING:
    from networks.domain.inventory import Inventory

VIDS = (100, 200)
SECOND = (
    ("server1", "103", "10.77.0.103/24", "fd77::103/64"),
    ("server3", "301", "10.77.0.31/24", "fd77::31/64"),
)
"""(server, CTID, addresses): they get a second interface as 201 has, so that a bridge inside may join two."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What is done to the lab beside the design."""

    stopped: tuple[tuple[str, str], ...] = ()
    """(server, CTID)."""
    unbridged: bool = False
    """The bridge inside 201 lets go of its second interface."""
    bridged: tuple[str, ...] = ()
    """CTIDs of `SECOND` that join their two interfaces by a bridge inside."""
    switched_on: tuple[str, ...] = ()
    """CTIDs of `SECOND` that have switched their second interface on; a bridge inside does so itself."""
    host_routed: tuple[tuple[str, str, str], ...] = ()
    """(server, CTID, address)."""
    untrunked: tuple[tuple[str, int], ...] = ()
    """(server, VLAN id)."""
    switched_off: tuple[tuple[str, int], ...] = ()
    """(server, VLAN id): the VLAN adapter is down, where there is one."""


def choose_faults(choice: random.Random) -> Faults:
    """A few things that go wrong, or are otherwise than in the scheme."""
    containers = [(server.name, one.ctid) for server in SERVERS for one in server.containers]
    stopped = tuple(choice.sample(containers, choice.randint(0, 2)))
    plain = [(s, c) for s, c in containers if c not in ("101", "302") and (s, c) not in stopped]
    routed = tuple(
        (s, c, f"10.77.0.{150 + n}") for n, (s, c) in enumerate(choice.sample(plain, choice.randint(0, 1)))
    )
    ports = [(server.name, vid) for server in SERVERS for vid in VIDS]
    return Faults(
        stopped,
        choice.random() < 0.3 and ("server2", "201") not in stopped,
        tuple(ctid for server, ctid, *_ in SECOND if choice.random() < 0.4 and (server, ctid) not in stopped),
        tuple(ctid for server, ctid, *_ in SECOND if choice.random() < 0.6 and (server, ctid) not in stopped),
        routed,
        tuple(choice.sample(ports, choice.randint(0, 1))),
        tuple(choice.sample(ports, choice.randint(0, 1))),
    )


def add_interfaces(lab: Lab) -> None:
    """Give the containers of `SECOND` their second interface, in no network."""
    for server, ctid, *_ in SECOND:
        lab.check(server, f"vzctl set {ctid} --netif_add eth1 --save")


def inflict(lab: Lab, faults: Faults) -> None:
    """Make the lab so, as far as it may be so while the panel changes it."""
    for server, ctid, address in faults.host_routed:
        lab.check(server, f"vzctl set {ctid} --ipadd {address} --save")
    for server, ctid in faults.stopped:
        lab.check(server, f"vzctl stop {ctid}")
    for server, ctid, *_ in SECOND:
        if ctid in faults.switched_on:
            lab.check(server, f"vzctl exec {ctid} ip link set dev eth1 up")
    if faults.unbridged:
        lab.check("server2", "vzctl exec 201 ip link set dev eth1 nomaster")


def inflict_after(lab: Lab, faults: Faults) -> None:
    """What may only be once the design is there.

    A bridge inside must not close a ring of the design before, and a Change whose members do not hear each
    other is taken back.
    """
    for server, vid in faults.untrunked:
        lab.trunk(server, vid, carried=False)
    for server, ctid, *addresses in SECOND:
        if ctid in faults.bridged:
            lab.check(server, f"vzctl exec {ctid} '{_bridge_inside(addresses)}'")
    for server, vid in faults.switched_off:
        lab.check(server, f"ip link set dev eth0.{vid} down")


def _bridge_inside(addresses: list[str]) -> str:
    """Commands that move the container's addresses from eth0 to a bridge of both its interfaces."""
    return " && ".join(
        [
            "ip link add br0 type bridge",
            "ip addr flush dev eth0",
            *(f"ip link set dev {port} master br0 up" for port in ("eth0", "eth1")),
            "ip link set dev br0 up",
            *(f"ip addr add {address} dev br0" for address in addresses),
        ]
    )


def relieve(lab: Lab, faults: Faults) -> None:
    """Undo what was inflicted."""
    for server, vid in faults.switched_off:
        lab.check(server, f"ip link set dev eth0.{vid} up")
    for server, ctid, *_ in SECOND:
        if ctid in faults.bridged:
            lab.check(server, f"vzctl restart {ctid}")
        elif ctid in faults.switched_on:
            lab.check(server, f"vzctl exec {ctid} ip link set dev eth1 down")
    for server, vid in faults.untrunked:
        lab.trunk(server, vid, carried=True)
    if faults.unbridged:
        lab.check("server2", "vzctl exec 201 ip link set dev eth1 master br0")
    for server, ctid in faults.stopped:
        lab.check(server, f"vzctl start {ctid}")
    for server, ctid, address in faults.host_routed:
        lab.check(server, f"vzctl set {ctid} --ipdel {address} --save")


def as_bridged(found: Inventory, faults: Faults, keys: dict[str, int]) -> Inventory:
    """What the rules must know before a design: which containers will join their interfaces inside."""
    soon = {(keys[server], ctid) for server, ctid, *_ in SECOND if ctid in faults.bridged}
    soon.add((keys["server2"], "201"))
    return replace(
        found,
        containers=tuple(
            replace(c, joined=(("eth0", "eth1"),)) if (c.server, c.ctid) in soon else c
            for c in found.containers
        ),
    )


def as_faulty(found: Inventory, faults: Faults, keys: dict[str, int]) -> Inventory:
    """What the prediction must know beside the looks: the switch tells nobody which VLANs it carries."""
    cut = {(keys[server], vid) for server, vid in faults.untrunked}
    return replace(
        found,
        adapters=tuple(replace(a, carrier=False) if (a.server, a.vid) in cut else a for a in found.adapters),
    )
