"""Network A of the manual, from the browser to the packets: two servers' only NICs go into bridges."""

from __future__ import annotations

from typing import Any

from lab.lab import Lab
from tests.journeys.conftest import follow, run_in_panel
from tests.lab.pings import answers, reaches, within
from tests.vnetpanel.conftest import RunningPanel

MEMBERS = {"102": "server1", "103": "server1", "201": "server2"}
ADDRESSES = {"102": "10.77.0.102", "103": "10.77.0.103", "201": "10.77.0.201", "other host": "10.77.0.1"}


def test_its_members_and_the_other_host_reach_each_other(fresh_lab: Lab, applied: list[str]) -> None:
    for container, server in MEMBERS.items():
        for name, address in ADDRESSES.items():
            if name != container:
                assert reaches(fresh_lab, server, address, container), f"{container} does not reach {name}"


def test_the_panel_never_lost_a_server(applied: list[str]) -> None:
    assert applied == ["ok", "ok", "ok"]


def test_a_host_routed_container_still_answers(applied: list[str]) -> None:
    assert answers("10.77.0.101")


def test_a_restarted_container_keeps_its_network(fresh_lab: Lab, applied: list[str]) -> None:
    fresh_lab.check("server1", "vzctl restart 102")
    assert within(15, lambda: reaches(fresh_lab, "server1", "10.77.0.201", "102"))


def test_the_pages_show_what_the_servers_have(page: Any, applied: list[str]) -> None:
    page.goto("/networks/")
    follow(page, "main a:text-is('A')")
    text = page.inner_text("main")
    for word in ("server1", "server2", "eth0", "vn-a", "102", "103", "201"):
        assert word in text
    assert "leaves in your draft" not in text


def test_a_second_apply_of_the_same_runs_no_command(panel: RunningPanel, applied: list[str]) -> None:
    code = """
from django.contrib.auth.models import User
from networks.domain.looks import with_look
from networks.domain.plan import plan
from networks.desired import head
from networks.inventory_rows import inventory, servers_named
from tests.journeys.driver import look
state = head().state
known = inventory(servers_named(state))
for server in sorted(servers_named(state)):
    known = with_look(known, known.server(server), look(server))
    print(plan(known.server(server), state, state, known).is_empty)
"""
    assert run_in_panel(panel, code).split() == ["True", "True"]
