"""Lists are sorted, filtered, saved as CSV, and show the columns that the person chose."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from networks.domain.state import AddMember, Assign, CreateNetwork
from networks.models import Assignment, Change, VirtualNetwork
from nodes.models import Adapter, Container, PhysicalServer, ServerGroup
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene, make_container, make_server

A = "6f1c3a1e-0000-4000-8000-000000000001"


def csv_of(client: Client, address: str) -> list[str]:
    response = client.get(address, {"format": "csv"})
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["Content-Disposition"]
    return b"".join(cast(Iterable[bytes], response)).decode().splitlines()


def headings(text: str) -> list[str]:
    head = text.split("<thead", 1)[1].split("</thead>", 1)[0]
    return [" ".join(part.split("</a>")[0].split(">")[-1].split()) for part in head.split("</th>")[:-1]]


@pytest.mark.parametrize("evil", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1"])
def test_no_cell_of_a_csv_file_begins_like_a_formula(scene: Scene, as_admin: Client, evil: str) -> None:
    Container.objects.update(name=evil)
    lines = csv_of(as_admin, reverse("nodes:group_containers", args=[scene.group.pk]))
    cells = [cell.strip('"') for line in lines[1:] for cell in line.split(",")]
    assert any(cell == f"'{evil.strip()}" for cell in cells)
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t")]


def test_a_comma_and_a_quote_stay_inside_their_cell(scene: Scene, as_admin: Client) -> None:
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(name='a, "b"')
    assert any(line.startswith('"a, ""b""",') for line in csv_of(as_admin, reverse("nodes:servers")))


def test_networks_and_changes_are_saved_too(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    planned(operator, servers=(scene.server1,))
    Change.objects.update(state="done")
    assert csv_of(as_operator, reverse("networks:list"))[1].startswith("A,")
    head, row = csv_of(as_operator, reverse("networks:server_networks", args=[scene.server1.pk]))
    assert head.startswith("Name,") and ",eth0," in row
    assert csv_of(as_operator, reverse("networks:changes"))[1].startswith("Create Virtual Network A.,")


@pytest.mark.parametrize(("sort", "first"), [("name", "server1"), ("-name", "winnie")])
def test_a_list_is_sorted_by_a_column(scene: Scene, as_admin: Client, sort: str, first: str) -> None:
    text = as_admin.get(reverse("nodes:servers"), {"sort": sort}).text
    names = ("server1", "server2", "winnie")
    assert min(names, key=text.split("<tbody", 1)[1].index) == first


def test_chosen_columns_are_kept_by_the_browser_and_the_way_back_keeps_the_filter(
    scene: Scene, as_admin: Client
) -> None:
    address = reverse("nodes:servers")
    everything = headings(as_admin.get(address).text)
    assert {"Name", "State", "Group", "vzctl"} <= set(everything)
    response = as_admin.get(
        address, {"columns": "server", "show": ["state", "address"], "q": "server", "sort": "-name"}
    )
    assert response["Location"] == f"{address}?q=server&sort=-name"
    assert response.cookies["vnetpanel_columns_server"]["httponly"]
    assert headings(as_admin.get(address).text) == ["Name", "State", "Address"]
    assert headings(as_admin.get(reverse("nodes:group_servers", args=[scene.group.pk])).text) == [
        "Name",
        "State",
        "Address",
    ]


def test_a_csv_file_has_all_columns_whatever_is_shown(scene: Scene, as_admin: Client) -> None:
    before = csv_of(as_admin, reverse("nodes:servers"))
    as_admin.get(reverse("nodes:servers"), {"columns": "server"})
    assert headings(as_admin.get(reverse("nodes:servers")).text) == ["Name"]
    assert csv_of(as_admin, reverse("nodes:servers"))[0] == before[0]


def test_a_cookie_made_up_by_hand_does_no_harm(scene: Scene, as_admin: Client) -> None:
    as_admin.cookies["vnetpanel_columns_server"] = 'name.state.nothing.../.."<script>'
    shown = headings(as_admin.get(reverse("nodes:servers")).text)
    assert shown[0] == "Name"


def test_the_servers_own_page_does_not_say_the_server(scene: Scene, as_admin: Client) -> None:
    text = as_admin.get(reverse("nodes:server_containers", args=[scene.server1.pk])).text
    assert "Server" not in headings(text)
    assert 'value="server"' not in text


@pytest.mark.parametrize("page", ["0", "-1", "2", "9" * 12, "9" * 23, "9" * 5000, "٣", "x"])
@pytest.mark.parametrize(
    "name", ["nodes:servers", "networks:list", "networks:changes", "networks:drift", "audit"]
)
def test_a_list_opens_whatever_page_is_asked_for(
    scene: Scene, as_admin: Client, name: str, page: str
) -> None:
    assert as_admin.get(reverse(name), {"page": page}).status_code == 200


@pytest.mark.parametrize("number", ["-5", "0", "1", "100000", "9" * 25])
@pytest.mark.parametrize("name", ["nodes:servers", "networks:list", "networks:changes", "networks:drift"])
def test_nobody_chooses_how_long_a_page_is(scene: Scene, as_admin: Client, name: str, number: str) -> None:
    PhysicalServer.objects.bulk_create(
        PhysicalServer(name=f"n{n}", group=scene.group, address="192.0.2.1") for n in range(60)
    )
    answer = as_admin.get(reverse(name), {"per_page": number})
    assert answer.status_code == 200
    if name == "nodes:servers":
        assert len(re.findall(r"<tr\b", answer.text)) == 51


@pytest.mark.parametrize("sort", ["name", "-name", "members_count", "-servers_count"])
def test_a_page_far_down_counts_for_its_own_rows_only(scene: Scene, as_admin: Client, sort: str) -> None:
    VirtualNetwork.objects.bulk_create(VirtualNetwork(name=f"network {n:03}") for n in range(120))
    for network in VirtualNetwork.objects.filter(name__endswith="7"):
        Assignment.objects.create(network=network, server=scene.server1)
    with CaptureQueriesContext(connection) as queries:
        texts = [as_admin.get(reverse("networks:list"), {"sort": sort, "page": n}).text for n in (1, 2, 3)]
    pages = [query["sql"] for query in queries if "on_1" in query["sql"]]
    assert len(pages) == 3
    for sql in pages:
        keys = sql.split('"networks_virtualnetwork"."id" IN (SELECT')[-1]
        assert "LIMIT" in keys and sql.count("LIMIT 51") == 1, sql
    shown = [re.findall(r">(network \d+)<", text) for text in texts]
    whole = [name for page in shown for name in page]
    assert [len(page) for page in shown] == [50, 50, 20] and len(set(whole)) == 120
    if sort.endswith("name"):
        assert whole == sorted(whole, reverse=sort.startswith("-"))
    assert all("COUNT(DISTINCT" not in sql for sql in pages) == sort.endswith("name"), "sorted by names alone"
    if sort == "-servers_count":
        assert all(name.endswith("7") for name in whole[:12]) and not whole[12].endswith("7")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="of PostgreSQL's plans small tables tell nothing")
