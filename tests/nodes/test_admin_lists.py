"""Lists of the administration that grow with the installation: what a page costs, says and leads to."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from nodes.models import (
    Adapter,
    Bridge,
    Container,
    ContainerInterface,
    Credential,
    DedicatedLogin,
    HostKey,
    Look,
    PhysicalServer,
)
from tests.nodes.fleet import make_fleet, multiply
from trust.models import Entry
from vnetpanel.long_list import COUNTED

pytestmark = pytest.mark.django_db

MORE = COUNTED + 1
LISTS = (
    PhysicalServer, Look, Adapter, Bridge, Container, ContainerInterface, HostKey, DedicatedLogin, Entry,
)  # fmt: skip
SORTED_BY_AN_INDEX = {
    Container: "present_containers",
    ContainerInterface: "present_interfaces",
    Adapter: "sqlite_autoindex_nodes_adapter_1",
    PhysicalServer: "sqlite_autoindex_nodes_physicalserver_1",
}


@pytest.fixture
def crowd() -> None:
    """More rows than are counted, in every list."""
    make_fleet(MORE, 1)
    multiply(Bridge, PhysicalServer, 1, server_id="id", name="'br0'")
    multiply(Look, PhysicalServer, 1, server_id="id", at="created_at", facts="'{}'")
    multiply(
        HostKey, PhysicalServer, 1, server_id="id", key_type="'x'", base64="'x'", sha256="'SHA256:' || id"
    )
    multiply(Credential, PhysicalServer, 1, name="'login' || id", changed_at="created_at")
    ahead = Credential.objects.earliest("pk").pk - PhysicalServer.objects.earliest("pk").pk
    multiply(DedicatedLogin, PhysicalServer, 1, server_id="id", credential_id=f"id + {ahead}")
    # Not by `multiply`, which leaves keys to the database: lines of the trail bring their own.
    columns = {field.column: "''" for field in Entry._meta.fields}
    columns |= {"number": "id + 1000000", "at": "created_at", "actor_key": "id", "action": "'server.changed'"}
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO trust_entry ({', '.join(columns)}) "
            f"SELECT {', '.join(columns.values())} FROM nodes_physicalserver"
        )


def url(model: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def shown(page: Any) -> list[Any]:
    """Keys of the rows on the page."""
    return [row.pk for row in page.context["cl"].result_list]


def next_address(page: Any) -> str | None:
    """Where "Next" leads."""
    found = re.search(r'<a href="([^"]*)" rel="next"', page.content.decode())
    return found and found[1].replace("&amp;", "&")


def walked(office: Client, model: Any, query: str = "") -> list[Any]:
    """Keys of all rows on the way from the first page along "Next"."""
    page = office.get(url(model) + query)
    keys = shown(page)
    while address := next_address(page):
        page = office.get(url(model) + address)
        keys += shown(page)
    return keys


def test_a_page_takes_at_most_six_queries_and_counts_no_more_than_it_says(
    office: Client, crowd: None
) -> None:
    for model in LISTS:
        first = office.get(url(model)).context["cl"]
        for number in (1, 2, COUNTED // first.list_per_page + 1):
            with CaptureQueriesContext(connection) as captured:
                page = office.get(url(model), {"p": number})
            assert shown(page), (model, number)
            assert len(captured) <= 6, (model, number)
            counts = [query["sql"] for query in captured if "COUNT(" in query["sql"]]
            assert all(f"LIMIT {MORE})" in sql for sql in counts), (model, number, counts)


def test_staff_whose_permissions_are_asked_for_takes_at_most_six_too(
    client: Client, alice: Any, crowd: None
) -> None:
    alice.is_staff = True
    alice.save()
    alice.user_permissions.set(Permission.objects.all())
    client.force_login(alice)
    for model in LISTS:
        with CaptureQueriesContext(connection) as captured:
            assert len(shown(client.get(url(model)))) >= 50
        assert len(captured) <= 6, model


def test_the_rows_of_a_page_are_found_in_an_index(office: Client, crowd: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads a plan of SQLite")
    for model, index in SORTED_BY_AN_INDEX.items():
        with CaptureQueriesContext(connection) as captured:
            office.get(url(model), {"p": 21})
        page = next(query["sql"] for query in captured if " IN (SELECT " in query["sql"])
        [keys] = re.findall(r" IN \((SELECT .*? LIMIT 51 OFFSET 1000)\)", page)
        [step] = plan(keys)
        assert step.startswith("SCAN") and step.endswith(f"INDEX {index}"), step
        assert re.match(r"SEARCH .* USING INTEGER PRIMARY KEY", plan(page)[0])


def plan(sql: str) -> list[str]:
    """The steps in which SQLite answers the query."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [row[3] for row in cursor.fetchall()]


