"""NUL in what a browser sends: PostgreSQL takes it in no text, so none may reach the database."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from networks.domain.state import CreateNetwork
from networks.models import Change
from networks.services import drafts
from tests.networks.changes import decide
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
NUL = "a\0b"


def as_postgresql(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    texts = [one for one in params or () if isinstance(one, str)]
    assert not [text for text in texts if "\0" in text], sql
    return execute(sql, params, many, context)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("nodes:tree", "q"),
        ("nodes:search", "q"),
        ("networks:problems", "cause"),
        ("networks:problems", "q"),
        ("networks:explain", "from"),
        ("networks:explain", "to"),
        ("networks:what_if", "add"),
        ("networks:what_if", "what"),
        ("networks:changes", "author"),
    ],
)
def test_it_is_left_out_of_what_is_looked_for(scene: Scene, as_admin: Client, name: str, field: str) -> None:
    for text in (NUL, "eth0\0 on server2"):
        with connection.execute_wrapper(as_postgresql):
            assert as_admin.get(f"{reverse(name)}?{urlencode({field: text})}").status_code == 200


def test_it_is_left_out_of_what_is_kept(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"))
    drafts.stage(operator, [CreateNetwork("6f1c3a1e-0000-4000-8000-000000000002", "B")])
    with connection.execute_wrapper(as_postgresql):
        intent = {"kind": "sees", "source": NUL, "target": NUL}
        assert as_operator.post(reverse("networks:intent", args=[A]), intent).status_code == 422
        assert as_operator.post(reverse("networks:acknowledge_problems"), {"problem": "1", "note": NUL})
        as_operator.post(reverse("networks:review_draft"), {"reason": NUL})
    assert Change.objects.get().reason == "ab"
