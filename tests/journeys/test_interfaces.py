"""Containers' own interfaces, from draft to packets: made, joined, addressed, removed; both dialects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.lab import Lab
from tests.journeys.conftest import drive
from tests.lab.pings import reaches, within
from tests.vnetpanel.conftest import RunningPanel

STOPPED = {"server1": "103", "server3": "303"}
NETIF = "cd /etc/vz/conf; grep -h ^NETIF= 102.conf 103.conf 301.conf 303.conf 2>/dev/null; :"
FOUR = "(('server1', '102'), ('server1', '103'), ('server3', '301'), ('server3', '303'))"


@pytest.fixture
def some_stopped(fresh_lab: Lab) -> Iterator[dict[str, str]]:
    """One container of each dialect stopped; what the servers had saved before."""
    before = {name: fresh_lab.execute(name, NETIF).stdout for name in STOPPED}
    for name, ctid in STOPPED.items():
        fresh_lab.check(name, f"vzctl stop {ctid}")
    yield before
    for name, ctid in STOPPED.items():
        fresh_lab.execute(name, f"vzctl start {ctid}")


def change(panel: RunningPanel, edits: str) -> dict[str, Any]:
    """What became of a Change of these edits, and the commands that its review showed."""
    code = f"""
change = review({edits})
commands = {{op.server_name: [c["text"] for c in op.commands] for op in change.operations.all()}}
refused = [row["text"] for row in change.problems if row["severity"] == "refuse"]
assert not refused, refused
say({{**ended(apply(change)), "commands": commands}})
"""
    done: dict[str, Any] = drive(panel, code)
    assert done["state"] == "done", json.dumps(done, indent=1)
    assert not any(op["message"] for op in done["operations"].values()), json.dumps(done, indent=1)
    return done


def test_interfaces_are_made_used_and_removed(
    panel: RunningPanel, fresh_lab: Lab, some_stopped: dict[str, str]
) -> None:
    done = change(
        panel,
        """[
        CreateNetwork("10000000-0000-4000-8000-000000000004", "Four"),
        CreateNetwork("10000000-0000-4000-8000-000000000007", "Seven"),
        *(edit for name, ctid, id in (("server1", "102", "4"), ("server1", "103", "4"),
                                      ("server3", "301", "7"), ("server3", "303", "7"))
          for edit in (AddInterface(key(name, ctid, "eth1")),
                       AddMember("10000000-0000-4000-8000-00000000000" + id, key(name, ctid, "eth1")))),
        AddAddress(key("server1", "102", "eth1"), "10.99.4.2/24"),
        AddAddress(key("server3", "301", "eth1"), "10.99.7.1/24"),
        AddAddress(key("server3", "303", "eth1"), "10.99.7.3/24"),
        ]""",
    )
    assert "vzctl set 102 --netif_add eth1,,veth102.1,,vn-four --save" in done["commands"]["server1"]
    assert (
        "vzctl set 301 --netif_add eth1 --network vn-seven --nettype bridge --save"
        in done["commands"]["server3"]
    )
    for name, ctid in STOPPED.items():
        fresh_lab.check(name, f"vzctl start {ctid}")
    # vzctl 7 kept the address of the stopped one; vzctl 4 has no way to, so that one gets it now.
    assert within(20, lambda: reaches(fresh_lab, "server3", "10.99.7.3", "301"))
    change(panel, '[AddAddress(key("server1", "103", "eth1"), "10.99.4.3/24")]')
    assert within(20, lambda: reaches(fresh_lab, "server1", "10.99.4.3", "102"))
    # It joins its network again by itself.
    fresh_lab.check("server1", "vzctl restart 103")
    ports = fresh_lab.check("server1", "ls /sys/class/net/vn-four/brif").split()
    assert sorted(ports) == ["veth102.1", "veth103.1"]

    answer = drive(panel, "say(plans_are_empty('server1', 'server3'))")
    assert answer == {"server1": True, "server3": True}

    change(
        panel,
        f"""[
        *(edit for name, ctid in {FOUR}
          for edit in (RemoveMember(key(name, ctid, "eth1")), RemoveInterface(key(name, ctid, "eth1")))),
        DeleteNetwork("10000000-0000-4000-8000-000000000004"),
        DeleteNetwork("10000000-0000-4000-8000-000000000007"),
        ]""",
    )
    for name, before in some_stopped.items():
        assert fresh_lab.execute(name, NETIF).stdout == before
        links = fresh_lab.check(name, "ip -br link")
        assert "vn-four" not in links and "vn-seven" not in links and ".1@" not in links
    assert drive(panel, "say(plans_are_empty('server1', 'server3'))") == {"server1": True, "server3": True}


def test_one_that_exists_and_a_member_that_stays_are_refused(panel: RunningPanel, fresh_lab: Lab) -> None:
    """By the review's own look, whatever the form knew."""
    fresh_lab.check("server2", "vzctl set 204 --netif_add eth5 --save")
    try:
        texts = drive(
            panel,
            'say([row["text"] for row in review([AddInterface(key("server2", "204", "eth5"))]).problems])',
        )
        assert any("eth5 of Container 204" in text and "exists already" in text for text in texts)
        done = change(panel, '[RemoveInterface(key("server2", "204", "eth5"))]')
        assert done["commands"]["server2"] == ["vzctl set 204 --netif_del eth5 --save"]
        assert "eth5" not in fresh_lab.check("server2", "cat /etc/vz/conf/204.conf")
    finally:
        fresh_lab.execute("server2", "vzctl set 204 --netif_del eth5 --save")
