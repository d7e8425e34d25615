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

from networks.domain.state import Assign, CreateNetwork
from networks.models import Assignment, Change, VirtualNetwork
from nodes.models import Container, PhysicalServer
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene

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


@pytest.mark.parametrize("sort", ["name", "-name", "members_count", "-servers_count"])
def test_a_page_far_down_counts_for_its_own_rows_only(scene: Scene, as_admin: Client, sort: str) -> None:
    VirtualNetwork.objects.bulk_create(VirtualNetwork(name=f"network {n:03}") for n in range(120))
    for network in VirtualNetwork.objects.filter(name__endswith="7"):
        Assignment.objects.create(network=network, server=scene.server1)
    with CaptureQueriesContext(connection) as queries:
        texts = [as_admin.get(reverse("networks:list"), {"sort": sort, "page": n}).text for n in (1, 2, 3)]
    pages = [query["sql"] for query in queries if "members_count" in query["sql"]]
    assert len(pages) == 3
    for sql in pages:
        keys = sql.split(" IN (SELECT")[-1]
        assert "LIMIT" in keys and sql.count("LIMIT 51") == 1, sql
    shown = [re.findall(r">(network \d+)<", text) for text in texts]
    whole = [name for page in shown for name in page]
    assert [len(page) for page in shown] == [50, 50, 20] and len(set(whole)) == 120
    if sort.endswith("name"):
        assert whole == sorted(whole, reverse=sort.startswith("-"))
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
