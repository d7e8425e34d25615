"""All five networks of the manual's scheme, made by clicking through its screens, and what comes of them.

Network A is there already (the fixture `applied`). At the end everything but A is taken away again by one
Change, so that other journeys find the lab as they left it.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from lab import status
from lab.lab import Lab
from tests.journeys.conftest import (
    add_container,
    apply_draft,
    choose,
    drive,
    follow,
    logged_in,
)
from tests.lab.pings import reaches, within
from tests.vnetpanel.conftest import RunningPanel

OTHER_HOST = "10.77.0.1"
TAKE_AWAY = """
names = ["B", "C", "D", "E"]
state = head().state
ids = {n.id for n in state.networks if n.name in names}
third = server("server3")
edits = [RemoveMember(m.interface) for m in state.members if m.network in ids]
edits += [Unassign(a.network, a.server) for a in state.assignments if a.network in ids or a.server == third]
edits += [DeleteNetwork(i) for i in ids] + [DeleteVlan(v.server, v.name) for v in state.vlans]
say(ended(apply(review(edits))))
"""


@pytest.fixture(scope="module")
def built(panel: RunningPanel, browser: Any, applied: list[str]) -> Iterator[str]:
    """B, C, D and E clicked together into one draft and applied; the words of the review."""
    with logged_in(browser, panel) as page:
        for server in ("server2", "server3"):
            new_vlan(page, server)
        new_on_server(page, "B", "server2", "201 ct201 eth1", "202 ct202 eth0")
        new_in_group(page, "C")
        add_container(page, "203", "eth0")
        add_container(page, "204", "eth0")
        new_in_group(page, "D")
        add_container(page, "205", "eth0")
        add_container(page, "301", "eth0")
        choose(page, "D", "server2", "eth0.100")
        choose(page, "D", "server3", "eth0.100")
        new_on_server(page, "E", "server3", "302 ct302 eth0", "303 ct303 eth0")
        apply_draft(page)
        yield page.text_content("#change")
    told = drive(panel, TAKE_AWAY)
    assert told["state"] == "done", told


def to_server(page: Any, name: str, tab: str) -> None:
    """From the first page down to a tab of a server."""
    page.click("nav a:has-text('Overview')")
    page.click("main a:text-is('Lab')")
    page.click("main a:has-text('Physical Servers')")
    page.click(f"main a:text-is('{name}')")
    follow(page, f"main a:text-is('{tab}')")


def to_group_list(page: Any) -> None:
    """To the virtual networks of the server group."""
    page.click("nav a:has-text('Overview')")
    page.click("main a:text-is('Lab')")
    follow(page, "main a:text-is('Virtual Networks')")


def new_vlan(page: Any, server: str) -> None:
    """Network Adapters > New VLAN Adapter: eth0 with id 100, named before it is added."""
    to_server(page, server, "Network Adapters")
    page.click("main a:has-text('New VLAN Adapter')")
    page.select_option("[name=base]", "eth0")
    page.fill("[name=vid]", "100")
    page.wait_for_selector("#vlan-preview b:text-is('eth0.100')")
    page.click("main button:has-text('Add to draft')")
    page.wait_for_selector("#adapters tr:has-text('eth0.100'):has-text('new in your draft')")


def new_on_server(page: Any, name: str, server: str, *interfaces: str) -> None:
    """Creating Virtual Network on Physical Server, local there."""
    to_server(page, server, "Virtual Networks")
    page.click("main a:has-text('New Virtual Network')")
    page.fill("[name=name]", name)
    page.check("[name=adapter][value=local]")
    for interface in interfaces:
        page.check(f"label:has-text('{interface}') >> input")
    page.click("main button:has-text('Add to draft')")
    page.wait_for_selector(f"h1:has-text('Configure {name}')")


def new_in_group(page: Any, name: str) -> None:
    """Creating New Virtual Network for the whole server group."""
    to_group_list(page)
    page.click("main a:has-text('New Virtual Network')")
    page.fill("[name=name]", name)
    page.click("main button:has-text('Add to draft')")
    page.wait_for_selector(f"h1:has-text('Configure {name}')")


def test_the_review_asked_for_what_was_clicked(built: str) -> None:
    for sentence in (
        "Create VLAN adapter eth0.100 with VLAN id 100 on eth0 of physical server server2.",
        "Assign Virtual Network D to eth0.100 of physical server server3.",
        "Make Virtual Network B local on physical server server2.",
    ):
        assert sentence in built


@pytest.mark.parametrize(
    ("server", "container", "sees", "not_sees"),
    [
        ("server2", "202", ["10.77.0.201", OTHER_HOST, "10.77.0.102"], []),
        ("server2", "203", ["10.77.0.204"], [OTHER_HOST, "10.77.0.201", "10.77.0.12"]),
        ("server2", "205", ["10.77.0.31"], [OTHER_HOST, "10.77.0.203", "10.77.0.12"]),
        ("server3", "301", ["10.77.0.205"], [OTHER_HOST, "10.77.0.13"]),
        ("server3", "303", ["10.77.5.32"], ["10.77.0.13", OTHER_HOST]),
        ("server3", "302", ["10.77.5.33", OTHER_HOST], []),
    ],
)
def test_containers_see_whom_the_manual_says(
    fresh_lab: Lab, built: str, server: str, container: str, sees: list[str], not_sees: list[str]
) -> None:
    for address in sees:
        assert within(10, lambda: reaches(fresh_lab, server, address, container)), address  # noqa: B023
    for address in not_sees:
        assert not reaches(fresh_lab, server, address, container), address


def test_the_documented_screens_say_what_is_there(page: Any, built: str) -> None:
    to_group_list(page)
    words = " ".join(page.inner_text("main").split())
    for said in ("server2: eth0.100 server3: eth0.100", "server2: local", "server3: local", "in place"):
        assert said in words
    follow(page, "main a:text-is('D')")
    words = " ".join(page.inner_text("main").split())
    for said in ("server2 eth0.100 VLAN 100 up physical network 1", "205 ct205 Running", "301 ct301", "vn-d"):
        assert said in words
    follow(page, "main a:has-text('Configure')")
    assert page.input_value("[aria-label='D on server3']") == "adapter:eth0.100"
    to_server(page, "server2", "Virtual Networks")
    rows = {row.split()[0]: " ".join(row.split()) for row in page.locator("main tbody tr").all_inner_texts()}
    assert " eth0 1 " in rows["A"] and " local 2 " in rows["B"] and " local 2 " in rows["C"]
    assert " eth0.100 1 " in rows["D"] and "not defined here" in rows["E"]
    follow(page, "[aria-label='Configure D on server2']")
    assert page.is_checked("[name=adapter][value='adapter:eth0.100']")
    assert page.is_disabled("[name=adapter][value='adapter:eth0']")


def test_the_lab_agrees_with_the_pages(fresh_lab: Lab, page: Any, built: str) -> None:
    for one in status.look(fresh_lab).servers:
        to_server(page, one.name, "Network Adapters")
        shown = {row.split()[0]: row for row in page.locator("#adapters tbody tr").all_inner_texts()}
        links = json.loads(fresh_lab.check(one.name, "ip -d -j link show"))
        kinds = {link["ifname"]: link.get("linkinfo", {}).get("info_kind", "nic") for link in links}
        real = {
            link["ifname"]: link
            for link in links
            if link["ifname"].startswith("eth") and kinds[link["ifname"]] in ("nic", "vlan")
        }
        assert shown.keys() == real.keys()
        for name, link in real.items():
            assert link["address"] in shown[name] and str(link["mtu"]) in shown[name]
            if bridge := link.get("master"):
                assert f"bridge {bridge}" in shown[name]
        for container in one.containers:
            for interface in container.interfaces:
                if interface.mode == "bridged":
                    assert_shown(page, container.ctid, interface.mac)


def assert_shown(page: Any, ctid: str, mac: str) -> None:
    """The container's network has its interface with that MAC among its members."""
    page.goto(f"/search/?q={mac}")
    follow(page, ".hit-list a:has-text('interface')")
    assert mac in page.inner_text("main") and ctid in page.inner_text("h1")


