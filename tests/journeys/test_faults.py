"""What happens to a Change when something dies on the way: it ends whole in the old or in the new state."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.lab import Lab
from tests.journeys.conftest import drive
from tests.vnetpanel.conftest import RunningPanel

STATE = (
    "ip -o link | sed 's/^[0-9]*: //; s/@if[0-9]*//; s/ qdisc.*//';"
    " ip -o addr show scope global | cut -d' ' -f2-8;"
    " ip route show table main; ip neigh show proxy; cat /etc/vnetpanel/committed 2>/dev/null | grep -v txid;"
    " cat /etc/vz/conf/*.conf"
)
"""What must be the same before and after a Change that failed: kernel, committed file, vzctl's conf."""


def state(lab: Lab, *servers: str) -> list[str]:
    return [lab.check(server, STATE) for server in servers]


@pytest.fixture
def local_network(panel: RunningPanel, applied: list[str]) -> Iterator[str]:
    """A name for a local network on server 2, which is gone again after the test."""
    yield "C"
    told = drive(
        panel,
        """
from networks.models import VirtualNetwork
row = VirtualNetwork.objects.filter(name="C").first()
if row:
    edits = [RemoveMember(key("server2", ctid)) for ctid in ("203", "204")]
    edits += [Unassign(str(row.pk), server("server2")), DeleteNetwork(str(row.pk))]
    say(ended(apply(review(edits))))
else:
    say({"state": "done"})
""",
    )
    assert told["state"] == "done", told


BUILD_C = """
c = network("C")
edits = [CreateNetwork(c, "C"), Assign(c, server("server2"), None)]
edits += [AddMember(c, key("server2", "203")), AddMember(c, key("server2", "204"))]
change = review(edits)
"""
MOVE_BACK = """
change = review([Unassign(network("A"), server("server1")), RemoveMember(key("server1", "102")),
                 RemoveMember(key("server1", "103"))])
"""


def pids(panel: RunningPanel, words: str) -> list[int]:
    return [pid for pid, args in panel.children().items() if words in args]


def test_a_killed_worker_is_replaced_and_nothing_runs_twice(
    fresh_lab: Lab, panel: RunningPanel, local_network: str
) -> None:
    started = drive(panel, BUILD_C + "say({'id': str(apply(change).pk)})")
    for pid in pids(panel, "celery -A vnetpanel worker"):
        os.kill(pid, signal.SIGKILL)
    killed_at = datetime.now(UTC)
    told = drive(panel, f"say(ended(Change.objects.get(pk='{started['id']}')))")
    assert told["state"] == "done", told
    assert told["attempts"] == 2
    story = [datetime.fromisoformat(event["at"]) for event in told["operations"]["server2"]["events"]]
    # A lease of 15 s and a sweep every 10 s, and what starting a worker takes on a slow machine.
    assert min(at for at in story if at > killed_at) - killed_at < timedelta(seconds=30)
    txid = told["operations"]["server2"]["txid"]
    assert fresh_lab.check("server2", "grep -c txid /etc/vnetpanel/committed").strip() == "1"
    assert txid in fresh_lab.check("server2", "cat /etc/vnetpanel/committed")
    assert fresh_lab.execute("server2", "ip netns exec ct203 ping -q -c1 -W2 10.77.0.204").ok
    assert not fresh_lab.execute("server2", "ip netns exec ct203 ping -q -c1 -W2 10.77.0.1").ok


def test_an_emptied_broker_loses_nothing(panel: RunningPanel, local_network: str) -> None:
    told = drive(
        panel,
        BUILD_C
        + """
from django.conf import settings
import redis
broker = redis.Redis.from_url(settings.CELERY_BROKER_URL.replace("redis+socket", "unix"))
change = apply(change)
broker.flushall()
say(ended(change))
""",
    )
    assert told["state"] == "done", told


def test_a_cable_that_is_out_before_the_decision_leaves_both_servers_as_they_were(
    fresh_lab: Lab, panel: RunningPanel, applied: list[str]
) -> None:
    before = state(fresh_lab, "server1", "server2")
    revision = drive(panel, "say(head().number)")
    ready = drive(
        panel,
        """
a = network("A")
change = review([RemoveMember(key("server1", "103")), RemoveMember(key("server2", "201"))])
say({"id": str(change.pk), "state": change.state, "servers": change.operations.count()})
""",
    )
    assert (ready["state"], ready["servers"]) == ("planned", 2)
    fresh_lab.cable("server2", plugged=False)
    try:
        told = drive(panel, f"say(ended(apply(Change.objects.get(pk='{ready['id']}'))))")
    finally:
        fresh_lab.cable("server2", plugged=True)
    assert told["state"] == "failed", told
    assert told["revision"] == revision
    assert state(fresh_lab, "server1", "server2") == before


def test_a_cancelled_change_is_taken_back(fresh_lab: Lab, panel: RunningPanel, applied: list[str]) -> None:
    before = state(fresh_lab, "server1")
    told = drive(
        panel,
        MOVE_BACK
        + """
change = apply(change)
until(lambda c: c.state in ("applying", "verifying"), change, 60)
changes.cancel_change(User.objects.get(username="admin"), change)
say(ended(change))
""",
    )
    assert told["state"] == "cancelled", told
    assert state(fresh_lab, "server1") == before


def test_a_server_that_changed_since_the_review_refuses(
    fresh_lab: Lab, panel: RunningPanel, applied: list[str]
) -> None:
    ready = drive(panel, MOVE_BACK + "say({'id': str(change.pk), 'state': change.state})")
    fresh_lab.check("server1", "ip addr add 10.77.44.1/24 dev vn-a")
    try:
        before = state(fresh_lab, "server1")
        told: dict[str, Any] = drive(panel, f"say(ended(apply(Change.objects.get(pk='{ready['id']}'))))")
        assert told["state"] == "failed", told
        assert "changed since the review" in told["result"]
        assert state(fresh_lab, "server1") == before
    finally:
        fresh_lab.check("server1", "ip addr del 10.77.44.1/24 dev vn-a")
