"""Searching the administration's long lists: what hardly any row has is found without reading all of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from nodes.models import Container, ContainerInterface
from nodes.trigram_tables import COLUMNS
from tests.nodes.fleet import make_fleet
from tests.nodes.test_admin_lists import plan

pytestmark = pytest.mark.django_db

LISTS = (Container, ContainerInterface)
TERMS = (
    "node0007", "NODE0007", "odd-name", "Odd", "odd-name node0003", "'odd-name on'", '"odd name"', "name\\ x",
    "wan7", "00:18:51:", "10.0.0.3", "veth1001.0", "1001", "eth0", "web-", "zz", "%", "_", "nowhere-at-all",
    "fd77::5", "it's", "node0007 nowhere", "éa",
)  # fmt: skip


@pytest.fixture
def fleet(db: None) -> None:
    """Thirty servers, and rows that have something no other has."""
    make_fleet(30, 40)
    container = Container.objects.get(server__name="node0003", ctid="1001")
    Container.objects.filter(pk=container.pk).update(name='odd-name on "odd name"', hostname="it's éa")
    ContainerInterface.objects.filter(container=container).update(ifname="wan7", addresses_text="fd77::5/64")


def shown(page: Any) -> list[int]:
    return [row.pk for row in page.context["cl"].result_list]


@pytest.mark.parametrize("model", LISTS)
def test_the_same_is_found_as_by_reading_all(
    office: Client, fleet: None, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = reverse(f"admin:nodes_{model._meta.model_name}_changelist")
    found = {term: shown(office.get(address, {"q": term})) for term in TERMS}
    monkeypatch.setattr("nodes.admin.searching.holders", lambda text: {})
    assert found == {term: shown(office.get(address, {"q": term})) for term in TERMS}
    assert any(found.values()) and not found["nowhere-at-all"]


@pytest.mark.parametrize("model", LISTS)
def test_what_hardly_any_row_has_is_looked_up(office: Client, fleet: None, model: Any) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads a plan of SQLite")
    address = reverse(f"admin:nodes_{model._meta.model_name}_changelist")
    for term in ("odd-name", "node0007", "1001"):
        with CaptureQueriesContext(connection) as captured:
            office.get(address, {"q": term})
        assert len(captured) <= 6
        pages = [query["sql"] for query in captured if "number_counted" in query["sql"]]
        steps = [step for sql in pages for step in plan(sql)]
        assert not [step for step in steps if step.startswith(f"SCAN {model._meta.db_table}")], steps


def test_all_that_is_searched_is_known_by_its_trigrams() -> None:
    """Also over the foreign key: a row that the trigrams did not know would not be found."""
    for model in LISTS:
        admin: Any = site._registry[model]
        for name in admin.search_fields:
            parent, _, column = name.rpartition("__")
            assert parent in ("", admin.searched_parent)
            of: Any = model._meta.get_field(parent).related_model if parent else model
            assert of._meta.get_field(column).column in COLUMNS[of._meta.db_table]
