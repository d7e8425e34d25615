"""Names of virtual networks: one that cannot be seen as it is is refused; a stored one stops nothing else."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.domain.rules import review
from networks.domain.state import CreateNetwork, DescribeNetwork, Desired, apply_edits
from networks.services import drafts
from tests.domain.scheme import inventory
from tests.networks.changes import decide
from tests.networks.conftest import Scene
from tests.pages.test_stale_forms import Sent

A, B = (str(uuid.UUID(int=n)) for n in (1, 2))
SAID = "holds a character that cannot be seen: U+200B ZERO WIDTH SPACE, after “Production”"
FOUND = inventory()


@pytest.fixture
def page(scene: Scene) -> str:
    """Where a network is described that is called so already."""
    decide(CreateNetwork(A, "Production\u200b"))
    return reverse("networks:configure", args=[A])


def described(admin: Any) -> tuple[str, str]:
    network = drafts.drafted(admin).network(A)
    assert network is not None
    return network.name, network.description


def test_a_stored_one_is_said_and_its_description_is_stored(page: str, admin: Any, as_admin: Client) -> None:
    shown = as_admin.get(page).text
    assert SAID in shown
    assert as_admin.post(page, Sent(shown).fields | {"description": ["typed"]}).status_code == 302
    assert described(admin) == ("Production\u200b", "typed")


def test_another_such_name_is_refused_and_a_good_one_stored(page: str, admin: Any, as_admin: Client) -> None:
    fields = Sent(as_admin.get(page).text).fields
    answer = as_admin.post(page, fields | {"name": ["Test\u200b"]})
    assert "U+200B ZERO WIDTH SPACE, after “Test”" in answer.text
    assert as_admin.post(page, fields | {"name": ["Production"]}).status_code == 302
    assert described(admin) == ("Production", "")


@pytest.mark.parametrize("name", ["Production", "  production ", "Production\u200b"])
def test_no_new_one_looks_like_it(page: str, as_admin: Client, name: str) -> None:
    answer = as_admin.post(reverse("networks:create"), {"name": name})
    assert answer.status_code == 200 and 'id="id_name_error"' in answer.text


def test_a_persian_name_is_taken_and_reviewed(scene: Scene, admin: Any, as_admin: Client) -> None:
    assert as_admin.post(reverse("networks:create"), {"name": "می\u200cشد"}).status_code == 302
    (network,) = drafts.drafted(admin).networks
    assert review(Desired(), (CreateNetwork(network.id, network.name),), FOUND) == ()


def test_the_rules_say_the_same() -> None:
    before = apply_edits(Desired(), (CreateNetwork(A, "Production\u200b"),))
    (problem,) = review(Desired(), (CreateNetwork(A, "Production\u200b"),), FOUND)
    assert (problem.severity, problem.text) == ("refuse", f"The name of a Virtual Network {SAID}.")
    (kept,) = review(before, (DescribeNetwork(A, "Production\u200b", "typed"),), FOUND)
    assert (kept.severity, kept.existing) == ("warn", True)
    (taken,) = (p for p in review(before, (CreateNetwork(B, "production"),), FOUND) if not p.existing)
    assert (taken.code, taken.severity) == ("name-taken", "refuse")


def test_a_form_whose_name_was_not_touched_is_stored_whoever_has_that_name_now(
    scene: Scene, admin: Any, as_admin: Client
) -> None:
    decide(CreateNetwork(A, "A"))
    page = reverse("networks:configure", args=[A])
    fields = Sent(as_admin.get(page).text).fields
    decide(DescribeNetwork(A, "Z"), CreateNetwork(B, "A"))
    assert as_admin.post(page, fields | {"description": ["typed"]}).status_code == 302
    assert described(admin) == ("Z", "typed")
