"""A thousand servers with fifty containers each: lists, tree and search take a fixed number of queries."""

from __future__ import annotations

import time
from collections.abc import Callable
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
    for text, kinds in {
        "node0": {"server"},
        "web-1": {"container"},
        "1001": {"container"},
        "veth1001": {"interface"},
        "10.0.0.": {"interface"},
        "00:18:00:01": {"interface"},
        "eth1": {"adapter"},
        "nowhere": set(),
    }.items():
        queries, took, hits = measured(lambda text=text: search(fleet, text))
        assert queries <= 2, text
        assert {hit.kind for hit in hits} >= kinds and len(hits) <= 20, text
        assert {hit.server_id for hit in hits if hit.server_id} <= seen
        assert took < 2, text
