"""What a page fetches by itself leaves focus, opened parts and scrolling where the person has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F
from django.urls import reverse

from networks.models import Change, Operation

pytestmark = pytest.mark.browser
LINES = [{"phase": "critical", "text": "ip link set dev eth0 master vn-a " + "x" * 300}] * 40


@pytest.fixture
def live(open_page: Callable[..., Any], site: Any) -> Any:
    """The page of a Change that is being applied, with commands to look at."""
    Change.objects.filter(pk=site.review.pk).update(state="applying")
    Operation.objects.filter(change=site.review).update(state="applying", commands=LINES)
    page = open_page(reverse("networks:change", args=[site.review.pk]))
    page.wait_for_selector("#change[hx-trigger]")
    return page


def step(page: Any, site: Any, text: str) -> None:
    """Something happens on the server, and the page has shown it."""
    events = [{"at": "2026-01-01T00:00:00+00:00", "text": text}]
    Operation.objects.filter(change=site.review).update(events=events)
    Change.objects.filter(pk=site.review.pk).update(version=F("version") + 1)
    page.wait_for_selector(f"text={text}")


def until(page: Any, holds: str) -> None:
    """Wait until the expression holds. The browser's own waiting evaluates text, which the policy forbids."""
    for _ in range(100):
        if page.evaluate(holds):
            return
        time.sleep(0.1)
    raise AssertionError(f"{holds} does not hold")


def test_what_was_opened_stays_open_and_scrolled(live: Any, site: Any) -> None:
    live.click(".commands summary")
    # Once it is laid out: what is still closed cannot be scrolled.
    until(
        live,
        "(() => { const lines = document.querySelector('.command-lines');"
        " lines.scrollLeft = 200; return lines.scrollLeft === 200 })()",
    )
    live.evaluate("window.scrollTo(0, 120)")
    before = live.evaluate("window.scrollY")
    step(live, site, "Sending the plan.")
    assert live.evaluate("document.querySelector('.commands').open")
    # The script puts it back once the new lines are in place, which a busy machine may do a moment later.
    until(live, "document.querySelector('.command-lines').scrollLeft === 200")
    until(live, f"window.scrollY === {before}")


def test_what_was_closed_stays_closed(live: Any, site: Any) -> None:
    live.evaluate("document.querySelector('.commands').open = false")
    step(live, site, "Sending the plan.")
    assert not live.evaluate("document.querySelector('.commands').open")


def test_the_focus_stays_where_it_is(live: Any, site: Any) -> None:
    live.focus("button:has-text('Cancel and take back')")
    step(live, site, "Sending the plan.")
    assert "Cancel and take back" in live.evaluate("document.activeElement.textContent")
    live.focus(".commands summary")
    step(live, site, "Applied.")
    assert live.evaluate("document.activeElement.localName") == "summary"
