"""The frame of the pages in a real browser, under the real policy and with the files as they are served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import RunningPanel

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("panel")]


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(browser: Any, panel: RunningPanel, complaints: list[str], request: Any) -> Iterator[Any]:
    """A page of a logged-in browser; what its console complains of is collected."""
    options = getattr(request, "param", {})
    context = browser.new_context(base_url=panel.url, **options)
    page = context.new_page()
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", panel.password)
    page.click("button[type=submit]")
    page.wait_for_selector("h1:has-text('Overview')")
    page.wait_for_load_state("load")
    yield page
    context.close()


def test_it_logs_in_and_loads_fragments_without_a_complaint(page: Any, complaints: list[str]) -> None:
    page.wait_for_selector("#health table")
    assert page.locator("#health .state-ok").count() == 4
    assert complaints == []


def test_control_k_leads_to_the_search(page: Any) -> None:
    page.keyboard.press("Control+k")
    assert page.evaluate("document.activeElement.id") == "search"


def test_the_skip_link_comes_first(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"


@pytest.mark.parametrize("page", [{"color_scheme": "dark"}], indirect=True)
def test_the_theme_follows_the_system_until_one_is_chosen(page: Any) -> None:
    theme = "document.documentElement.dataset.bsTheme"
    assert page.evaluate(theme) == "dark"
    page.click("#theme-toggle")
    assert page.evaluate(theme) == "light"
    page.reload()
    assert page.evaluate(theme) == "light"
    assert page.get_attribute("#theme-toggle", "aria-label") == "Theme: light"


@pytest.mark.parametrize("page", [{"viewport": {"width": 400, "height": 700}}], indirect=True)
def test_nothing_is_cut_off_on_a_narrow_screen(page: Any) -> None:
    page.wait_for_selector("#health table")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert not page.is_visible("#sidebar")
    page.click(".menu-open")
    page.wait_for_selector("#sidebar", state="visible")
    page.keyboard.press("Escape")
    page.wait_for_selector("#sidebar", state="hidden")


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], indirect=True)
def test_it_works_without_javascript(page: Any) -> None:
    page.click("text=Check database, broker, worker and scheduler")
    page.wait_for_selector("h1:has-text('The panel itself')")
    assert page.locator("#health .state").count() == 4
    page.click("details.menu summary")
    page.click("text=Log out")
    page.wait_for_selector("h1:has-text('Log in')")
    assert re.search(r"/login/", page.url)