def test_a_list_of_more_than_it_counts_says_no_number(office: Client, crowd: None) -> None:
    for model in LISTS:
        text = office.get(url(model)).content.decode()
        assert f"more than 1,000 {model._meta.verbose_name_plural}" in text, model
        assert f">{MORE} " not in text and f"\n{MORE} " not in text and f"all {MORE}" not in text, model
        assert "across all pages" not in text and " results (" not in text, model
        assert "Previous" not in text and "Page&nbsp;1<" in text, model


def test_a_list_of_no_more_is_numbered_and_all_of_it_can_be_selected(office: Client) -> None:
    make_fleet(COUNTED, 0)
    page = office.get(url(PhysicalServer))
    text = page.content.decode()
    assert "1000 physical servers" in text and "Select all 1000 physical servers" in text
    assert '<a href="?p=20" class="end">20</a>' in text and "1000 results" not in text
    assert "500 results" in office.get(url(PhysicalServer), {"group__in": odd_groups()}).content.decode()


def odd_groups() -> str:
    """Keys of the groups that every second server is in."""
    groups = PhysicalServer.objects.order_by("name").values_list("group", flat=True)[:20]
    return ",".join(str(pk) for pk in groups[::2])


@pytest.mark.parametrize("servers", [60, MORE])
@pytest.mark.parametrize(
    ("number", "is_last"),
    [
        ("1000", True), ("99999999999999", True), ("9" * 5000, False),
        ("-1", False), ("0", False), ("abc", False), ("", False), ("\0", False),
    ],
)  # fmt: skip
def test_a_page_too_far_is_the_last_and_one_that_is_none_the_first(
    office: Client, servers: int, number: str, is_last: bool
) -> None:
    make_fleet(servers, 0)
    with CaptureQueriesContext(connection) as captured:
        page = office.get(url(PhysicalServer), {"p": number})
    assert len(captured) <= 6
    names = [row.name for row in page.context["cl"].result_list]
    assert names[0] == (f"node{(servers - 1) // 50 * 50:04}" if is_last else "node0000")
    assert next_address(page) == (None if is_last or servers < COUNTED else "?p=2")


def test_every_row_is_on_one_page_in_the_order_of_its_server(office: Client) -> None:
    make_fleet(30, 35, 2)
    containers = walked(office, Container)
    assert containers == list(Container.objects.order_by("server_id", "ctid").values_list("pk", flat=True))
    interfaces = walked(office, ContainerInterface)
    assert len(interfaces) == 2100
    ordered = ContainerInterface.objects.order_by("container_id", "ifname")
    assert interfaces == list(ordered.values_list("pk", flat=True))


def test_rows_that_are_equal_in_what_they_are_sorted_by_are_on_one_page_too(
    office: Client, crowd: None
) -> None:
    keys = walked(office, Adapter, "?o=3")  # by kind, and all are NICs
    assert len(keys) == len(set(keys)) == 2 * MORE


