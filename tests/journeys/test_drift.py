"""A hand on a server is seen by the next look, taken back by Repair, accepted by Adopt."""

from __future__ import annotations

from typing import Any

import pytest

from lab.lab import Lab
from tests.journeys.conftest import drive
from tests.vnetpanel.conftest import RunningPanel

LOOK = """
import time
from networks.models import Drift, DriftCheck
def looked(name):
    look(server(name))
    return [[d.link, d.property_name, d.observed] for d in Drift.objects.open().order_by("link")]
def sure(name):
    # Once what went before has settled: no change is at work, no port has just been made.
    for _ in range(30):
        found = looked(name)
        check = DriftCheck.objects.get(server_id=server(name))
        if not check.unsure and not check.memory["suspects"]:
            break
        time.sleep(2)
    return [found, check.unsure]
"""


@pytest.fixture
def server1(panel: RunningPanel, applied: list[str]) -> str:
    """Server 1's drift page, after a look that found it as decided."""
    told = drive(panel, LOOK + "say([sure('server1'), server('server1')])")
    assert told[0] == [[], ""]
    return f"/servers/{told[1]}/drift/"


def apply_on(page: Any) -> None:
    page.wait_for_selector("#apply-form", timeout=60_000)
    for tick in page.query_selector_all("[name=tick]"):
        tick.check()
    page.click("#apply-form button")
    page.wait_for_selector("#change .change-state:has-text('Done')", timeout=120_000)


def master_of_102(lab: Lab) -> str:
    link = "/sys/class/net/veth102.0/master"
    return lab.check("server1", f"[ ! -e {link} ] || basename $(readlink -f {link})").strip()


def test_a_port_taken_out_by_hand_is_found_by_one_look_repaired_and_adopted(
    fresh_lab: Lab, panel: RunningPanel, server1: str, page: Any
) -> None:
    fresh_lab.check("server1", "ip link set veth102.0 nomaster")
    assert drive(panel, LOOK + "say(looked('server1'))") == [["veth102.0", "port", "in no bridge"]]
    page.goto(server1)
    page.check("tr:has-text('Container 102 eth0') >> input")
    page.click("main button:has-text('Repair')")
    apply_on(page)
    assert master_of_102(fresh_lab) == "vn-a"
    page.goto(server1)
    assert "server1 is as it was decided" in page.inner_text("main")

    fresh_lab.check("server1", "ip link set veth102.0 nomaster")
    drive(panel, LOOK + "say(looked('server1'))")
    page.goto(server1)
    page.check("tr:has-text('Container 102 eth0') >> input")
    page.click("main button:has-text('Adopt')")
    page.click("main button:has-text('Review')")
    apply_on(page)
    assert master_of_102(fresh_lab) == ""
    page.goto(server1)
    assert "server1 is as it was decided" in page.inner_text("main")
    told = drive(panel, "say(ended(apply(review([AddMember(network('A'), key('server1', '102'))]))))")
    assert told["state"] == "done", told


def test_a_hundred_looks_at_an_untouched_lab_find_none(panel: RunningPanel, server1: str) -> None:
    told = drive(
        panel,
        LOOK
        + """
from concurrent.futures import ThreadPoolExecutor
before = Drift.objects.count()
with ThreadPoolExecutor(3) as threads:
    list(threads.map(lambda n: look(server(f"server{n % 3 + 1}")), range(100)))
say(Drift.objects.count() - before)
""",
    )
    assert told == 0
