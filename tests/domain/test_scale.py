"""Rules and plans stay quick with 1,000 servers, 50,000 containers and 200 networks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from networks.domain.inventory import AdapterView, ContainerView, InterfaceView, Inventory, ServerView
from networks.domain.plan import plan
from networks.domain.rules import review
from networks.domain.state import (
    AddMember,
    Assign,
    Assignment,
    Desired,
    InterfaceKey,
    Member,
    Network,
    RemoveMember,
    apply_edits,
)
from nodes.facts import ServerFacts

SERVERS, CONTAINERS, NETWORKS, NICS = 1000, 50, 200, 4


def installation() -> tuple[Desired, Inventory]:
    """Network n has a container on every server; four networks per server are on its NICs."""
    networks = tuple(Network(str(n), f"net {n}", "", f"vn-net-{n}") for n in range(NETWORKS))
    adapters, containers, interfaces, assignments, members = [], [], [], [], []
    for server in range(SERVERS):
        adapters += [AdapterView(server, f"eth{n}", segment=n) for n in range(NICS)]
        assignments += [Assignment(str(n), server, f"eth{n}") for n in range(NICS)]
        for c in range(CONTAINERS):
            key = InterfaceKey(server, str(100 + c), "eth0")
            address = f"10.{c % NICS}.{server // 4}.{server % 4 * 50 + c + 1}/16"
            mac = f"00:18:{server >> 8:02x}:{server & 255:02x}:{c:02x}:01"
            joined = (("eth0", "eth1"),) if c == 0 else ()
            containers.append(ContainerView(server, key.ctid, f"c{c}", "running", joined))
            interfaces.append(InterfaceView(key, "bridged", mac, (address,), True))
            members.append(Member(str(c % NICS), key))
    found = Inventory(
        tuple(ServerView(s, f"s{s}") for s in range(SERVERS)),
        tuple(adapters),
        tuple(containers),
        tuple(interfaces),
    )
    return Desired(networks, tuple(assignments), tuple(members)), found


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """CPU time of this process: other work on the machine does not count."""
    start = time.process_time()
    yield
    took = time.process_time() - start
    assert took <= seconds, f"{took:.2f} s of CPU"


def test_a_large_installation_stays_quick() -> None:
    desired, found = installation()
    keys = [member.interface for member in desired.members if member.network == "3"][:1000]
    edits = [edit for key in keys for edit in (RemoveMember(key), AddMember("0", key))]
    with at_most(2):
        after = apply_edits(desired, edits)
    assert len(after.members) == len(desired.members)
    with at_most(8):
        problems = review(desired, (*edits, Assign("0", 5, "eth1")), found)
    assert [p.code for p in problems if p.severity == "refuse"] == ["adapter-taken"]
    with at_most(5):
        for server in range(SERVERS):
            plan(ServerView(server, f"s{server}", facts=ServerFacts()), after, desired, found)