def test_the_way_on_keeps_search_filters_and_the_window_it_is_in(office: Client) -> None:
    make_fleet(30, 45)
    Container.objects.filter(ctid="1000").update(gone_at=timezone.now())
    Container.objects.filter(ctid="1001").update(status="stopped")
    Container.objects.filter(ctid="1002").update(name="other")
    query = "?q=web-&status__exact=running&_popup=1"
    page = office.get(url(Container) + query)
    assert next_address(page) == "?_popup=1&p=2&q=web-&status__exact=running"
    wanted = Container.objects.filter(name__startswith="web-", status="running", gone_at=None)
    keys = walked(office, Container, query)
    assert len(keys) == 30 * 42
    assert set(keys) == set(wanted.values_list("pk", flat=True))
    assert len(walked(office, Container, "?presence=all")) == 30 * 45
    gone = office.get(url(Container), {"presence": "vanished"}).content.decode()
    assert "30 containers" in gone and "30 results" in gone


def test_what_has_no_index_to_be_sorted_by_is_not_sorted(office: Client, crowd: None) -> None:
    for model in (Container, ContainerInterface, Entry):
        page = office.get(url(model), {"o": "-2.1"})
        assert shown(page) == shown(office.get(url(model)))
        assert next_address(page) == "?p=2"
        assert "sortable" not in page.content.decode()


def test_a_short_list_is_shown_whole_and_a_long_one_is_not(office: Client) -> None:
    make_fleet(22, 50)
    assert len(shown(office.get(url(Container), {"all": ""}))) == 50
    found = office.get(url(Container), {"all": "", "q": "node0003"})
    assert len(shown(found)) == 50
    assert "50 containers" in found.content.decode()


def test_a_row_that_a_filter_finds_twice_is_on_the_page_once(office: Client) -> None:
    make_fleet(2, 3, 2)
    container = Container.objects.earliest("pk")
    pair = ",".join(str(pk) for pk in container.interfaces.values_list("pk", flat=True))
    assert shown(office.get(url(Container), {"interfaces__in": pair})) == [container.pk]


def test_servers_are_chosen_by_dialect_keys_by_type_and_lines_by_action(office: Client, crowd: None) -> None:
    first, second = PhysicalServer.objects.order_by("pk")[:2]
    PhysicalServer.objects.filter(pk=first.pk).update(vzctl_dialect="4")
    assert shown(office.get(url(PhysicalServer), {"vzctl_dialect": "4"})) == [first.pk]
    assert second.pk in shown(office.get(url(PhysicalServer), {"vzctl_dialect": "unknown"}))
    assert "more than" not in office.get(url(PhysicalServer), {"vzctl_dialect": "unknown"}).content.decode()
    key = HostKey.objects.earliest("pk")
    HostKey.objects.filter(pk=key.pk).update(key_type="ssh-rsa")
    assert shown(office.get(url(HostKey), {"key_type": "ssh-rsa"})) == [key.pk]
    choices = office.get(url(Entry)).context["cl"].filter_specs[0].lookup_choices
    actions = Entry.objects.order_by("action").values_list("action", flat=True).distinct()
    assert [value for value, _ in choices] == list(actions) and len(choices) > 1
    lines = office.get(url(Entry), {"action": choices[0][0]})
    assert {row.action for row in lines.context["cl"].result_list} == {choices[0][0]}


def test_a_line_without_an_action_does_not_take_the_other_actions_away(office: Client, crowd: None) -> None:
    columns = [field.column for field in Entry._meta.fields]
    values = ["number + 5000" if name == "number" else "''" if name == "action" else name for name in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO trust_entry ({', '.join(columns)}) SELECT {', '.join(values)} FROM trust_entry "
            "ORDER BY number DESC LIMIT 1"
        )
    choices = office.get(url(Entry)).context["cl"].filter_specs[0].lookup_choices
    actions = Entry.objects.exclude(action="").order_by("action").values_list("action", flat=True).distinct()
    assert [value for value, _ in choices] == list(actions) and len(choices) > 1