@pytest.mark.parametrize("client", ["as_admin", "as_viewer"])
def test_of_each_network_only_its_own_servers_are_read(
    scene: Scene, client: str, request: pytest.FixtureRequest
) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    with CaptureQueriesContext(connection) as queries:
        assert "server1: eth0" in request.getfixturevalue(client).get(reverse("networks:list")).text
    [sql] = (query["sql"] for query in queries if "on_1" in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        plan = [row[3] for row in cursor.fetchall()]
    assert not [line for line in plan if "FOR IN-OPERATOR" in line], plan


def rows_of(client: Client, address: str, **query: str) -> dict[str, str]:
    """The words of a list's rows by the name that each begins with, in their order."""
    body = client.get(address, query).text.split("<tbody", 1)[1].split("</tbody>")[0].partition(">")[2]
    rows = (" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in body.split("</tr>"))
    return {row.split()[0]: row for row in rows if row}


def test_a_servers_networks_are_sorted_by_what_they_are_said_to_be_assigned_to(
    scene: Scene, as_operator: Client
) -> None:
    """Found in review: they came in the order in which they had been assigned."""
    server, ids = scene.server1, {name: A[:-1] + name.lower() for name in "ABCDE"}
    Adapter.objects.create(server=server, name="eth2")
    decide(*(CreateNetwork(key, name) for name, key in ids.items()))
    decide(Assign(ids["A"], server.pk, "eth2"), Assign(ids["B"], server.pk, None))
    decide(Assign(ids["C"], server.pk, "eth0"), AddMember(ids["E"], scene.key(server, "102")))
    address = reverse("networks:server_networks", args=[server.pk])
    rows = rows_of(as_operator, address, sort="assigned")
    assert list(rows) == ["C", "A", "B", "E", "D"]
    said = ["eth0", "eth2", "local", "local", "not defined here"]
    assert all(word in row for word, row in zip(said, rows.values(), strict=True)), rows
    assert list(rows_of(as_operator, address, sort="-assigned")) == ["D", "E", "B", "A", "C"]


def test_a_container_with_two_interfaces_in_a_network_is_one_container(
    scene: Scene, as_operator: Client
) -> None:
    server = scene.server2
    keys = [scene.key(server, "201"), scene.key(server, "201", "eth1")]
    decide(CreateNetwork(A, "A"), *(AddMember(A, key) for key in keys))
    other = A[:-1] + "2"
    two = [scene.key(scene.server1, ctid) for ctid in ("102", "103")]
    decide(CreateNetwork(other, "B"), *(AddMember(other, key) for key in two))
    assert " 1 " in rows_of(as_operator, reverse("networks:list"))["A"].removeprefix("A server2: local")
    for sort, order in (("members_count", ["A", "B"]), ("-members_count", ["B", "A"])):
        assert list(rows_of(as_operator, reverse("networks:list"), sort=sort)) == order
    there = reverse("networks:server_networks", args=[server.pk])
    assert rows_of(as_operator, there)["A"].startswith("A local 1 ")
    assert "1 container<" in as_operator.get(reverse("networks:group_grid", args=[scene.group.pk])).text
    for address in (reverse("networks:detail", args=[A]), reverse("networks:configure", args=[A])):
        numbers = re.findall(r'<td class="num[^"]*">(\d+)</td>', as_operator.get(address).text)
        assert numbers == ["1"], address
    assert rows_of(as_operator, there, as_of="1")["A"].split()[-1] == "1"


def test_all_servers_of_a_network_are_counted_where_not_all_are_named(
    scene: Scene, as_operator: Client
) -> None:
    """Found in review: of six, four assigned and two by members alone, it said "4 in all"."""
    segment, other = scene.eth0(scene.server1).segment, A[:-1] + "2"
    assert segment
    more = [make_server(scene.group, segment, f"s{n}", f"10.77.0.2{n}") for n in range(4)]
    decide(CreateNetwork(A, "A"), CreateNetwork(other, "B"))
    decide(*(Assign(A, server.pk, "eth0") for server in more), Assign(other, scene.server1.pk, "eth0"))
    for server, ctid in ((scene.server1, "102"), (scene.server2, "202")):
        decide(AddMember(A, scene.key(server, ctid)))
    address = reverse("networks:list")
    rows = rows_of(as_operator, address)
    assert "s0: eth0 s1: eth0 s2: eth0 server1: local 6 in all" in rows["A"]
    assert "server1: eth0" in rows["B"] and "in all" not in rows["B"]
    there = [(scene.server1, "103", "eth0"), (scene.server2, "201", "eth0"), (scene.server2, "201", "eth1")]
    decide(*(AddMember(other, scene.key(*one)) for one in there))
    assert "server1: eth0 server2: local 2 " in rows_of(as_operator, address)["B"]
    assert list(rows_of(as_operator, address, sort="servers_count")) == ["B", "A"]
    assert list(rows_of(as_operator, address, sort="-servers_count")) == ["A", "B"]


def test_servers_that_one_may_not_see_are_counted_in_the_list(scene: Scene, as_operator: Client) -> None:
    segment = scene.eth0(scene.server1).segment
    assert segment
    hidden = make_server(ServerGroup.objects.create(name="Other"), segment, "hidden", "10.77.0.30")
    make_container(hidden, "301", "eth0")
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(hidden, "301")))
    assert "1 that you may not see" in rows_of(as_operator, reverse("networks:list"))["A"]
    decide(Assign(A, scene.server1.pk, "eth0"))
    assert "server1: eth0 2 in all" in rows_of(as_operator, reverse("networks:list"))["A"]


