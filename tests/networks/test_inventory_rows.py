"""Rows say as much about who sees whom as the looks they came from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import Desired
from networks.domain.visibility import HostKey, OtherHosts, observed, visibility
from networks.inventory_rows import inventory
from nodes.facts import Bond, Link
from nodes.models import PhysicalSegment, PhysicalServer, ServerGroup
from nodes.sync import Timing, store
from proof.cells import read_cells
from tests.domain import built, scheme

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys() -> dict[int, int]:
    """Primary keys of the scheme's servers, each stored as a look found it after A to E were applied."""
    PhysicalSegment.objects.update_or_create(name=scheme.SEGMENT_NAME, defaults={"is_default": True})
    group = ServerGroup.objects.create(name="Scheme")
    found = {}
    for number, facts in built.LOOKS.items():
        server = PhysicalServer.objects.create(
            name=f"server{number}", group=group, address=f"10.77.0.1{number}"
        )
        store(server.pk, facts, Timing(timezone.now()))
        found[number] = server.pk
    return found


def with_keys(state: Desired, keys: dict[int, int]) -> Desired:
    """The built scheme with the servers' primary keys."""
    return Desired(
        state.networks,
        tuple(replace(a, server=keys[a.server]) for a in state.assignments),
        tuple(
            replace(m, interface=replace(m.interface, server=keys[m.interface.server])) for m in state.members
        ),
        tuple(replace(v, server=keys[v.server]) for v in state.vlans),
    )


def test_the_model_says_of_rows_what_the_manual_says(keys: dict[int, int]) -> None:
    desired = with_keys(built.DESIRED, keys)
    found = inventory(keys.values())
    segment = next(a.segment for a in found.adapters if a.segment is not None)

    def key(name: str) -> HostKey:
        if name == "other":
            return OtherHosts(segment)
        if name.startswith("server"):
            return ServerRef(keys[int(name[-1])])
        return ContainerKey(keys[int(name[0])], name)

    for sight in (visibility(desired, desired, found), observed(found, desired)):
        for cell in read_cells().values():
            ask = sight.answer if cell.layer == "ip" else sight.layer2_answer
            assert ask(key(cell.origin), key(cell.target)) == cell.answer, cell


def test_a_server_that_nobody_has_looked_at_routes_nothing_that_is_known(keys: dict[int, int]) -> None:
    server = PhysicalServer.objects.create(name="new", group=ServerGroup.objects.get(), address="10.77.0.99")
    view = inventory([server.pk]).server(server.pk)
    assert view is not None and view.routing is None


def test_whether_a_kernel_can_filter_tags_is_known_without_another_look(keys: dict[int, int]) -> None:
    """Rule 13 is asked wherever a network is shown, and there nobody looks at servers."""
    old = replace(built.LOOKS[1], capabilities=frozenset())
    store(keys[1], old, Timing(timezone.now()))
    views = [inventory([pk]).server(pk) for pk in keys.values()]
    assert [view and view.filters_tags for view in views] == [False, True, True]


def test_containers_that_rules_ask_about_are_looked_up_by_their_keys_alone(keys: dict[int, int]) -> None:
    """With the servers as well SQLite looks up each key on each server: half a second for 500 servers."""
    desired = with_keys(built.DESIRED, keys)
    with CaptureQueriesContext(connection) as queries:
        found = inventory(keys.values(), about=[desired])
    assert {key.interface.server for key in desired.members} == {c.key.server for c in found.containers}
    columns = '"nodes_container"."hostname", "nodes_container"."status"'
    containers, interfaces = (q["sql"] for q in queries if columns.split(",")[0] in q["sql"])
    for sql in (containers, interfaces):
        condition = sql[sql.index("WHERE") :].split("ORDER BY")[0]
        assert '."id" IN (' in condition and '"server_id" IN (' not in condition


def test_the_slaves_of_a_bond_name_it(keys: dict[int, int]) -> None:
    names = ("eth8", "eth9")
    slaves = (Link(name, "nic", master="bond0") for name in names)
    links = (*built.LOOKS[1].links, Link("bond0", "bond", bond=Bond(1, names)), *slaves)
    facts = replace(built.LOOKS[1], links=links)
    store(keys[1], facts, Timing(timezone.now()))
    found = {a.name: (a.bond, a.is_slave) for a in inventory([keys[1]]).adapters}
    assert found["eth8"] == found["eth9"] == ("bond0", True)
    assert found["bond0"] == found["eth0"] == ("", False)
