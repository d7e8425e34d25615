"""A network over servers and time: behind and brought forward, there after a reboot, undone."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from lab.lab import Lab
from tests.journeys.conftest import drive, follow
from tests.lab.pings import reaches, within
from tests.vnetpanel.conftest import RunningPanel

UNDO = """
from networks.services import history
from networks.state_json import load_edits
def undone(pk):
    user = User.objects.get(username="admin")
    edits = load_edits(history.stage_revert(user, Change.objects.get(pk=pk), replace=True).edits)
    return ended(apply(review(edits)))
"""
AGREES = """
from networks.domain.looks import with_look
from networks.domain.plan import plan
from networks.inventory_rows import inventory, servers_named
state = head().state
known = inventory(servers_named(state))
for pk in servers_named(state):
    known = with_look(known, known.server(pk), look(pk))
say([known.server(pk).name for pk in sorted(servers_named(state))
     if not plan(known.server(pk), state, state, known).is_empty])
"""
LEAVE = """
a = network("A")
change = review([RemoveMember(key("server1", "102")), RemoveMember(key("server1", "103")),
                 RemoveMember(key("server2", "201")),
                 Unassign(a, server("server1")), Unassign(a, server("server2"))])
"""


def pids(panel: RunningPanel, words: str = "") -> list[int]:
    return [pid for pid, args in panel.children().items() if words in args]


@contextmanager
def stopped(*processes: int) -> Iterator[None]:
    """The processes as if switched off: they neither work nor see what happens meanwhile."""
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(processes):
            os.kill(pid, signal.SIGCONT)


def test_a_server_that_misses_the_decision_is_behind_and_brought_forward_when_its_cable_is_back(
    fresh_lab: Lab, panel: RunningPanel, applied: list[str]
) -> None:
    workers = pids(panel, "celery -A vnetpanel worker")
    told = drive(
        panel,
        LEAVE
        + f"""
import os, signal
change = apply(change)
deadline = time.monotonic() + 120
while not change.decisions.exists() and time.monotonic() < deadline:
    time.sleep(0.01)
for pid in {workers}:
    os.kill(pid, signal.SIGSTOP)
say(str(change.pk))
""",
    )
    fresh_lab.cable("server2", plugged=False)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    try:
        missed = drive(panel, f"say(ended(Change.objects.get(pk='{told}')))")
    finally:
        fresh_lab.cable("server2", plugged=True)
    states = {name: part["state"] for name, part in missed["operations"].items()}
    assert missed["state"] == "behind" and states["server1"] == "done", missed
    assert states["server2"] in ("in_doubt", "behind"), missed
    found = drive(
        panel,
        f"""
from networks.models import Behind
from nodes.models import PhysicalServer
from nodes.services import request_look
change = Change.objects.get(pk='{told}')
seen = []
deadline = time.monotonic() + 240
while change.state != "done" and time.monotonic() < deadline:
    seen += [f"{{row.server.name}} follows {{row.followed}}: {{row.reason}}" for row in Behind.objects.all()]
    server2 = PhysicalServer.objects.get(name="server2")
    if server2.state != "ok":
        request_look(User.objects.get(username="admin"), server2)
    time.sleep(1)
    change.refresh_from_db()
automatic = Change.objects.filter(is_automatic=True).first()
if automatic:
    ended(automatic)
    automatic.refresh_from_db()
say({{"state": change.state, "behind": seen, "left": Behind.objects.count(),
      "brought": automatic and automatic.state, "plan": automatic and automatic.operations.get().commands}})
""",
    )
    assert found["state"] == "done" and found["left"] == 0, found
    assert any("server2 follows" in line and "decision" in line for line in found["behind"]), found
    assert found["brought"] == "done" and found["plan"], found
    assert "vn-a" not in fresh_lab.check("server2", "ip -o link show master vn-a 2>/dev/null || echo gone")
    assert drive(panel, AGREES) == []
    assert drive(panel, UNDO + f"say(undone('{told}'))")["state"] == "done"
    assert within(20, lambda: reaches(fresh_lab, "server1", "10.77.0.201", "102"))


@pytest.fixture
def scheme(panel: RunningPanel, applied: list[str]) -> Iterator[str]:
    """The manual's networks B, C, D and E beside A; gone again after the test."""
    made = drive(
        panel,
        """
b, c, d, e = (network(name) for name in "BCDE")
change = review([
    *(CreateNetwork(pk, name) for pk, name in zip((b, c, d, e), "BCDE")),
    CreateVlan(server("server2"), "eth0.100", "eth0", 100),
    CreateVlan(server("server3"), "eth0.100", "eth0", 100),
    Assign(d, server("server2"), "eth0.100"), Assign(d, server("server3"), "eth0.100"),
    AddMember(b, key("server2", "201", "eth1")), AddMember(b, key("server2", "202")),
    AddMember(c, key("server2", "203")), AddMember(c, key("server2", "204")),
    AddMember(d, key("server2", "205")), AddMember(d, key("server3", "301")),
    AddMember(e, key("server3", "302")), AddMember(e, key("server3", "303")),
])
say(ended(apply(change)))
""",
    )
    assert made["state"] == "done", made
    yield made["id"]
    told = drive(panel, UNDO + f"say(undone('{made['id']}'))")
    assert told["state"] == "done", told


