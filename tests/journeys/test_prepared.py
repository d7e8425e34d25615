"""Server 1 is prepared from the browser; a user who may run three programs then moves its only NIC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.lab import Lab
from networks import gate
from tests.journeys.conftest import drive, logged_in
from tests.lab.pings import reaches, within
from tests.vnetpanel.conftest import RunningPanel

AWAY = """
edits = [Unassign(network("A"), server("server1")), RemoveMember(key("server1", "102")),
         RemoveMember(key("server1", "103"))]
say(ended(apply(review(edits))))
"""
BACK = """
edits = [Assign(network("A"), server("server1"), "eth0"), AddMember(network("A"), key("server1", "102")),
         AddMember(network("A"), key("server1", "103"))]
say(ended(apply(review(edits))))
"""
WAY_IN = """
one = PhysicalServer.objects.select_related("credential").get(name="server1")
say([one.pk, one.by_gate, one.credential and one.credential.username, one.state])
"""


def way_in(panel: RunningPanel) -> list[Any]:
    told: list[Any] = drive(panel, WAY_IN)
    return told


@pytest.fixture(scope="module")
def prepared(panel: RunningPanel, fresh_lab: Lab, browser: Any, applied: list[str]) -> Iterator[str]:
    """Server 1's page of it; afterwards the panel's user is gone again, by root's password, used once."""
    page_of_it = f"/servers/{way_in(panel)[0]}/prepare/"
    with logged_in(browser, panel) as page:
        page.goto(page_of_it)
        assert page.input_value("[name=addresses]") == "10.77.0.254"
        page.click("main button:has-text('Make the key')")
        page.click("summary:has-text('authorized_keys')")
        assert 'restrict,from="10.77.0.254",command=' in page.inner_text("main")
        page.click("main button:has-text('Prepare the server')")
        page.wait_for_selector("text=server1 is prepared", timeout=120_000)
    yield page_of_it
    with logged_in(browser, panel) as page:
        page.goto(f"{page_of_it}?take=away")
        page.fill("[name=password]", fresh_lab.root_password())
        page.click("main button:has-text('Take it off the server')")
        page.wait_for_selector("text=are off server1", timeout=120_000)
    give_back = """
from nodes.models import Credential
PhysicalServer.objects.filter(name="server1").update(credential=Credential.objects.get(name="Lab"))
look(server("server1"))
say("ok")
"""
    assert drive(panel, give_back) == "ok"
    assert not fresh_lab.execute("server1", "grep vnetpanel /etc/passwd || ls /usr/local/lib/vnetpanel").ok


def test_the_panel_gets_in_as_a_user_who_may_run_three_programs(
    prepared: str, panel: RunningPanel, fresh_lab: Lab
) -> None:
    assert way_in(panel)[1:3] == [True, "vnetpanel"]
    may = fresh_lab.check("server1", "sudo -l -U vnetpanel")
    rules = may.partition("may run the following")[2]
    assert rules.count("/usr/local/lib/vnetpanel/") == len(gate.commands()) and "ALL" not in rules
    assert not fresh_lab.execute("server1", "su -s /bin/sh vnetpanel -c 'sudo -n id'").ok
    assert not fresh_lab.execute("server1", "su -s /bin/sh vnetpanel -c 'echo >/etc/sudoers.d/x'").ok


def test_its_only_nic_leaves_the_bridge_and_comes_back(
    prepared: str, panel: RunningPanel, fresh_lab: Lab
) -> None:
    for edits, bridged in ((AWAY, False), (BACK, True)):
        told = drive(panel, edits)
        assert told["state"] == "done", told
        story = " ".join(event["text"] for event in told["operations"]["server1"]["events"])
        assert "Reached over a new connection." in story and "Committed; vzctl" in story
        assert fresh_lab.execute("server1", "[ -e /sys/class/net/eth0/master ]").ok == bridged
    assert within(20, lambda: reaches(fresh_lab, "server1", "10.77.0.201", "102"))
    assert drive(panel, "say(plans_are_empty('server1'))") == {"server1": True}


def test_it_measures_from_inside_a_container(prepared: str, panel: RunningPanel) -> None:
    code = """
from networks.engine.measuring import ask, servers_by_key
from networks.measure import Place
key = server("server1")
heard = ask(servers_by_key([key])[key], (Place("102", ("10.77.0.1", "10.77.0.99")),), ())
say(heard if isinstance(heard, str) else heard["102"].pings)
"""
    assert drive(panel, code) == {"10.77.0.1": True, "10.77.0.99": False}


def test_what_it_committed_is_there_after_a_reboot(
    prepared: str, panel: RunningPanel, fresh_lab: Lab
) -> None:
    code = """
from networks.engine.hosts import Host
reply = Host(PhysicalServer.objects.get(name="server1")).prepare()
say([reply.code, reply.words])
"""
    assert drive(panel, code) == [0, ""]
    fresh_lab.reboot("server1")
    assert within(90, lambda: reaches(fresh_lab, "server1", "10.77.0.201", "102"))
    assert drive(panel, "look(server('server1')); say(plans_are_empty('server1'))") == {"server1": True}
    assert way_in(panel)[1:] == [True, "vnetpanel", "ok"]
