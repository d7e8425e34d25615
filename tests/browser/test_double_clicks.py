"""Two clicks where one was meant do what one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from networks.domain.state import CreateNetwork
from networks.models import Draft
from networks.services import drafts
from networks.state_json import load_edits

pytestmark = pytest.mark.browser


def test_a_network_is_made_once_and_nothing_is_complained_of(
    open_page: Callable[..., Any], site: Any
) -> None:
    page = open_page(reverse("networks:create"))
    page.fill("[name=name]", "B")
    page.dblclick("button:has-text('Add to draft')")
    page.wait_for_selector("h1:has-text('Configure B')")
    assert len(load_edits(Draft.objects.get().edits)) == 1


def test_one_step_is_taken_back(open_page: Callable[..., Any], site: Any, admin: Any) -> None:
    for number in (1, 2, 3):
        drafts.stage(admin, [CreateNetwork(f"00000000-0000-4000-8000-00000000000{number}", f"N{number}")])
    page = open_page(reverse("networks:draft"))
    page.dblclick("button:has-text('Undo last step')")
    page.wait_for_selector("text=The last step is taken back.")
    assert [edit.name for edit in load_edits(Draft.objects.get().edits)] == ["N1", "N2"]


def test_a_form_can_be_sent_again_afterwards(open_page: Callable[..., Any], site: Any) -> None:
    page = open_page(reverse("networks:create"))
    page.fill("[name=name]", "A")
    page.click("button:has-text('Add to draft')")
    page.wait_for_selector(".invalid-feedback")
    page.fill("[name=name]", "C")
    page.click("button:has-text('Add to draft')")
    page.wait_for_selector("h1:has-text('Configure C')")
