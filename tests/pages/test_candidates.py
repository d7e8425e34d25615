"""Interfaces that can join a network: each is on one page, and a far page costs what the first does."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from networks import picker
from networks.domain.state import AddMember, CreateNetwork, RemoveMember
from networks.keyset import BEGINNING, END, KeyPage, Place
from networks.models import Member, VirtualNetwork
from networks.picker import Candidate, candidates
from networks.services import drafts
from networks.slices import draft_edits
from nodes.models import Container, ContainerInterface, PhysicalSegment, PhysicalServer, ServerGroup
from tests.networks.changes import decide
from tests.networks.conftest import Scene, make_container, make_server
from tests.nodes.fleet import make_fleet

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"
C = "6f1c3a1e-0000-4000-8000-000000000003"
SORTS = ["", "ctid", "-ctid", "server", "-server", "network", "-network", "nonsense"]


@pytest.fixture
def mixed(scene: Scene) -> Scene:
    """Free ones and members of three networks on every server, and all that is not to be listed."""
    segment = PhysicalSegment.objects.get(is_default=True)
    hidden = ServerGroup.objects.create(name="Elsewhere")
    inner = ServerGroup.objects.create(name="Inner", parent=scene.group)
    more = [
        make_server(inner, segment, "Server3", "10.77.0.13"),
        make_server(scene.group, segment, "server10", "10.77.0.14"),
        make_server(hidden, segment, "server1-hidden", "10.77.0.15"),
    ]
    for server in more:
        for ctid in ("102", "11", "9"):
            make_container(server, ctid, "eth0", "eth1", "venet0")
    make_container(scene.windows, "7", "eth0")
    Container.objects.filter(pk=make_container(scene.server1, "8", "eth0").pk).update(gone_at=timezone.now())
    gone = ContainerInterface.objects.get(container__server=more[0], container__ctid="9", ifname="eth1")
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "b"), CreateNetwork(C, "C"))
    bridged = ContainerInterface.objects.filter(mode="bridged", container__server__os="linux")
    for number, row in enumerate(bridged.filter(container__gone_at=None).exclude(pk=gone.pk).order_by("pk")):
        if home := (None, A, None, B, C, None, B)[number % 7]:
            Member.objects.create(network_id=UUID(home), interface=row)
    ContainerInterface.objects.filter(pk=gone.pk).update(gone_at=timezone.now())
    return scene


def expected(user: Any, text: str, sort: str) -> list[str]:
    """The whole list, sorted by Python."""
    rows = ContainerInterface.objects.operable_by(user).filter(
        gone_at=None, container__gone_at=None, container__server__os="linux"
    )
    rows = rows.select_related("container__server", "membership__network")
    found = []
    for row in rows:
        home = row.membership.network.name if hasattr(row, "membership") else ""
        if home != "A" and (text or row.mode == "bridged"):
            server, ctid = row.container.server.name, row.container.ctid
            found.append((home, server, ctid, row.ifname))
    found.sort(key=lambda one: one[1:])
    columns: dict[str, Callable[[Any], Any]] = {
        "": lambda one: bool(one[0]),
        "ctid": lambda one: one[2],
        "server": lambda one: one[1],
        "network": lambda one: one[0],
    }
    if key := columns.get(sort.removeprefix("-")):
        found.sort(key=key, reverse=sort.startswith("-"))
    return ["/".join(one[1:]) for one in found]


def names(page: KeyPage[Candidate]) -> list[str]:
    rows = (one.row for one in page.rows)
    return [f"{row.container.server.name}/{row.container.ctid}/{row.ifname}" for row in rows]


def walked(user: Any, text: str, sort: str, way: str, start: Place) -> list[tuple[list[str], Place]]:
    """What each page shows, from that place on, by the pages' own links; and where each page is."""
    part = draft_edits(user)
    found: list[tuple[list[str], Place]] = []
    place: Place | None = start
    while place is not None:
        page = candidates(user, A, part, text, place, sort)
        found.append((names(page), place))
        place = getattr(page, way)
        assert len(found) < 200, "this never ends"
    return found


