"""Everything can be reached from the keyboard: the skip link, the search, the tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

pytestmark = pytest.mark.browser

FOCUSED = "document.activeElement.textContent.trim().replace(/\\s+/g, ' ')"


def test_the_skip_link_leads_past_the_navigation(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_the_search_is_walked_with_the_arrows_and_opened_with_enter(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.keyboard.press("Control+k")
    page.keyboard.type("20")
    page.wait_for_selector("#search-results a:has-text('202')")
    page.keyboard.press("ArrowDown")
    assert "201" in page.evaluate(FOCUSED)
    page.keyboard.press("ArrowDown")
    assert "202" in page.evaluate(FOCUSED)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Container 202')")


def test_escape_closes_the_results(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.keyboard.press("Control+k")
    page.keyboard.type("20")
    page.wait_for_selector("#search-results a")
    page.keyboard.press("Escape")
    assert page.locator("#search-results a").count() == 0
    assert page.evaluate("document.activeElement.id") == "search"


def test_the_tree_opens_and_closes_with_the_arrows(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.focus("#tree a:has-text('Lab')")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#tree a:has-text('server1')")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED) == "server1"
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#tree a:has-text('101')")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED).startswith("101")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(FOCUSED) == "server1"
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#tree a:has-text('101')", state="hidden")


def test_the_tree_shows_where_the_page_belongs(open_page: Callable[..., Any], site: Any) -> None:
    page = open_page(reverse("networks:server_adapters", args=[site.scene.server1.pk]))
    page.wait_for_selector("#tree a[aria-current]:has-text('server1')")
    container = site.scene.server1.containers.get(ctid="102")
    page.goto(reverse("nodes:container", args=[container.pk]))
    page.wait_for_selector("#tree a[aria-current='page']:has-text('102')")


def test_a_network_is_created_without_a_mouse(open_page: Callable[..., Any], site: Any) -> None:
    page = open_page(reverse("networks:create_on_server", args=[site.scene.server1.pk]))
    press = page.keyboard.press
    page.keyboard.type("B")  # the cursor is in the first field
    press("Tab")
    page.keyboard.type("By keys alone")
    press("Tab")
    press("ArrowDown")  # from "Not defined here" to local
    press("Tab")
    press("Space")
    press("Tab")
    press("Enter")
    page.wait_for_selector("h1:has-text('Configure B')")
    assert page.locator("#members th:has-text('103')").count() == 1
    assert page.input_value("[name=description]") == "By keys alone"
    assert "local" in page.locator("#assignments select option:checked").all_inner_texts()


def test_how_many_were_found_is_announced(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.keyboard.press("Control+k")
    page.keyboard.type("server")
    page.wait_for_selector("#search-said[role=status]:has-text('found for “server”')", state="attached")
    assert page.locator("#search-results #search-said").count() == 0
    page.keyboard.press("Escape")
    assert page.inner_text("#search-said") == ""
    page.fill(".tree-filter input", "server1")
    page.wait_for_selector("#tree-said[role=status]:has-text('1 found for “server1”')", state="attached")


def test_the_results_do_not_stay_over_what_the_keyboard_has_walked_on_to(
    open_page: Callable[..., Any],
) -> None:
    page = open_page()
    page.keyboard.press("Control+k")
    page.keyboard.type("202")
    page.wait_for_selector("#search-results a")
    hits = page.locator("#search-results a").count()
    for _ in range(hits + 1):
        page.keyboard.press("Tab")
    assert page.locator("#search-results a").count() == 0
