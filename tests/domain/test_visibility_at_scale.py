"""The model stays quick with 1,000 servers of 50 containers: by components and groups, never by pairs.

Measured on a machine of two cores: 1.4 s of CPU for the model, its components and its groups, and 0.3 s for
the matrix of the groups. What is asserted is how often things are done, not how long they take.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import Counter
from dataclasses import replace

import pytest

from networks.domain.inventory import BridgeView, ContainerKey, Inventory, RouteView, RoutingView
from networks.domain.state import Desired, RemoveMember, apply_edits
from networks.domain.visibility import model, visibility
from networks.domain.visibility.building import uncollected
from networks.domain.wires import Places
from tests.domain.test_scale import CONTAINERS, SERVERS, installation

ROUTER = "10.0.255.254"


@pytest.fixture(scope="module")
def large() -> tuple[Desired, Inventory]:
    """The large installation as looks find it: servers with an address on their first network, routes."""
    desired, found = installation()
    return desired, replace(
        found,
        servers=tuple(
            replace(s, routing=RoutingView(frozenset({4}), (RouteView("default", ROUTER, "vn-net-0"),)))
            for s in found.servers
        ),
        adapters=tuple(
            replace(a, bridge=f"vn-net-{a.name[3:]}", up=True, carrier=True) for a in found.adapters
        ),
        bridge_views=tuple(
            BridgeView(s.id, "vn-net-0", (f"10.0.{251 + s.id // 250}.{s.id % 250 + 1}/16",))
            for s in found.servers
        ),
        containers=tuple(
            replace(c, routing=RoutingView(frozenset(), (RouteView("default", ROUTER, "eth0"),)))
            for c in found.containers
        ),
    )


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the two costly steps run: placing an interface, and sending a packet."""
    done: Counter[str] = Counter()
    place, send = Places.of_interface, model.judge

    def counted_place(*args):  # type: ignore[no-untyped-def]
        done["placed"] += 1
        return place(*args)

    def counted_send(*args):  # type: ignore[no-untyped-def]
        done["judged"] += 1
        return send(*args)

    monkeypatch.setattr(Places, "of_interface", counted_place)
    monkeypatch.setattr(model, "judge", counted_send)
    return done


def test_a_matrix_of_fifty_thousand_containers_is_one_of_a_few_groups(
    large: tuple[Desired, Inventory], work: Counter[str]
) -> None:
    desired, found = large
    sight = visibility(desired, desired, found)
    assert len(sight.components()) == 4
    groups = sight.groups(sight.hosts())
    assert len(groups) < 15
    # Once for each interface, and twice for the two that each bridge inside a container names.
    assert work["placed"] <= SERVERS * CONTAINERS + 2 * SERVERS
    answers = [sight.answer(a.first, b.first) for a in groups for b in groups]
    assert work["judged"] <= len(groups) ** 2 == len(answers)


def test_the_collector_is_kept_from_it_and_at_work_again_afterwards(large: tuple[Desired, Inventory]) -> None:
    desired, found = large
    whole: list[str] = []

    def seen(phase: str, info: dict[str, int]) -> None:
        if info["generation"] == 2:
            whole.append(phase)

    gc.callbacks.append(seen)
    try:
        sight = visibility(desired, desired, found)
        assert sight.groups(sight.hosts())
    finally:
        gc.callbacks.remove(seen)
    assert len(whole) <= 2, "once at most, when it has been built"
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected(), uncollected():
        1 / 0  # noqa: B018
    assert gc.isenabled()


def test_whoever_leaves_last_puts_the_collector_to_work_again() -> None:
    """Another thread may come while one leaves, and must not take its pause for how things are."""
    first, second = uncollected(), uncollected()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_the_collector_is_at_work_after_many_threads_have_built_at_once() -> None:
    def build() -> None:
        for _ in range(2000):
            with uncollected():
                pass

    threads = [threading.Thread(target=build) for _ in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert gc.isenabled()


def test_the_difference_of_one_edit_judges_groups_and_not_pairs(
    large: tuple[Desired, Inventory], work: Counter[str]
) -> None:
    desired, found = large
    member = desired.members[7].interface
    before = visibility(desired, desired, found)
    after = visibility(apply_edits(desired, (RemoveMember(member),)), desired, found)
    change = before.difference(after)
    assert not change.gained and change.left_out == 0
    lonely = ContainerKey(member.server, member.ctid)
    assert all(lonely in (*sight.first.members, *sight.second.members) for sight in change.lost)
    assert change.lost
    assert work["judged"] < 100