@pytest.mark.parametrize(
    ("name", "sort", "label", "way"),
    [
        ("nodes:servers", None, "Name", "ascending"),
        ("nodes:servers", "-containers_count", "Containers running", "descending"),
        ("networks:list", "members_count", "Containers", "ascending"),
        ("networks:changes", "-created_at", "When", "descending"),
    ],
)
def test_the_heading_of_the_sorted_column_says_which_way(
    scene: Scene, as_admin: Client, admin: Any, name: str, sort: str | None, label: str, way: str
) -> None:
    decide(CreateNetwork(A, "A"))
    planned(admin)
    text = as_admin.get(reverse(name), {"sort": sort} if sort else {}).text
    heads = text.split("<thead", 1)[1].split("</thead>")[0].split("</th>")[:-1]
    said = {
        headings(f"<thead{head}</th></thead>")[0]: re.findall(r'aria-sort="(\w+)"', head) for head in heads
    }
    assert {heading: ways for heading, ways in said.items() if ways} == {label: [way]}


def test_sorting_begins_at_the_first_page(scene: Scene, as_admin: Client) -> None:
    PhysicalServer.objects.bulk_create(
        PhysicalServer(name=f"n{n}", group=scene.group, address="192.0.2.1") for n in range(60)
    )
    text = as_admin.get(reverse("nodes:servers"), {"page": 2, "q": "n"}).text
    heads = text.split("<thead", 1)[1].split("</thead>")[0]
    assert "sort=state" in heads and "q=n" in heads and "page=" not in heads
    assert re.search(r'aria-current="page"[^>]*>2<', text)


@pytest.mark.parametrize("name", ["nodes:servers", "networks:list", "networks:changes"])
def test_a_list_that_is_filtered_stays_sorted(scene: Scene, as_admin: Client, admin: Any, name: str) -> None:
    planned(admin)
    text = as_admin.get(reverse(name), {"sort": '-name"'}).text
    form = text.split('class="list-filter', 1)[1].split("</form>")[0]
    assert '<input type="hidden" name="sort" value="-name&quot;">' in form
    assert (
        'name="sort"'
        not in as_admin.get(reverse(name)).text.split('class="list-filter', 1)[1].split("</form>")[0]
    )