def test_a_vlan_in_use_is_not_deleted_by_clicking(page: Any, built: str) -> None:
    to_server(page, "server3", "Network Adapters")
    page.click("[aria-label='Delete eth0.100']")
    page.wait_for_selector("text=Virtual Network D is assigned to it")
    page.click(".problem-links a:text-is('D')")
    page.wait_for_selector("h1:has-text('D')")


def test_the_bridge_that_server_3_shipped_with_is_adopted_without_a_lost_packet(
    fresh_lab: Lab, page: Any, built: str
) -> None:
    page.goto("/")
    page.click("main a:text-is('Lab')")
    page.click("main a:text-is('Assignments')")
    page.select_option("[aria-label='A on server3']", label="eth0")
    page.click("main button:has-text('Add to draft')")
    page.wait_for_selector("[aria-label='A on server3'].is-changed")
    pings = subprocess.Popen(["ping", "-n", "-i", "0.1", "10.77.0.13"], stdout=subprocess.PIPE, text=True)
    try:
        apply_draft(page)
    finally:
        pings.send_signal(signal.SIGINT)
        told = pings.communicate(timeout=10)[0]
    sent = int(told.split(" packets transmitted")[0].split()[-1])
    answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", told)}
    # The last one may still have been on its way when ping was ended.
    assert sent > 20 and answered >= set(range(1, sent)), told
    assert "br0" in fresh_lab.check("server3", "ip -o link show master br0; cat /etc/vnetpanel/committed")
    to_server(page, "server3", "Network Adapters")
    row = page.locator("#adapters tbody tr").first.inner_text()
    assert "A" in row.split() and "on bridge br0" in row
