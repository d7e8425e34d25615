"""A thousand servers with fifty containers each: lists, tree and search take a fixed number of queries."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext

from nodes.lookups import search
from nodes.models import Container, ContainerInterface, GroupRole, PhysicalServer, ServerGroup
from tests.nodes.fleet import SERVERS, make_fleet


@pytest.fixture
def fleet(db: None, alice: Any) -> Any:
    """A user who may see one half of a large inventory."""
    tops = make_fleet()
    GroupRole.objects.create(user=alice, group=tops[0], role="viewer")
    return alice


def measured(work: Callable[[], Any]) -> tuple[int, float, Any]:
    """Number of queries, processor seconds, result: a busy machine is no fault."""
    started = time.thread_time()
    with CaptureQueriesContext(connection) as queries:
        result = work()
    return len(queries), time.thread_time() - started, result


# One test, because making the fleet takes longer than everything that is asked of it.
def test_every_list_is_a_few_queries_and_shows_one_half_only(fleet: Any) -> None:
    queries, _, groups = measured(lambda: list(ServerGroup.objects.visible_to(fleet)))
    assert queries <= 2 and len(groups) == 11

    queries, _, servers = measured(
        lambda: list(PhysicalServer.objects.visible_to(fleet).select_related("group")[:50])
    )
    assert queries <= 2 and len(servers) == 50

    counted = ServerGroup.objects.visible_to(fleet).annotate(number=Count("servers"))
    queries, _, rows = measured(lambda: sum(group.number for group in counted))
    assert queries <= 2 and rows == SERVERS / 2

    queries, took, page = measured(
        lambda: list(
            Container.objects.visible_to(fleet)
            .present()
            .select_related("server")
            .order_by("server__name", "ctid")[:50]
        )
    )
    assert queries <= 2 and len(page) == 50

    queries, took, page = measured(
        lambda: list(ContainerInterface.objects.visible_to(fleet).present().order_by("pk")[:50])
    )
    assert queries <= 2 and len(page) == 50

    seen = set(PhysicalServer.objects.visible_to(fleet).values_list("pk", flat=True))
    one = ContainerInterface.objects.visible_to(fleet).latest("pk")
    for text, kinds in {
        "node0": {"server"},
        one.container.name[:5]: {"container"},
        "1001": {"container"},
        "veth1001": {"interface"},
        one.addresses_text[:7]: {"interface"},
        one.mac[:11]: {"interface"},
        "eth1": {"adapter"},
        "nowhere": set(),
    }.items():
        queries, took, hits = measured(lambda text=text: search(fleet, text))
        assert queries <= 3, text
        assert {hit.kind for hit in hits} >= kinds and len(hits) <= 20, text
        assert {hit.server_id for hit in hits if hit.server_id} <= seen
        assert took < 2, text


def plan(text: str, user: Any) -> str:
    """What the database says of the search's query, in its own words; PostgreSQL runs it for that."""
    with CaptureQueriesContext(connection) as queries:
        search(user, text)
    how = "ANALYZE, FORMAT JSON" if connection.vendor == "postgresql" else ""
    explain = f"EXPLAIN ({how})" if how else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {queries[-1]['sql']}")
        rows = cursor.fetchall()
    return json.dumps(rows[0][0]) if how else "\n".join(row[3] for row in rows)


def scans(node: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Each table that a plan of PostgreSQL reads, and how many rows of it."""
    if "Relation Name" in node:
        read = sum(node.get(key, 0) for key in ("Actual Rows", "Rows Removed by Filter"))
        yield node["Relation Name"], read * node["Actual Loops"]
    for below in node.get("Plans", ()):
        yield from scans(below)


def most_read(text: str, user: Any) -> float:
    """How many rows PostgreSQL reads of any table, at most, to answer a search."""
    [explained] = json.loads(plan(text, user))
    return max(rows for _, rows in scans(explained["Plan"]))


def known_tables() -> None:
    """Let PostgreSQL know what is in its tables, as it does by itself in time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def test_what_thousands_have_is_found_without_reading_or_sorting_them(
    db: None, admin: Any, alice: Any
) -> None:
    top, _ = make_fleet(200)
    GroupRole.objects.create(user=alice, group=top, role="viewer")
    known_tables()
    names = Container.objects.values_list("name", flat=True)
    [(most, _)] = Counter(name[:5] for name in names).most_common(1)
    for user in (admin, alice):
        # Names have their servers' keys, which need not begin with 1: a database goes on counting.
        for text in (most, "1001", "WEB-"):
            if connection.vendor == "postgresql":
                assert most_read(text, user) < 1000, (text, user)
            else:
                # Groups are the only kind that is few: what is in order has been read in that order.
                assert plan(text, user).count("TEMP B-TREE") == 1, (text, user)
        if connection.vendor == "sqlite":
            assert "TEMP B-TREE" not in plan("00:18", user), user
            assert re.search(r"SEARCH U0 USING INDEX host_ifname_in_capitals \(<expr>>", plan("veth", user))


@pytest.mark.skipif(connection.vendor != "sqlite", reason="of SQLite's tables of trigrams")
def test_what_hardly_anything_has_is_looked_up_in_sqlite(db: None, admin: Any) -> None:
    make_fleet(50)
    one = ContainerInterface.objects.latest("pk")
    for text in ("nowhere", one.container.name, one.mac, one.addresses_text):
        read = re.findall(r"SCAN (?!CONSTANT)(.*)", plan(text, admin))
        # Groups, in two ways, by names and by pieces: they are few, and none is called like an address.
        assert len(read) == (0 if text in (one.mac, one.addresses_text) else 2), (text, read)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL's indexes of trigrams")
def test_what_hardly_anything_has_is_found_by_its_trigrams(db: None, admin: Any) -> None:
    make_fleet(200)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexname LIKE '%\\_trigrams'")
        if not (names := [name for (name,) in cursor.fetchall()]):
            pytest.skip("this PostgreSQL has no pg_trgm")
        for name in names:
            cursor.execute("SELECT gin_clean_pending_list(%s)", [name])
    known_tables()
    with connection.cursor() as cursor:
        # Whether so few rows are as well read as a whole is for PostgreSQL to say, and not asked here.
        cursor.execute("SET LOCAL enable_seqscan = off")
    one = ContainerInterface.objects.latest("pk")
    for text in ("nowhere", "eth1", one.container.name, one.mac):
        assert most_read(text, admin) < 2000, text
    # Of a maker's many interfaces no more than the one are read.
    assert "nodes_containerinterface_mac_trigrams" not in plan(one.mac, admin)
