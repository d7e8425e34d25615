"""The pages that the benchmark asks for are there, and are few queries each."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client

from bench import pages
from bench.trail import PER_SERVER, fill_trail
from nodes.models import PhysicalServer
from tests.nodes.fleet import make_fleet
from trust.models import Entry


@pytest.mark.django_db
def test_every_list_that_it_measures_answers(client: Client) -> None:
    lists, progress = pages.fill(20)
    client.force_login(pages.bench_user())
    for address in [progress, *(one for found in lists.values() for one in found)]:
        assert client.get(address).status_code == 200, address
    assert pages.queries(lists["servers"][0]) <= 6
    for name in ("audit trail", "problems of one cause", "drift of a server"):
        assert pages.queries(lists[name][-1]) <= 6
    assert all(pages.queries(found[-1]) <= 6 for name, found in lists.items() if "administration" in name)
    last = client.get(lists["interfaces for a network"][1]).text
    assert ">First</a>" in last and "before=taken" in last and "after=" not in last


@pytest.mark.django_db
def test_its_audit_trail_is_one_that_the_panel_could_have_written() -> None:
    make_fleet(20, 1)
    user = get_user_model().objects.create_user("somebody")
    before = Entry.objects.count()
    lines = fill_trail(list(PhysicalServer.objects.all()), [user])
    assert lines == before + 20 * PER_SERVER == Entry.objects.latest("number").number
    call_command("verify_audit")
