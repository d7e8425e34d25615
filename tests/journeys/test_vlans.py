"""Network D of the manual over VLAN adapters that the panel makes on servers 2 and 3, and deletes again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab.lab import Lab
from tests.journeys.conftest import drive
from tests.lab.pings import reaches, within
from tests.vnetpanel.conftest import RunningPanel

D = "10000000-0000-4000-8000-00000000000d"
MADE = f"""[
CreateNetwork("{D}", "D"),
CreateVlan(server("server2"), "eth0.100", "eth0", 100),
CreateVlan(server("server3"), "eth0.100", "eth0", 100),
Assign("{D}", server("server2"), "eth0.100"), Assign("{D}", server("server3"), "eth0.100"),
AddMember("{D}", key("server2", "205")), AddMember("{D}", key("server3", "301")),
]"""
AWAY = f"""[
RemoveMember(key("server2", "205")), RemoveMember(key("server3", "301")),
Unassign("{D}", server("server2")), Unassign("{D}", server("server3")),
DeleteVlan(server("server2"), "eth0.100"), DeleteVlan(server("server3"), "eth0.100"), DeleteNetwork("{D}"),
]"""


@pytest.fixture
def foreign_vlan(fresh_lab: Lab) -> Iterator[str]:
    """A VLAN adapter that somebody else made on server 2."""
    fresh_lab.check("server2", "ip link add link eth0 name eth0.7 type vlan id 7 && ip link set eth0.7 up")
    yield "eth0.7"
    fresh_lab.execute("server2", "ip link del eth0.7")


def changed(panel: RunningPanel, edits: str) -> dict[str, Any]:
    done: dict[str, Any] = drive(panel, f"say(ended(apply(review({edits}))))")
    assert done["state"] == "done", json.dumps(done, indent=1)
    return done


def test_network_d_is_made_over_vlans_and_goes_again(
    panel: RunningPanel, fresh_lab: Lab, foreign_vlan: str
) -> None:
    changed(panel, MADE)
    for name in ("server2", "server3"):
        assert "vlan protocol 802.1Q id 100" in fresh_lab.check(name, "ip -d link show eth0.100")
        assert "eth0.100" in fresh_lab.check(name, "ls /sys/class/net/vn-d/brif")
    assert within(20, lambda: reaches(fresh_lab, "server2", "10.77.0.31", "205"))
    assert not reaches(fresh_lab, "server2", "10.77.0.1", "205"), "D is isolated from other hosts"
    assert drive(panel, "say(plans_are_empty('server2', 'server3'))") == {"server2": True, "server3": True}

    refused = drive(
        panel,
        "from networks.services.validate import refusals;"
        ' say([p.text for p in refusals(head().state, [DeleteVlan(server("server2"), "eth0.7")])])',
    )
    assert len(refused) == 1 and "was not made by the panel" in refused[0]

    changed(panel, AWAY)
    for name in ("server2", "server3"):
        links = fresh_lab.check(name, "ip -br link")
        assert "eth0.100" not in links and "vn-d" not in links
    assert foreign_vlan in fresh_lab.check("server2", "ip -br link"), "what others made stays"
    assert drive(panel, "say(plans_are_empty('server2', 'server3'))") == {"server2": True, "server3": True}
