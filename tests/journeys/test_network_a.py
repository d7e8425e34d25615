"""Network A of the manual, from the browser to the packets: two servers' only NICs go into bridges."""

from __future__ import annotations

from typing import Any

import pytest

from lab.lab import Lab
from tests.journeys.conftest import run_in_panel
from tests.lab.pings import answers, reaches, within
from tests.vnetpanel.conftest import RunningPanel

MEMBERS = {"102": "server1", "103": "server1", "201": "server2"}
ADDRESSES = {"102": "10.77.0.102", "103": "10.77.0.103", "201": "10.77.0.201", "other host": "10.77.0.1"}


@pytest.fixture(scope="module")
def applied(panel: RunningPanel, browser: Any) -> None:
    """Network A clicked together, reviewed and applied, as an administrator does it."""
    context = browser.new_context(base_url=panel.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto("/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", panel.password)
    page.click("button[type=submit]")

    page.click("main a:has-text('Lab')")
    page.click("main a:has-text('Physical Servers')")
    page.click("main a:text-is('server1')")
    page.click("main a:has-text('Virtual Networks')")
    page.click("main a:has-text('New Virtual Network')")
    page.fill("[name=name]", "A")
    page.fill("[name=description]", "The first of the manual")
    page.check("label:has-text('eth0 (NIC') >> input")
    page.check("label:has-text('102 ct102 eth0') >> input")
    page.check("label:has-text('103 ct103 eth0') >> input")
    assert page.is_disabled("label:has-text('101 ct101 venet0') >> input")
    page.click("main button:has-text('Add to draft')")

    page.select_option("#pick-server", label="server2")
    page.click("main button:has-text('Choose')")
    page.check("label:has-text('eth0 (NIC') >> input")
    page.check("label:has-text('201 ct201 eth0') >> input")
    page.click("#add button:has-text('Add to draft')")

    page.click("a:has-text('Review')")
    page.click("main button:has-text('Review')")
    page.wait_for_selector("#apply-form", timeout=60_000)
    assert "ip link set dev eth0 master vn-a" in page.inner_text("#change")
    assert "Assign Virtual Network A to eth0 of physical server server1" in page.inner_text("#change")
    for tick in page.query_selector_all("[name=tick]"):
        tick.check()
    page.click("#apply-form button")
    page.wait_for_selector("#change .change-state:has-text('Done')", timeout=120_000)
    assert page.get_attribute("#change", "hx-trigger") is None
    context.close()


def test_its_members_and_the_other_host_reach_each_other(fresh_lab: Lab, applied: None) -> None:
    for container, server in MEMBERS.items():
        for name, address in ADDRESSES.items():
            if name != container:
                assert reaches(fresh_lab, server, address, container), f"{container} does not reach {name}"


def test_the_panel_never_lost_a_server(panel: RunningPanel, applied: None) -> None:
    code = "from nodes.models import PhysicalServer as S; print(*S.objects.values_list('state', flat=True))"
    assert run_in_panel(panel, code).split() == ["ok", "ok", "ok"]


def test_a_host_routed_container_still_answers(applied: None) -> None:
    assert answers("10.77.0.101")


def test_a_restarted_container_keeps_its_network(fresh_lab: Lab, applied: None) -> None:
    fresh_lab.check("server1", "vzctl restart 102")
    assert within(15, lambda: reaches(fresh_lab, "server1", "10.77.0.201", "102"))


def test_the_pages_show_what_the_servers_have(page: Any, applied: None) -> None:
    page.goto("/networks/")
    page.click("main a:text-is('A')")
    text = page.inner_text("main")
    for word in ("server1", "server2", "eth0", "vn-a", "102", "103", "201"):
        assert word in text
    assert "leaves in your draft" not in text


def test_a_second_apply_of_the_same_runs_no_command(panel: RunningPanel, applied: None) -> None:
    code = """
from django.contrib.auth.models import User
from networks.domain.plan import plan
from networks.desired import head
from networks.inventory_rows import inventory, servers_named
from nodes.observe import look
state = head().state
known = inventory(servers_named(state))
for server in sorted(servers_named(state)):
    known = known.with_server(known.server(server), look(server))
    print(plan(known.server(server), state, state, known).is_empty)
"""
    assert run_in_panel(panel, code).split() == ["True", "True"]
