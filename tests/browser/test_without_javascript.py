"""The forms work with JavaScript off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from nodes.models import PhysicalServer
from tests.browser.conftest import A

pytestmark = pytest.mark.browser
SUBMIT = "#content form[method=post] button[type=submit]"


@pytest.fixture
def plain(open_page: Callable[..., Any]) -> Callable[[str], Any]:
    return lambda path: open_page(path, java_script_enabled=False)


def test_a_network_is_created_on_a_server(plain: Callable[[str], Any], site: Any) -> None:
    page = plain(reverse("networks:create_on_server", args=[site.scene.server1.pk]))
    page.fill("[name=name]", "B")
    page.check("[name=adapter][value=local]")
    page.check("[name=members][value*='/103/']")
    page.click("button:has-text('Add to draft')")
    page.wait_for_selector("h1:has-text('Configure B')")
    page.click(".draft-bar a")
    page.wait_for_selector("text=Create Virtual Network B")


def test_a_network_adapter_is_added_addressed_and_forgotten(plain: Callable[[str], Any], site: Any) -> None:
    container = site.scene.server1.containers.get(ctid="103")
    page = plain(reverse("networks:container_network", args=[container.pk]))
    page.click("a:has-text('Add Network Adapter')")
    assert page.input_value("[name=ifname]") == "eth1"
    page.fill("[name=address]", "10.77.0.103")
    page.click("button:has-text('Add to draft')")
    assert "prefix length" in page.inner_text("#id_address_error")
    page.fill("[name=address]", "10.9.0.103/24")
    page.click("button:has-text('Add to draft')")
    card = "#adapter-eth1"
    page.wait_for_selector(f"{card} >> text=10.9.0.103/24")
    page.select_option(f"{card} [name=network]", A)
    page.click(f"{card} button:has-text('Set')")
    page.wait_for_selector(f"{card} >> text=Details of A")
    page.click(f"{card} button[aria-label='Remove eth1']")
    page.wait_for_selector("text=eth1 is out of your draft")
    assert page.locator(card).count() == 0


def test_the_form_of_a_new_server_shows_what_the_login_needs_and_says_what_is_missing(
    plain: Callable[[str], Any],
) -> None:
    page = plain(reverse("nodes:add_server"))
    assert not page.is_visible("[name=private_key]")
    page.check("[name=login][value=key]")
    assert page.is_visible("[name=private_key]") and not page.is_visible("[name=password]")
    page.click(SUBMIT)
    page.wait_for_selector("#id_name_error")
    assert page.is_visible("#id_private_key_error") and page.is_visible("#id_address_error")
    page.select_option("[name=os]", "windows")
    assert not page.is_visible("[name=login][value=key]")


def test_a_server_is_looked_at(plain: Callable[[str], Any], site: Any) -> None:
    page = plain(reverse("nodes:server", args=[site.scene.server1.pk]))
    page.click("button:has-text('Look now')")
    page.wait_for_selector("text=being looked at")
    assert PhysicalServer.objects.get(pk=site.scene.server1.pk).look_requested_at


def test_columns_are_chosen(plain: Callable[[str], Any]) -> None:
    page = plain(reverse("nodes:servers"))
    page.click(".column-menu summary")
    page.uncheck("[name=show][value=vzctl_version]")
    page.click("button:has-text('Show these')")
    page.wait_for_selector("th:has-text('State')")
    assert page.locator("th:has-text('vzctl')").count() == 0


def test_a_network_is_configured_for_all_servers_and_an_edit_dropped(
    plain: Callable[[str], Any], site: Any
) -> None:
    page = plain(reverse("networks:configure", args=[A]))
    page.click("#members a:has-text('Add containers')")
    page.fill("#add [name=container]", "ct20")
    page.click("#add button:has-text('Search')")
    page.click("#add th a:has-text('Container')")
    page.check("#add [aria-label^='Add 202 eth0 ']")
    page.click("#add button:has-text('Add ticked ones')")
    page.wait_for_selector("#members th:has-text('202')")
    page.select_option("[aria-label='A on server2']", label="eth0")
    page.click("#assignments button:has-text('Add to draft')")
    page.wait_for_selector("[aria-label='A on server2'].is-changed")
    page.click(".draft-bar a")
    page.click("[aria-label^='Drop: Assign Virtual Network A to eth0']")
    page.wait_for_selector("text=Dropped.")
    page.click("button:has-text('Undo last step')")
    page.wait_for_selector("text=Assign Virtual Network A to eth0 of physical server server2")


def test_a_vlan_is_made_and_a_grid_is_set(plain: Callable[[str], Any], site: Any) -> None:
    page = plain(reverse("networks:create_vlan", args=[site.scene.server2.pk]))
    page.select_option("[name=base]", "eth0")
    page.fill("[name=vid]", "7")
    page.click("button:has-text('Add to draft')")
    page.wait_for_selector("#adapters tr:has-text('eth0.7'):has-text('new in your draft')")
    page.goto(reverse("networks:group_grid", args=[site.scene.group.pk]))
    page.select_option("[aria-label='A on server2']", label="eth0.7")
    page.click("button:has-text('Add to draft')")
    page.wait_for_selector("[aria-label='A on server2'].is-changed")


def test_containers_to_add_are_paged_there_and_back(
    plain: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("networks.picker.PER_PAGE", 1)
    page = plain(reverse("networks:add_members", args=[A]))
    rows = "#add tbody th"
    seen = [page.inner_text(rows)]
    while page.locator("#add a[rel=next]").count():
        page.click("#add a[rel=next]")
        seen.append(page.inner_text(rows))
    assert len(seen) == 4
    page.click("#add a[rel=prev]")
    assert page.inner_text(rows) == seen[-2]
    page.click("#add a:has-text('First')")
    assert page.inner_text(rows) == seen[0] and not page.locator("#add a[rel=prev]").count()
