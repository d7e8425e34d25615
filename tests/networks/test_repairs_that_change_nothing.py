"""A repair for which no command is needed says on its page why what differs stays."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from networks.services import changes
from tests.domain.built import changed
from tests.domain.test_drift import QUIET
from tests.networks.test_drift import Answers, group, otto, reviewed, server1, vera
from tests.pages.conftest import logged_in

__all__ = ["group", "otto", "server1", "vera"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_shows_what_is_left_as_it_is(server1: Answers, otto: Any) -> None:
    server1["facts"] = changed(QUIET[1], "eth1", master="vn-a")
    change = reviewed(changes.start_repair(otto, [1]))
    assert not change.operations.exists()
    page = logged_in(otto).get(reverse("networks:change", args=[change.pk])).text
    assert "No server has to be changed for this." in page
    told = page.split('<details class="card"', 1)[1].split("</details>")[0]
    assert "server1: vn-a holds eth1, which the panel did not put there: it stays." in told
    assert told.startswith(" open>")


def test_what_has_commands_says_it_beside_them(server1: Answers, otto: Any) -> None:
    both = changed(changed(QUIET[1], "eth1", master="vn-a"), "veth102.0", master="")
    server1["facts"] = both
    change = reviewed(changes.start_repair(otto, [1]))
    assert "vn-a holds eth1" in " ".join(change.operations.get().notes)
    assert not [row for row in change.problems if "vn-a holds eth1" in row["text"]]
