"""Parts of what is decided, read from rows: the same as in the revision, and always in the same order."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from networks.as_of import as_of
from networks.desired import head
from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan, Desired
from networks.looking_back import looking_back
from networks.services import drafts
from networks.slices import decided_on, decided_on_each, of_area, of_cells, of_network, on_servers
from nodes.models import Adapter
from tests.networks.changes import decide
from tests.networks.conftest import Scene

FIRST, LAST = sorted(str(uuid.uuid4()) for _ in range(2))


@pytest.fixture
def decided(scene: Scene) -> Desired:
    """Two networks whose names are in the other order than their keys."""
    return decide(
        CreateNetwork(FIRST, "zebra", "striped"),
        CreateNetwork(LAST, "ant"),
        CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100),
        Assign(FIRST, scene.server1.pk, "eth0"),
        Assign(FIRST, scene.server2.pk, "eth0.100"),
        Assign(LAST, scene.server1.pk, None),
        AddMember(FIRST, scene.key(scene.server1, "102")),
        AddMember(FIRST, scene.key(scene.server2, "201")),
    )


def parts(state: Desired) -> list[set[Any]]:
    return [set(state.networks), set(state.assignments), set(state.members), set(state.vlans)]


def test_they_are_what_the_revision_says(decided: Desired, scene: Scene, admin: Any) -> None:
    both = [scene.server1.pk, scene.server2.pk]
    assert parts(of_area(both, [], admin).decided) == parts(head().state) == parts(decided)
    assert parts(of_area([], [FIRST, LAST], admin).decided)[:3] == parts(decided)[:3]
    of_one = of_network(uuid.UUID(FIRST), admin).decided
    assert of_one.network(FIRST) == decided.network(FIRST)
    assert set(of_one.members) == set(decided.members_of(FIRST))
    assert decided_on_each(both) == {server: decided_on(server) for server in both}
    assert decided_on(scene.server2.pk).vlans == decided.vlans


def test_they_are_in_the_order_of_names(decided: Desired, scene: Scene, admin: Any) -> None:
    server = scene.server1.pk
    for state in (
        decided_on(server),
        of_area([server], [], admin).decided,
        on_servers([server], admin).decided,
    ):
        assert [network.name for network in state.networks] == ["ant", "zebra"]
        assert state.networks_on(server) == (LAST, FIRST)


def test_a_part_takes_two_queries_and_what_cells_say_one(decided: Desired, scene: Scene, admin: Any) -> None:
    both = [scene.server1.pk, scene.server2.pk]
    for work, number in (
        (lambda: decided_on_each(both), 2),
        (lambda: of_area(both, [FIRST], admin), 2),
        (lambda: of_cells(both, [FIRST, LAST], admin), 1),
        (lambda: on_servers(both, admin), 1),
        (lambda: of_area([], [], admin), 0),
    ):
        with CaptureQueriesContext(connection) as queries:
            work()
        own = [query for query in queries if '"networks_draft"' not in query["sql"]]
        assert len(own) == number, own


def test_networks_that_only_the_draft_puts_there_are_read_by_one_query_more(scene: Scene, admin: Any) -> None:
    one, two = scene.server1.pk, scene.server2.pk
    decide(CreateNetwork(FIRST, "zebra"), CreateNetwork(LAST, "ant"))
    made = str(uuid.uuid4())
    edits = (
        CreateNetwork(made, "made"),
        Assign(made, one, None),
        Assign(FIRST, one, "eth0"),
        AddMember(LAST, scene.key(scene.server2, "202")),
    )
    drafts.stage(admin, edits)
    admin.refresh_from_db()
    for servers, names, number in (([one], {"zebra"}, 1), ([one, two], {"zebra", "ant"}, 1), ([], set(), 0)):
        for work in (of_area, lambda servers, _, user: on_servers(servers, user)):
            with CaptureQueriesContext(connection) as queries:
                part = work(servers, [], admin)
            assert {network.name for network in part.decided.networks} == names
            assert {network.name for network in part.drafted.networks} == names | {"made"}
            named = [q for q in queries if 'FROM "networks_virtualnetwork"' in q["sql"]]
            assert len(named) == number, named
    with CaptureQueriesContext(connection) as queries:
        of_cells([one], [FIRST], admin)
    assert len(queries) == 1, list(queries)


def test_adapters_of_cells_are_those_that_can_be_assigned(decided: Desired, scene: Scene, admin: Any) -> None:
    server = scene.server1.pk
    Adapter.objects.create(server=scene.server1, name="eth9", mac="02:00:00:00:00:99", is_up=False)
    Adapter.objects.create(
        server=scene.server1, name="eth8", mac="02:00:00:00:00:98", is_up=True, has_carrier=False
    )
    bond = Adapter.objects.create(server=scene.server1, name="bond0", kind="bond", mac="02:00:00:00:00:97")
    Adapter.objects.filter(server=server, name="eth8").update(bond=bond)
    offered = [one.name for one in of_cells([server], [], admin).adapters[server]]
    assert "eth9" in offered and "eth8" not in offered
    seen = {one.name: (one.is_up, one.has_carrier) for one in on_servers([server], admin).adapters[server]}
    assert seen["eth9"][0] is False and seen["eth8"] == (True, False)
    assert [*seen] == sorted(seen)


def test_looking_back_what_is_decided_now_is_not_read(decided: Desired, scene: Scene, admin: Any) -> None:
    both = [scene.server1.pk, scene.server2.pk]
    with looking_back(as_of(0, admin)), CaptureQueriesContext(connection) as queries:
        found = on_servers(both, admin)
    assert found.decided == Desired() and set(found.adapters) == set(both)
    (read,) = (query["sql"] for query in queries)
    assert "networks_assignment" not in read and "nodes_adapter" in read