SEES = {
    ("server1", "102", "10.77.0.103"): True,
    ("server1", "102", "10.77.0.201"): True,
    ("server1", "103", "10.77.0.1"): True,
    ("server2", "203", "10.77.0.204"): True,
    ("server2", "203", "10.77.0.1"): False,
    ("server2", "205", "10.77.0.31"): True,
    ("server2", "205", "10.77.0.1"): False,
    ("server2", "202", "10.77.0.1"): True,
    ("server3", "303", "10.77.5.32"): True,
}


def test_the_scheme_is_there_again_after_all_servers_rebooted_with_the_panel_off(
    fresh_lab: Lab, panel: RunningPanel, scheme: str
) -> None:
    with stopped(*pids(panel)):
        for name in ("server1", "server2", "server3"):
            fresh_lab.reboot(name)
        for (server, ctid, address), expected in SEES.items():
            # Those that reach nobody come after those by which their container is known to be up.
            seen = within(30 if expected else 0, partial(reaches, fresh_lab, server, address, ctid))
            assert seen is expected, f"{ctid} {'does not reach' if expected else 'reaches'} {address}"
    assert drive(panel, AGREES) == []


REHEARSED = """
from networks.services.drift import is_rehearsed, reboot_risks
look(server("server1"))
row = PhysicalServer.objects.get(name="server1")
say([is_rehearsed(row), [[one.text, one.hint] for one in reboot_risks(row)]])
"""
REPAIR = """
change = changes.start_repair(User.objects.get(username="admin"), [server("server1")])
say(ended(apply(until(lambda c: c.state != ChangeState.PLANNING, change, 120))))
"""


def test_a_boot_brings_what_the_rehearsal_said(
    fresh_lab: Lab, panel: RunningPanel, applied: list[str], page: Any
) -> None:
    """Rule 14: nothing at risk, and it is there again; the replay gone, that is said, and so it is not."""
    assert drive(panel, REHEARSED) == [True, []]
    fresh_lab.reboot("server1")
    assert "vn-a" in fresh_lab.check("server1", "ip -o link show master vn-a")

    fresh_lab.check("server1", "rm -f /etc/init.d/vnetpanel-net /etc/rc.d/rc*.d/*vnetpanel-net")
    rehearsed, risks = drive(panel, REHEARSED)
    assert rehearsed and len(risks) == 1
    text, remedy = risks[0]
    assert "server1 would lose Virtual Network A at its next boot" in text and "prepares it again" in remedy
    here = drive(panel, "say(server('server1'))")
    page.goto(f"/servers/{here}/")
    shown = page.inner_text("section[aria-labelledby=reboot-title]")
    assert text in shown and remedy in shown
    fresh_lab.reboot("server1")
    assert fresh_lab.check("server1", "ip -o link show vn-a 2>/dev/null || echo none").strip() == "none"

    assert drive(panel, REPAIR)["state"] == "done"
    assert drive(panel, REHEARSED) == [True, []]
    assert "vn-a" in fresh_lab.check("server1", "ip -o link show master vn-a")
    assert drive(panel, AGREES) == []


def test_of_twelve_changes_the_seventh_is_reverted_and_all_agree(
    fresh_lab: Lab, panel: RunningPanel, applied: list[str], page: Any
) -> None:
    made = drive(
        panel,
        """
h, i = network("H"), network("I")
two, three = key("server2", "203"), key("server2", "204")
steps = [
    [CreateNetwork(h, "H")], [CreateNetwork(i, "I")], [AddMember(h, two)],
    [DescribeNetwork(i, "I", "fourth")],
    [Assign(h, server("server2"), None)], [DescribeNetwork(h, "H", "sixth")],
    [AddMember(i, three), DescribeNetwork(i, "I", "seventh")],
    [DescribeNetwork(h, "H", "eighth")], [DescribeNetwork(h, "Hello")], [CreateNetwork(network("J"), "J")],
    [DescribeNetwork(h, "Hello", "eleventh")], [DescribeNetwork(h, "Hello", "twelfth")],
]
done = [ended(apply(review(edits))) for edits in steps]
say([[one["id"], one["state"], one["result"]] for one in done])
""",
    )
    assert [state for _, state, _ in made] == ["done"] * 12, made
    seventh = made[6][0]
    assert "veth204.0" in fresh_lab.check("server2", "ip -o link show master vn-i")
    page.goto(f"/changes/{seventh}/")
    follow(page, "main a:has-text('Revert')")
    assert "Remove eth0 of Container 204" in page.inner_text("main")
    page.click("main button:has-text('Put it into the draft')")
    page.click("main button:has-text('Review')")
    page.wait_for_selector("#apply-form", timeout=60_000)
    for tick in page.query_selector_all("[name=tick]"):
        tick.check()
    page.click("#apply-form button")
    page.wait_for_selector("#change .change-state:has-text('Done')", timeout=120_000)
    assert drive(panel, AGREES) == []
    assert "veth204.0" not in fresh_lab.check("server2", "ip -o link show type veth master vn-i; :")
    page.goto("/networks/")
    follow(page, "main a:text-is('I')")
    assert "fourth" in page.inner_text("main")
    assert "No containers yet" in page.inner_text("section[aria-labelledby=members-title]")
    page.goto("/networks/")
    follow(page, "main a:text-is('Hello')")
    assert "twelfth" in page.inner_text("main") and "203" in page.inner_text("main")
    told = drive(
        panel,
        """
h, i, j = network("Hello"), network("I"), network("J")
say(ended(apply(review([RemoveMember(key("server2", "203")), Unassign(h, server("server2")),
                        *(DeleteNetwork(pk) for pk in (h, i, j))]))))
""",
    )
    assert told["state"] == "done", told
