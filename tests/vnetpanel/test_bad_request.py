"""What a browser is shown that the panel does not answer: mostly it uses a name that nobody has set."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_a_name_that_it_does_not_know_is_told_where_names_are_set() -> None:
    answer = Client(SERVER_NAME="192.0.2.7").get("/login/")
    assert answer.status_code == 400
    assert "VNETPANEL_HOSTS" in answer.content.decode()


def test_as_many_ticks_as_a_large_change_asks_for_are_read(client: Client, admin: Any) -> None:
    """A review of a thousand servers may have more warnings than fields that Django reads unless told to."""
    client.force_login(admin)
    answer = client.post("/draft/drop/", {"edit": [str(number) for number in range(3000)]})
    assert answer.status_code == 302
