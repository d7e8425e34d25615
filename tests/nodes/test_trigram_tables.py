"""SQLite's tables of trigrams: what stands in them is what the rows have, whatever happens to these."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.core.management import call_command
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes import lookups, trigram_tables
from nodes.lookups import search
from nodes.models import Adapter, Container, ContainerInterface, PhysicalServer, ServerGroup
from nodes.trigram_tables import COLUMNS, MANY, holders, install, remove

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite only")


def checked() -> None:
    """SQLite's own comparison of each table with what it is of (an error where they differ)."""
    with connection.cursor() as cursor:
        for table in COLUMNS:
            cursor.execute(
                f"INSERT INTO {table}_trigrams({table}_trigrams, rank) VALUES ('integrity-check', 1)"
            )


def made() -> dict[str, int]:
    """What there is of them, by name, and where in the database it begins: another place, made anew."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, rootpage FROM sqlite_master WHERE name LIKE 'nodes%_trigrams%'")
        return dict(cursor.fetchall())


def node() -> PhysicalServer:
    return PhysicalServer.objects.create(
        name="node1", address="192.0.2.1", hostname="node1.example.org",
        group=ServerGroup.objects.create(name="East"),
    )  # fmt: skip


@pytest.fixture
def server(db: None) -> PhysicalServer:
    return node()


def test_a_row_is_found_by_any_piece_of_it_while_it_has_it(server: PhysicalServer) -> None:
    assert holders("DE1.EXA")["nodes_physicalserver"] == [server.pk]
    PhysicalServer.objects.filter(pk=server.pk).update(hostname="other.example.org", name="other")
    assert holders("node1")["nodes_physicalserver"] == []
    assert holders("her.ex")["nodes_physicalserver"] == [server.pk]
    checked()
    PhysicalServer.objects.all().delete()
    assert holders("other")["nodes_physicalserver"] == []
    checked()


def test_what_is_written_at_once_is_found_too(server: PhysicalServer) -> None:
    rows = [Container(server=server, ctid=str(n), name=f"web-{n}") for n in (101, 102)]
    unique = {"unique_fields": ["server", "ctid"], "update_fields": ["name"], "update_conflicts": True}
    Container.objects.bulk_create(rows, **unique)
    Container.objects.bulk_create([Container(server=server, ctid="102", name="mail")], **unique)
    first, second = Container.objects.order_by("ctid")
    assert holders("web-1")["nodes_container"] == [first.pk]
    assert holders("mail")["nodes_container"] == [second.pk]
    checked()


@pytest.mark.parametrize("text", ["", "w", "we"])
def test_less_than_three_characters_say_nothing(db: None, text: str) -> None:
    assert holders(text) == {}


def test_of_what_many_have_nothing_is_said(server: PhysicalServer, admin: Any) -> None:
    Container.objects.bulk_create(
        Container(server=server, ctid=str(n), name=f"a-web-{n}") for n in range(MANY + 1)
    )
    assert "nodes_container" not in holders("web-")
    assert search(admin, "web-")
    Container.objects.first().delete()
    assert len(holders("web-")["nodes_container"]) == MANY


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.text("aA'\"%_*: \\-ſßẞéİ𝟘", max_size=8), max_size=5),
    text=st.text("aA'\"%_*: \\-ſßẞéİ𝟘", min_size=1, max_size=5),
)
def test_the_search_finds_what_it_finds_without_them(
    server: PhysicalServer, admin: Any, names: list[str], text: str
) -> None:
    Container.objects.all().delete()
    Container.objects.bulk_create(
        Container(server=server, ctid=str(n), name=name) for n, name in enumerate(names, 100)
    )
    found = search(admin, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodes.lookups.holders", lambda text: {})
        assert found == search(admin, text)


@pytest.mark.parametrize(
    "text", ["00:18:51:12:34:56", "51:12:34:5", "10.20.30.40", "0.20.30.40/16", "FD77::1234:"]
)
def test_addresses_are_found_by_how_they_end_and_compared_whole(
    server: PhysicalServer, admin: Any, text: str
) -> None:
    for number, (mac, addresses) in enumerate(
        [
            ("00:18:51:12:34:56", "10.20.30.40/16 fd77::1234:5678/64"),
            ("02:00:00:12:34:56", "10.21.30.40/16 fd78::1234:5678/64"),
        ]
    ):
        Adapter.objects.create(server=server, name=f"eth{number}", mac=mac, addresses_text=addresses)
    assert [(hit.kind, hit.title) for hit in search(admin, text)] == [("adapter", "eth0")]


def test_every_column_in_which_the_search_looks_for_a_piece_is_in_them() -> None:
    for model in (PhysicalServer, Adapter, Container, ContainerInterface):
        kind = {"physicalserver": "server", "containerinterface": "interface"}.get(
            model._meta.model_name, model._meta.model_name
        )
        asked = {*lookups._NAMES.get(kind, ("name",)), *lookups._ANYWHERE.get(kind, lookups._ADDRESSES)}
        if model in (Container, ContainerInterface):
            asked |= {name for name in site._registry[model].search_fields if "__" not in name}
        assert {model._meta.get_field(name).column for name in asked} == set(COLUMNS[model._meta.db_table])


def test_migrations_find_none_and_leave_them_whole(transactional_db: None) -> None:
    there = made()
    assert {name for name in there if name.endswith("_trigrams")} == {
        f"{table}_trigrams" for table in COLUMNS
    }
    call_command("migrate", verbosity=0)
    assert made() == there
    server = node()
    call_command("migrate", "nodes", "0010", verbosity=0)
    try:
        # An older panel runs with them, too.
        assert made().keys() == there.keys()
    finally:
        call_command("migrate", verbosity=0)
    assert holders("node1")["nodes_physicalserver"] == [server.pk]
    checked()


def test_a_trigger_that_was_lost_with_its_table_is_made_again(server: PhysicalServer) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER nodes_physicalserver_trigrams_update")
    PhysicalServer.objects.update(name="other")
    assert holders("other")["nodes_physicalserver"] == []
    install(connection)
    assert holders("other")["nodes_physicalserver"] == [server.pk]
    checked()


def test_without_them_the_search_reads_the_rows(server: PhysicalServer, admin: Any) -> None:
    remove(connection)
    assert made() == {}
    assert holders("de1.ex") == {}
    assert [hit.pk for hit in search(admin, "de1.ex")] == [server.pk]


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE nodes_physicalserver_trigrams_data SET block = zeroblob(length(block)) WHERE id > 10",
        "DELETE FROM nodes_physicalserver_trigrams_data WHERE id > 10",
        "DELETE FROM nodes_physicalserver_trigrams_data",
        "INSERT INTO nodes_physicalserver_trigrams(rowid, name, address, hostname) VALUES (7, 'x', 'y', 'z')",
    ],
)
def test_one_that_is_not_whole_is_made_anew(server: PhysicalServer, admin: Any, harm: str) -> None:
    execute(harm)
    search(admin, "node1.ex")
    install(connection)
    checked()
    assert holders("node1.ex")["nodes_physicalserver"] == [server.pk]


def without_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SQLite that does not know it: every table of trigrams that is made asks for another one."""
    real = trigram_tables._statements
    monkeypatch.setattr(
        trigram_tables,
        "_statements",
        lambda *args: {name: sql.replace("'trigram'", "'nothing'") for name, sql in real(*args).items()},
    )


