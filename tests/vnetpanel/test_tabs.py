"""The tab bars of groups, servers, networks and containers come from one list."""

from __future__ import annotations

import uuid

import pytest
from django.template import engines
from django.urls import reverse

from vnetpanel.tabs import TABS, Tab


def bar(kind: str, shown: str) -> str:
    source = f'{{% tabs "{kind}" 7 "{shown}" name %}}'
    return engines["django"].from_string(source).render({"name": "<b>one</b>"})


def test_it_marks_the_page_that_is_shown_and_names_what_it_is_about() -> None:
    text = bar("server", "adapters")
    marked = text.split('aria-current="page"')[1].split("</a>")[0]
    assert text.count('aria-current="page"') == 1 and "Network Adapters" in marked
    assert 'aria-label="&lt;b&gt;one&lt;/b&gt;"' in text


def test_a_bar_with_one_tab_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABS, "container", (Tab("overview", "Overview", "nodes:container"),))
    assert bar("container", "overview").strip() == ""


@pytest.mark.parametrize("kind", TABS)
def test_every_tab_leads_to_a_page(kind: str) -> None:
    key = str(uuid.uuid4()) if kind == "network" else 7
    assert all(reverse(tab.route, args=[key]) for tab in TABS[kind])
    assert len({tab.key for tab in TABS[kind]}) == len(TABS[kind])
