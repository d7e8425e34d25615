"""The indexes of pieces of names are PostgreSQL's alone, and nothing needs them."""

from __future__ import annotations

import pytest
from django.db import connection

from nodes import trigrams
from nodes.models import Container

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only"),
]


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def indexes() -> int:
    """How many there are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%\\_trigrams'")
        return int(cursor.fetchone()[0])


def test_where_the_extension_may_not_be_created_there_are_none_and_nothing_fails() -> None:
    run("DROP EXTENSION IF EXISTS pg_trgm CASCADE", "CREATE ROLE limited", "SET LOCAL ROLE limited")
    trigrams.install(connection)
    run("RESET ROLE")
    assert indexes() == 0
    assert not Container.objects.filter(name__icontains="web").exists()


def test_they_can_be_made_later_and_dropped() -> None:
    run("DROP EXTENSION IF EXISTS pg_trgm CASCADE")
    for _ in range(2):
        trigrams.install(connection)
        assert indexes() == sum(map(len, trigrams.COLUMNS.values()))
    trigrams.remove(connection)
    assert indexes() == 0
