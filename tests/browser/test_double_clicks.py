"""Two clicks where one was meant do what one does, also where the first has not been answered yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from networks.domain.state import CreateNetwork
from networks.models import Draft
from networks.services import drafts, steps
from networks.state_json import load_edits
from networks.views import network

pytestmark = pytest.mark.browser
ANSWERED_AFTER_S = 0.6
TWICE = "button => { button.click(); setTimeout(() => button.click(), 200); }"


def slowly(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same, answered late, as by a busy panel or over a long way."""

    def done(*args: Any) -> Any:
        result = work(*args)
        time.sleep(ANSWERED_AFTER_S)
        return result

    return done


def test_a_network_is_made_once_and_nothing_is_complained_of(
    open_page: Callable[..., Any], site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "stage", slowly(network.stage))
    page = open_page(reverse("networks:create"))
    page.fill("[name=name]", "B")
    page.locator("button:has-text('Add to draft')").evaluate(TWICE)
    page.wait_for_selector("h1:has-text('Configure B')")
    assert len(load_edits(Draft.objects.get().edits)) == 1


def test_one_step_is_taken_back(
    open_page: Callable[..., Any], site: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        drafts.stage(admin, [CreateNetwork(f"00000000-0000-4000-8000-00000000000{number}", f"N{number}")])
    monkeypatch.setattr(steps, "undo", slowly(steps.undo))
    page = open_page(reverse("networks:draft"))
    page.locator("button:has-text('Undo last step')").evaluate(TWICE)
    page.wait_for_selector("text=The last step is taken back.")
    names = [edit.name for edit in load_edits(Draft.objects.get().edits) if isinstance(edit, CreateNetwork)]
    assert names == ["N1", "N2"]


def test_a_form_can_be_sent_again_afterwards(open_page: Callable[..., Any], site: Any) -> None:
    page = open_page(reverse("networks:create"))
    page.fill("[name=name]", "A")
    page.click("button:has-text('Add to draft')")
    page.wait_for_selector(".invalid-feedback")
    page.fill("[name=name]", "C")
    page.click("button:has-text('Add to draft')")
    page.wait_for_selector("h1:has-text('Configure C')")