@pytest.mark.parametrize("text", ["", "ct"])
@pytest.mark.parametrize("sort", SORTS)
def test_each_is_on_one_page_there_and_back(
    mixed: Scene, operator: Any, admin: Any, monkeypatch: pytest.MonkeyPatch, sort: str, text: str
) -> None:
    assert any("hidden" in name for name in expected(admin, text, sort)), "a superuser sees more"
    for user, size in product((operator, admin), (1, 2, 3, 7, 100)):
        monkeypatch.setattr(picker, "PER_PAGE", size)
        wanted = expected(user, text, sort)
        cut = [wanted[start : start + size] for start in range(0, len(wanted), size)]
        there = walked(user, text, sort, "after", BEGINNING)
        assert [page for page, _ in there] == cut
        back = walked(user, text, sort, "before", there[-1][1])
        assert [page for page, _ in back] == cut[::-1]


@pytest.mark.parametrize("sort", ["", "ctid", "-server", "-network"])
def test_a_full_page_is_shown_whatever_the_draft_puts_into_the_network(
    mixed: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    """What it puts in is not listed; what it moves elsewhere is, with where."""
    monkeypatch.setattr(picker, "PER_PAGE", 4)
    before = expected(operator, "", sort)
    rows = {names(KeyPage([one], None, None))[0]: one.row for one in listed(operator, sort)}
    keys = {
        name: mixed.key(row.container.server, row.container.ctid, row.ifname) for name, row in rows.items()
    }
    ins, out = before[:6] + before[-3:], before[8]
    moves = [RemoveMember(keys[name]) for name in ins if hasattr(rows[name], "membership")]
    first = [RemoveMember(keys[out])] if hasattr(rows[out], "membership") else []
    drafts.stage(
        operator, [*moves, *(AddMember(A, keys[name]) for name in ins), *first, AddMember(B, keys[out])]
    )
    operator = type(operator).objects.get(pk=operator.pk)
    pages = [page for page, _ in walked(operator, "", sort, "after", BEGINNING)]
    assert [name for page in pages for name in page] == [name for name in before if name not in ins]
    assert all(len(page) == 4 for page in pages[:-1])
    (moved,) = (one for one in listed(operator, sort) if one.row.pk == rows[out].pk)
    assert moved.now_in in ("b", "another virtual network")


def listed(user: Any, sort: str) -> list[Candidate]:
    part, found = draft_edits(user), []
    place: Place | None = BEGINNING
    while place is not None:
        page = candidates(user, A, part, "", place, sort)
        found += page.rows
        place = page.after
    return found


def test_places_of_rows_that_are_gone_lead_somewhere(
    mixed: Scene, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picker, "PER_PAGE", 3)
    wanted, part = expected(operator, "", ""), draft_edits(operator)

    def at(*position: str, backwards: bool = False) -> list[str]:
        return names(candidates(operator, A, part, "", Place(position, backwards)))

    place = next(number for number, one in enumerate(wanted) if one.startswith("server1/"))
    assert at("free", "server1", "0", "") == wanted[place : place + 3]
    assert at("taken", "zzz", "9", "eth0") == wanted[-3:], "nothing is after it: the last page"
    assert at("taken", "zzz", "9", "eth0", backwards=True) == wanted[-3:]
    assert at("free", "", "", "", backwards=True) == wanted[:3], "nothing is before it: the first page"
    second = candidates(operator, A, part, "", BEGINNING).rows[1].position
    assert at(*second, backwards=True) == wanted[:3], "less than a page is before it: the first page, whole"
    end = candidates(operator, A, part, "", END)
    assert names(end) == wanted[-3:] and end.after is None and end.before


def configure(client: Client, query: str = "") -> str:
    response = client.get(reverse("networks:add_members", args=[A]) + query)
    assert response.status_code == 200
    return response.text.split('id="add"')[1].split('id="assignments"')[0]


def ticks(text: str) -> list[str]:
    return re.findall(r'aria-label="Add (\S+ \S+ on \S+)"', text)


def link(text: str, label: str) -> str:
    """Where the link leads, "" if there is none."""
    found = re.search(rf'href="([^"]*)">{label}</a>', text)
    return html.unescape(found[1]).removesuffix("#add") if found else ""


def test_links_lead_forward_back_and_to_the_first_page(
    mixed: Scene, as_operator: Client, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picker, "PER_PAGE", 3)
    query, pages = "?container=ct&sort=-ctid&members=1", []
    first = query
    while query:
        text = configure(as_operator, query)
        assert 'aria-sort="descending"' in text and 'value="ct"' in text
        pages.append(ticks(text))
        query, back = link(text, "Next"), link(text, "Previous")
        assert bool(back) == bool(link(text, "First")) == (len(pages) > 1)
    assert len(pages) > 4 and link(text, "First") == "?container=ct&sort=-ctid&members=1" == first
    assert sum(map(len, pages)) == len(expected(operator, "ct", "-ctid"))
    assert "after" not in link(text, "Container") and "before" not in link(text, "Container")
    assert ticks(configure(as_operator, back)) == pages[-2]
    assert ticks(configure(as_operator, link(configure(as_operator, back), "Next"))) == pages[-1]


@pytest.mark.parametrize(
    "query",
    [
        "?containers=3998",
        "?page=7",
        "?after=",
        "?before=",
        "?after=free",
        "?after=free&after=server1&after=102",
        "?after=free&after=server1&after=102&after=eth0&after=1",
        "?after=free&after=server1&after=%00&after=eth0",
        "?after=all&after=server1&after=102&after=eth0",
        "?sort=ctid&after=free&after=server1&after=102&after=eth0",
        "?before=';drop&before=server1&before=102&before=eth0",
        "?after=%ff%fe&before=%ff",
    ],
)
def test_an_address_of_no_place_is_the_first_page(mixed: Scene, as_operator: Client, query: str) -> None:
    first = ticks(configure(as_operator, "?sort=ctid" if "sort" in query else ""))
    assert first and ticks(configure(as_operator, query)) == first


def test_odd_texts_are_places_like_others(mixed: Scene, as_operator: Client) -> None:
    for text in ("%F0%9F%90%98", "%25", "x" * 3000, "%ED%A0%80", "%0A"):
        configure(as_operator, f"?after=free&after={text}&after={text}&after={text}")
        configure(as_operator, f"?before=taken&before={text}&before={text}&before={text}")


@pytest.fixture
def many(db: None, admin: Any) -> Any:
    """200 servers with 10 containers of two interfaces each, every tenth in a network; the user."""
    make_fleet(200, 10, 2)
    VirtualNetwork.objects.create(pk=UUID(A), name="A")
    other = VirtualNetwork.objects.create(pk=UUID(B), name="b")
    rows = ContainerInterface.objects.filter(ifname="eth0", container__ctid__in=("1003", "1007"))
    Member.objects.bulk_create(Member(network=other, interface=row) for row in rows)
    return admin


def steps(user: Any, place: Place) -> tuple[int, KeyPage[Candidate]]:
    """What the page costs, in hundreds of instructions of SQLite's machine."""
    done, part = 0, draft_edits(user)

    def count() -> int:
        nonlocal done
        done += 1
        return 0

    connection.connection.set_progress_handler(count, 100)
    try:
        page = candidates(user, A, part, "", place)
    finally:
        connection.connection.set_progress_handler(None, 0)
    return done, page


def test_a_far_page_reads_only_what_it_shows(many: Any) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("counts instructions of SQLite")
    first, _ = steps(many, BEGINNING)
    _, end = steps(many, END)
    assert end.before and names(end)[-1] == "node0199/1007/eth0"
    last, shown = steps(many, Place(end.before.position))
    back, _ = steps(many, end.before)
    assert len(shown.rows) == picker.PER_PAGE - 1 and shown.after is None
    assert last < 1.5 * first and back < 1.5 * first
    half = {"container__server__name__gte": "node0100"}
    Member.objects.filter(interface__in=ContainerInterface.objects.filter(**half)).delete()
    ContainerInterface.objects.filter(**half).delete()
    fewer, _ = steps(many, BEGINNING)
    assert first < 1.1 * fewer, "twice as many servers cost the same"


def test_a_page_takes_one_query_and_two_where_free_and_taken_ones_meet(many: Any) -> None:
    part = draft_edits(many)

    def queries(place: Place) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert candidates(many, A, part, "", place).rows
        return [query["sql"] for query in captured]

    free = queries(BEGINNING)
    assert len(free) == 1 and "OFFSET" not in free[0]
    assert len(queries(Place(("free", "node0150", "1005", "eth1")))) == 1
    assert len(queries(Place(("taken", "node0150", "1003", "eth0")))) == 1
    assert len(queries(Place(("taken", "node0150", "1003", "eth0"), backwards=True))) == 1
    assert len(queries(Place(("free", "node0199", "1009", "eth0")))) == 2
    assert len(queries(Place(("taken", "node0002", "1003", "eth0"), backwards=True))) == 2


def test_servers_that_one_may_not_operate_are_not_read(mixed: Scene, operator: Any) -> None:
    PhysicalServer.objects.exclude(name="server1-hidden").update(group=ServerGroup.objects.create(name="New"))
    assert candidates(operator, A, draft_edits(operator), "").rows == []
