"""Global search."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from nodes.facts import Container
from nodes.lookups import search
from nodes.models import Adapter, PhysicalServer, ServerGroup
from nodes.sync import Timing, store
from tests.nodes import scene
from tests.nodes.test_sync import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def observed(server: PhysicalServer) -> PhysicalServer:
    """A server with three containers, looked at."""
    containers = (
        Container("101", name="mail", status="running", host_routed=("10.77.0.101",)),
        scene.container("102", "10.77.0.102/24", name="web"),
        scene.container("1020", "10.77.0.120/24", name="a webshop"),
    )
    store(server.pk, scene.server(containers), Timing(NOW))
    return server


def found(user: Any, text: str) -> list[tuple[str, str]]:
    return [(hit.kind, hit.title) for hit in search(user, text)]


def test_it_finds_by_name_with_the_very_thing_first(observed: PhysicalServer, admin: Any) -> None:
    assert found(admin, "web") == [("container", "102"), ("container", "1020")]
    assert found(admin, "SERVER1")[0] == ("server", "server1")
    assert found(admin, "berl") == [("group", "Berlin")]


def test_the_very_thing_is_found_among_more_than_are_shown(server: PhysicalServer, admin: Any) -> None:
    names = [*(f"a webshop {n}" for n in range(10)), *(f"webshop {n}" for n in range(10)), "Web", "WEBSHOP 3"]
    many = tuple(scene.container(str(300 + n), name=name) for n, name in enumerate(names))
    store(server.pk, scene.server(many), Timing(NOW))
    hits = search(admin, "web", limit=12)
    assert [hit.detail for hit in hits] == ["Web", "webshop 0", "webshop 1", "webshop 2"]
    assert "WEBSHOP 3" in [hit.detail for hit in search(admin, "webshop 3", limit=9)]


def test_an_interface_is_found_by_its_name_on_the_server(observed: PhysicalServer, admin: Any) -> None:
    [hit] = search(admin, "VETH102.0")
    assert (hit.kind, hit.place) == ("interface", "102")
    assert len(found(admin, "veth102")) == 2


@pytest.mark.parametrize("text", ["x", "x%", "x_", "x\\", "é", "\U0010ffff"])
def test_signs_of_patterns_stand_for_themselves(server: PhysicalServer, admin: Any, text: str) -> None:
    names = ("x%1", "x_2", "x\\3", "é4", "\U0010ffff5", "zx%1")
    many = tuple(scene.container(str(300 + n), name=name) for n, name in enumerate(names))
    store(server.pk, scene.server(many), Timing(NOW))
    assert {hit.detail for hit in search(admin, text)} == {name for name in names if text in name}


def test_it_finds_by_ctid(observed: PhysicalServer, admin: Any) -> None:
    assert found(admin, "102")[:2] == [("container", "102"), ("container", "1020")]


def test_it_finds_by_ip_and_mac(observed: PhysicalServer, admin: Any) -> None:
    assert ("interface", "eth0") in found(admin, "10.77.0.102")
    assert ("container", "101") in found(admin, "10.77.0.101")
    assert found(admin, "00:18:51:00:00:66") == [("interface", "eth0")]
    assert ("adapter", "eth0") in found(admin, "02:00:0A:4D")
    assert found(admin, "51:00:00:66") == [("interface", "eth0")]
    assert found(admin, "192.0.2.11") == [("server", "server1")]


@pytest.mark.parametrize("asked", ["00:18:51:00:00:AB", "00:18:51:00:00:ab"])
def test_a_mac_is_found_however_it_is_written(server: PhysicalServer, admin: Any, asked: str) -> None:
    store(server.pk, scene.server((scene.container(str(0xAB)),)), Timing(NOW))
    Adapter.objects.create(server=server, name="Ethernet", mac="00:18:51:00:00:aB")  # entered by hand
    assert found(admin, asked) == [("adapter", "Ethernet"), ("interface", "eth0")]


def test_it_finds_an_adapter_and_says_where(observed: PhysicalServer, admin: Any) -> None:
    [hit] = [hit for hit in search(admin, "eth0") if hit.kind == "adapter"]
    assert (hit.title, hit.place, hit.detail, hit.server_id) == (
        "eth0", "server1", "10.77.0.11/24", observed.pk,
    )  # fmt: skip


def test_what_has_vanished_is_not_found(observed: PhysicalServer, admin: Any) -> None:
    store(observed.pk, scene.server(), Timing(NOW.replace(year=NOW.year + 1)))
    assert found(admin, "web") == []


def test_what_one_may_not_see_is_not_found(observed: PhysicalServer, alice: Any, viewer: Any) -> None:
    assert found(alice, "web") == found(alice, "server1") == found(alice, "10.77") == []
    assert ("container", "102") in found(viewer, "web")


@pytest.mark.parametrize(
    "text", ["", "  ", "%", "_", "'", '"; DROP TABLE', "\\", "x" * 5000, "\0", "é‮", "<script>"]
)
def test_odd_text_finds_nothing_and_breaks_nothing(observed: PhysicalServer, admin: Any, text: str) -> None:
    assert found(admin, text) == []


@pytest.mark.parametrize("text", ["web", "1", "10.77.0", "00:18"])
def test_it_takes_one_query_and_one_for_roles(observed: PhysicalServer, viewer: Any, text: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert search(viewer, text)
    # SQLite's trigrams are asked before; a single character has none.
    assert len(queries) == (3 if connection.vendor == "sqlite" and len(text) > 2 else 2)


def test_many_containers_do_not_hide_the_server(
    group: ServerGroup, server: PhysicalServer, admin: Any
) -> None:
    server.name = "node7"
    server.save()
    store(
        server.pk,
        scene.server(tuple(scene.container(str(n), name=f"node7-{n}") for n in range(200, 260))),
        Timing(NOW),
    )
    hits = search(admin, "node7", limit=12)
    assert hits[0].kind == "server" and len(hits) <= 12
