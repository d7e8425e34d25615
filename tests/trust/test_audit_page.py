"""The audit page: who sees what, filters, pages, CSV."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from trust.audit import record
from trust.models import Entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(alice: Any, admin: Any) -> None:
    record(
        "change.applied", "A was applied.", actor=alice, servers=[(1, "server1"), (2, "server2")], plan="ip a"
    )
    record("change.ended", "B has ended.", actor=admin, servers=[(3, "<script>x</script>")], result="Done.")
    record("login", "=HYPERLINK(1)", actor="carol")


@pytest.fixture
def as_admin(client: Client, admin: Any) -> Client:
    client.force_login(admin)
    return client


def texts(client: Client, **query: str) -> str:
    return client.get("/audit/", query).text


def test_a_superuser_sees_all_and_words_are_escaped(as_admin: Client, lines: None) -> None:
    page = texts(as_admin)
    assert "A was applied." in page and "B has ended." in page
    assert "<script>x" not in page and "&lt;script&gt;x" in page


def test_a_user_sees_what_she_did_herself(client: Client, alice: Any, lines: None) -> None:
    client.force_login(alice)
    page = texts(client)
    assert "A was applied." in page and "B has ended." not in page
    other = Entry.objects.get(action="change.ended")
    assert client.get(f"/audit/{other.number}/").status_code == 404
    alice.user_permissions.add(Permission.objects.get(codename="view_entry"))
    assert "B has ended." in texts(client)
    assert client.get(f"/audit/{other.number}/").status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "applied"}, True),
        ({"q": "server2"}, True),
        ({"actor": "ALICE"}, True),
        ({"server": "server1"}, True),
        ({"action": "change.app"}, True),
        ({"since": "2020-01-01"}, True),
        ({"until": "2020-01-01"}, False),
        ({"actor": "carol"}, False),
        ({"since": "nonsense", "until": "9999-12-31", "page": "x"}, True),
        ({"since": "2020-13-45"}, True),
        ({"q": "\0"}, True),
        ({"page": "9"}, False),
    ],
)
def test_it_is_filtered(as_admin: Client, lines: None, query: dict[str, str], found: bool) -> None:
    assert ("A was applied." in texts(as_admin, **query)) == found


def test_one_line_shows_its_plan(as_admin: Client, lines: None) -> None:
    number = Entry.objects.get(action="change.applied").number
    page = as_admin.get(f"/audit/{number}/").text
    assert "ip a" in page and "server1, server2" in page


def test_it_is_saved_as_a_file_that_runs_nothing(as_admin: Client, lines: None) -> None:
    answer = as_admin.get("/audit/", {"format": "csv", "actor": "carol"})
    head, row = b"".join(cast(Iterable[bytes], answer)).decode().splitlines()
    assert head.startswith("Number,When,Who")
    assert ",'=HYPERLINK(1)," in row


def test_a_thousand_lines_are_paged_with_few_queries(
    as_admin: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(120):
        record("x.done", f"Number {number} was done.")
    with django_assert_max_num_queries(6):
        page = texts(as_admin)
    assert "Number 119 was" in page and "Number 60 was" not in page and 'rel="next"' in page
    assert "Number 60 was" in texts(as_admin, page="2")


@pytest.mark.parametrize("address", ["/audit/?page=", "/admin/trust/entry/?p="])
def test_pages_of_the_whole_trail_have_each_line_once_and_skip_none_to_find_them(
    as_admin: Client, address: str
) -> None:
    for number in range(130):
        record("test.counted", f"Line <{number}> of many.", actor="carol")
    seen: list[int] = []
    for page in (1, 2, 3):
        with CaptureQueriesContext(connection) as queries:
            answer = as_admin.get(f"{address}{page}")
        assert not [query for query in queries if "OFFSET" in query["sql"] and "trust_entry" in query["sql"]]
        context = answer.context
        found = context["lines"] if "lines" in context else context["cl"].result_list
        seen += [line.number for line in found]
    assert seen == list(Entry.objects.order_by("-number").values_list("number", flat=True))


def test_nobody_removes_a_line_in_the_administration(as_admin: Client, lines: None) -> None:
    number = Entry.objects.get(action="login", actor="carol").number
    assert as_admin.get("/admin/trust/entry/").status_code == 200
    assert as_admin.get(f"/admin/trust/entry/{number}/change/").status_code == 200
    assert as_admin.post(f"/admin/trust/entry/{number}/delete/", {"post": "yes"}).status_code == 403
    as_admin.post(
        "/admin/trust/entry/", {"action": "delete_selected", "_selected_action": [number], "post": "yes"}
    )
    assert Entry.objects.filter(pk=number).exists()
    assert not Permission.objects.filter(content_type__app_label="trust", codename="delete_entry").exists()


def test_what_a_line_shows_is_read_for_one_page_only(as_admin: Client, lines: None) -> None:
    """A far page is found by numbers alone, which are in an index."""
    with CaptureQueriesContext(connection) as queries:
        texts(as_admin, page="2")
    (rows,) = (query["sql"] for query in queries if "LIMIT 51" in query["sql"])
    inner = rows[rows.index("IN (SELECT") :]
    assert '"text"' in rows and '"text"' not in inner


@pytest.mark.skipif(
    connection.vendor == "postgresql", reason="says of so few rows that it would read them all"
)
def test_ones_own_lines_are_found_without_reading_those_of_others(
    client: Client, alice: Any, lines: None
) -> None:
    client.force_login(alice)
    with CaptureQueriesContext(connection) as queries:
        texts(client)
    (rows,) = (query["sql"] for query in queries if "LIMIT 51" in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {rows}")
        plan = [line[-1] for line in cursor.fetchall()]
    assert any("USING COVERING INDEX trust_entry_own_lines" in step for step in plan), plan
