"""Rows by server and name: so many look-ups are not worth it that all on the servers is read sooner."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.models import Container
from nodes.querysets import MOST_LOOKED_UP, named_on
from tests.nodes.fleet import make_fleet

KEYS = st.sets(st.tuples(st.integers(1, 2000), st.text("0123456789abcdef-", max_size=5)), max_size=20)


def test_it_finds_what_is_named_and_nothing_on_other_servers(db: Any) -> None:
    make_fleet(4, 3)
    first, second, *_ = sorted(set(Container.objects.values_list("server_id", flat=True)))
    found = Container.objects.filter(named_on({(first, "1000"), (second, "1001")}))
    keys = set(found.values_list("server_id", "ctid"))
    assert {(first, "1000"), (second, "1001")} <= keys
    assert {server for server, _ in keys} == {first, second}


def test_nothing_is_found_for_nothing(db: Any) -> None:
    make_fleet(2, 1)
    assert not Container.objects.filter(named_on(())).exists()


def test_names_that_hardly_repeat_on_many_servers_are_not_looked_up_one_by_one() -> None:
    keys = {(server, f"{server}-{number}") for server in range(200) for number in range(10)}
    assert 200 * len(keys) > MOST_LOOKED_UP
    assert "ctid__in" not in str(named_on(keys)) and "server_id__in" in str(named_on(keys))


@given(KEYS)
def test_few_are_looked_up_by_both(keys: set[tuple[int, str]]) -> None:
    assert "ctid__in" in str(named_on(keys)) and "server_id__in" in str(named_on(keys))


@pytest.mark.parametrize("server, name", [("server_id", "name"), ("container__server_id", "container__ctid")])
def test_the_way_to_both_can_be_said(server: str, name: str) -> None:
    assert f"{server}__in" in str(named_on({(1, "x")}, server, name))
