"""On a telephone nothing widens the page, and what is open is in sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

pytestmark = pytest.mark.browser

NARROW = {"viewport": {"width": 400, "height": 700}}


def test_the_matrix_scrolls_by_itself(open_page: Callable[..., Any], site: Any) -> None:
    page = open_page(reverse("networks:group_visibility", args=[site.scene.group.pk]), **NARROW)
    # As wide as one of many hosts is.
    page.evaluate(
        "document.querySelectorAll('.matrix td').forEach((one) => { one.style.minWidth = '15rem'; })"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_open_tab_is_in_sight(open_page: Callable[..., Any], site: Any) -> None:
    page = open_page(reverse("networks:group_visibility", args=[site.scene.group.pk]), **NARROW)
    tab = page.locator(".nav-tabs .active").bounding_box()
    assert tab["x"] >= 0 and tab["x"] + tab["width"] <= 400


def test_a_problem_is_as_wide_as_the_screen_has_room_for(open_page: Callable[..., Any]) -> None:
    page = open_page(reverse("networks:problems"), **NARROW)
    body = page.locator(".problem-body").first.bounding_box()
    assert body["width"] > 250