def test_where_sqlite_has_no_trigrams_nothing_fails(
    server: PhysicalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(connection)
    without_tokenizer(monkeypatch)
    install(connection)
    assert made() == {}


def rename_tokenizer(old: str, new: str) -> None:
    """In the database's own description of the tables; read again with the next connection."""
    execute(
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name LIKE 'nodes%_trigrams'",
    )
    connection.close()


def test_moved_to_an_sqlite_without_trigrams_the_inventory_can_be_written(
    transactional_db: None, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = node()
    rename_tokenizer("tokenize=''trigram''", "tokenize=''nothing''")
    try:
        with pytest.raises(OperationalError):
            PhysicalServer.objects.update(name="other")
        with monkeypatch.context() as patch:
            without_tokenizer(patch)
            call_command("migrate", verbosity=0)
            PhysicalServer.objects.update(name="other")
            assert [hit.pk for hit in search(admin, "other")] == [server.pk]
            call_command("migrate", "nodes", "0010", verbosity=0)
            call_command("migrate", verbosity=0)
    finally:
        rename_tokenizer("tokenize=''nothing''", "tokenize=''trigram''")
        call_command("migrate", verbosity=0)
    assert holders("other")["nodes_physicalserver"] == [server.pk]
    checked()


def test_moved_to_an_sqlite_without_trigrams_other_tables_can_be_made_anew(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename_tokenizer("tokenize=''trigram''", "tokenize=''nothing''")
    try:
        with monkeypatch.context() as patch:
            without_tokenizer(patch)
            call_command("migrate", "networks", "0001", verbosity=0)
            call_command("migrate", verbosity=0)
    finally:
        rename_tokenizer("tokenize=''nothing''", "tokenize=''trigram''")
        call_command("migrate", verbosity=0)
    checked()
