"""Who goes back sees what is so now, and after a logout nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from networks.domain.state import CreateNetwork
from networks.services import drafts

pytestmark = pytest.mark.browser


def test_after_a_logout_the_page_before_it_is_not_shown_again(
    open_page: Callable[..., Any], site: Any
) -> None:
    page = open_page(reverse("nodes:server", args=[site.scene.server1.pk]))
    page.click("summary[aria-label^='Account']")
    page.click("button:has-text('Log out')")
    page.wait_for_selector("h1:has-text('Log in')")
    page.go_back()
    page.wait_for_selector("h1:has-text('Log in')")
    assert "10.77.0.11" not in page.content()


def test_what_was_drafted_meanwhile_is_there(open_page: Callable[..., Any], site: Any, admin: Any) -> None:
    page = open_page(reverse("networks:list"))
    page.goto(reverse("networks:create"))
    drafts.stage(admin, [CreateNetwork("00000000-0000-4000-8000-000000000001", "Drafted")])
    page.go_back()
    page.wait_for_selector(".drafted-list >> text=Drafted")
