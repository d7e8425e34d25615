"""A switch that does not carry a VLAN: nothing is decided over it, and a measurement names the server."""

from __future__ import annotations

from typing import Any

from lab.lab import Lab
from tests.journeys.conftest import drive
from tests.vnetpanel.conftest import RunningPanel

BUILD = """
two, three = server("server2"), server("server3")
d = network("Trunk")
edits = [CreateNetwork(d, "Trunk"),
    CreateVlan(two, "eth0.100", "eth0", 100), CreateVlan(three, "eth0.100", "eth0", 100),
    Assign(d, two, "eth0.100"), Assign(d, three, "eth0.100"), AddMember(d, key("server2", "205")),
    AddMember(d, key("server3", "301"))]
say(ended(apply(review(edits))))
"""
MEASURE = """
import time, uuid
from networks.services import measure
from networks.models import Measurement
user = User.objects.get(username="admin")
servers = [server("server2"), server("server3")]
row = measure.request_measurement(user, servers, uuid.UUID(network("Trunk")))
until(lambda row: not measure.is_under_way(row), row, 240)
cells = {f"{a} {b} {layer}": seen for a, b, layer, _, seen in row.cells}
say({"state": row.state, "silent": row.silent, "found": [d.text for d in measure.open_disagreements(user)],
    "seen": cells.get(f"c:{servers[0]}:205 c:{servers[1]}:301 layer2")})
"""
CLEAR = """
two, three = server("server2"), server("server3")
d = network("Trunk")
edits = [RemoveMember(key("server2", "205")), RemoveMember(key("server3", "301")),
    Unassign(d, two), Unassign(d, three),
    DeleteVlan(two, "eth0.100"), DeleteVlan(three, "eth0.100"), DeleteNetwork(d)]
say(ended(apply(review(edits))))
"""


def measured(panel: RunningPanel) -> Any:
    return drive(panel, MEASURE)


def test_a_network_that_a_trunk_would_split_is_taken_back_before_it_is_decided(
    panel: RunningPanel, fresh_lab: Lab
) -> None:
    """Nothing of it is left on the servers, and what is the matter is in the result."""
    fresh_lab.trunk("server3", 100, carried=False)
    try:
        refused = drive(panel, BUILD)
    finally:
        fresh_lab.trunk("server3", 100, carried=True)
    assert refused["state"] == "failed", refused
    assert {op["state"] for op in refused["operations"].values()} == {"rolled_back"}
    assert "do not hear each other in Virtual Network Trunk" in refused["result"]
    assert "does not carry VLAN 100" in refused["result"]
    for name in ("server2", "server3"):
        kept = fresh_lab.check(name, "ip -o link; grep -s ^keep /etc/vnetpanel/committed || :")
        assert "vn-trunk" not in kept


def test_a_trunk_that_lacks_a_vlan_is_named_and_forgotten_when_it_is_mended(
    panel: RunningPanel, fresh_lab: Lab
) -> None:
    assert drive(panel, BUILD)["state"] == "done"
    try:
        good = measured(panel)
        assert (good["state"], good["seen"], good["found"]) == ("done", "yes", [])
        fresh_lab.trunk("server3", 100, carried=False)
        # A server that is too busy to tell in time is no witness: it is asked again.
        bad = measured(panel)
        for _ in range(2):
            bad = bad if bad["found"] else measured(panel)
        assert bad["seen"] == "no"
        assert bad["found"] == [
            "The switch does not carry VLAN 100 of “physical network” to physical server server3."
        ]
        fresh_lab.trunk("server3", 100, carried=True)
        # What a busy server could not tell in time stands until it can.
        assert any(measured(panel)["found"] == [] for _ in range(3))
    finally:
        fresh_lab.trunk("server3", 100, carried=True)
        assert drive(panel, CLEAR)["state"] == "done"


EVERYWHERE = """
one, two, three = server("server1"), server("server2"), server("server3")
d, third = network("Trunk"), key("server1", "103")
home = [member.network for member in head().state.memberships(third)]
edits = [CreateNetwork(d, "Trunk"), *[RemoveMember(third)] * len(home),
    *(CreateVlan(s, "eth0.100", "eth0", 100) for s in (one, two, three)),
    *(Assign(d, s, "eth0.100") for s in (one, two, three)),
    *(AddMember(d, k) for k in (third, key("server2", "205"), key("server3", "301")))]
say({"home": home, **ended(apply(review(edits)))})
"""
NOWHERE = """
one, two, three = server("server1"), server("server2"), server("server3")
d, third = network("Trunk"), key("server1", "103")
edits = [*(RemoveMember(k) for k in (third, key("server2", "205"), key("server3", "301"))),
    *(AddMember(home, third) for home in HOME),
    *(Unassign(d, s) for s in (one, two, three)),
    *(DeleteVlan(s, "eth0.100") for s in (one, two, three)), DeleteNetwork(d)]
say(ended(apply(review(edits))))
"""
MEASURE_ALL = MEASURE.replace('server("server3")]', 'server("server3"), server("server1")]')


def test_where_every_server_has_the_vlan_it_is_the_one_that_hears_nobody_who_is_named(
    panel: RunningPanel, fresh_lab: Lab
) -> None:
    """There is no server left that could speak on it for them: their own bridges are asked whom they hear."""
    built = drive(panel, EVERYWHERE)
    assert built["state"] == "done", built
    try:
        assert drive(panel, MEASURE_ALL)["found"] == []
        fresh_lab.trunk("server3", 100, carried=False)
        found = drive(panel, MEASURE_ALL)
        assert found["found"] == [
            "The switch does not carry VLAN 100 of “physical network” to physical server server3."
        ], found
    finally:
        fresh_lab.trunk("server3", 100, carried=True)
        gone = drive(panel, f"HOME = {built['home']!r}\n{NOWHERE}")
        assert gone["state"] == "done", gone
