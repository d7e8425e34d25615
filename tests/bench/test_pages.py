"""The pages that the benchmark asks for are there, and are few queries each."""

from __future__ import annotations

import pytest
from django.test import Client

from bench import pages


@pytest.mark.django_db
def test_every_list_that_it_measures_answers(client: Client) -> None:
    lists, progress = pages.fill(20)
    client.force_login(pages.bench_user())
    for address in [progress, *(one for found in lists.values() for one in found)]:
        assert client.get(address).status_code == 200, address
    assert pages.queries(lists["servers"][0]) <= 6
