"""A panel with its worker, scheduler and broker beside the lab, and a browser that uses it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import netns
from lab.lab import Lab
from lab.pytest_plugin import WAS_USED
from tests.conftest import chromium
from tests.vnetpanel.conftest import ROOT, RunningPanel

MARKS = (pytest.mark.lab, pytest.mark.browser)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every journey needs the lab and a browser, and time: real kernels boot in it."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for mark in MARKS:
                item.add_marker(mark)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def fresh_lab(request: pytest.FixtureRequest, lab: Lab, lab_held: tuple[Lab, bool]) -> Iterator[Lab]:
    """The lab as it is first made, and put back to that: a journey changes servers for good."""
    _, was_there = lab_held
    if was_there or request.session.stash.get(WAS_USED, False):
        lab.renew()
    yield lab
    if was_there:
        lab.renew()


@pytest.fixture(scope="session")
def panel(fresh_lab: Lab) -> Iterator[RunningPanel]:
    """A panel of its own, run from the lab's panel namespace, that knows the lab's three servers."""
    var_dir = Path(tempfile.mkdtemp(prefix="vnp-"))
    panel = RunningPanel(
        var_dir,
        VNETPANEL_LAB_STATE=str(fresh_lab.place.state),
        VNETPANEL_WORKER_THREADS="8",
        # One journey measures on demand; the others need not wait for it.
        VNETPANEL_MEASURE_AFTER_CHANGES="off",
    )
    try:
        panel.said("The panel is ready")
        run_in_panel(panel, "from nodes.lab_registration import register; register()")
        yield panel
    finally:
        panel.stop()
        shutil.rmtree(var_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def browser(playwright: Any, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium in the lab's panel namespace, wherever in this process the other tests' browser is."""
    program = tmp_path_factory.mktemp("browser") / "chromium"
    there = netns.NAMED / lab.place.namespace("panel")
    program.write_text(f'#!/bin/sh\nexec nsenter --net={there} /usr/bin/chromium "$@"\n')
    program.chmod(0o755)
    started = chromium(playwright, str(program))
    yield started
    started.close()


def drive(panel: RunningPanel, code: str) -> Any:
    """What code with tests/journeys/driver.py at hand says, run beside the panel."""
    start = "from tests.journeys.driver import *; from networks.domain.state import *\n"
    for line in run_in_panel(panel, start + code).splitlines():
        if line.startswith("ANSWER "):
            return json.loads(line.removeprefix("ANSWER "))
    raise AssertionError("the driver said nothing")


def run_in_panel(panel: RunningPanel, code: str) -> str:
    """What Python code prints with the panel's settings and database."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", code],
        cwd=ROOT,
        env=panel.environment | {"VNETPANEL_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def applied(panel: RunningPanel, browser: Any) -> list[str]:
    """Network A clicked together, reviewed and applied, as an administrator does it; the servers' states."""
    context = browser.new_context(base_url=panel.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    click_network_a(context.new_page(), panel)
    context.close()
    code = "from nodes.models import PhysicalServer as S; print(*S.objects.values_list('state', flat=True))"
    return run_in_panel(panel, code).split()


def follow(page: Any, link: str) -> None:
    """Click a link and wait until the page that it leads to is there whole."""
    with page.expect_navigation():
        page.click(link)


def click_network_a(page: Any, panel: RunningPanel) -> None:
    """From the login to "Done"."""
    log_in(page, panel)
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

    add_container(page, "201", "eth0")
    choose(page, "A", "server2", "eth0")

    page.click("a:has-text('Review')")
    page.click("main button:has-text('Review')")
    page.wait_for_selector("#apply-form", timeout=60_000)
    assert "ip link set dev eth0 master vn-a" in page.inner_text("#change")
    assert "Assign Virtual Network A to eth0 of physical server server1" in page.inner_text("#change")
    accept_and_apply(page)


def add_container(page: Any, ctid: str, *ifnames: str) -> None:
    """On a network's configure page: search a container and put interfaces of it into the network."""
    page.click("#members a:has-text('Add containers')")
    page.fill("#add [name=container]", ctid)
    page.click("#add button:has-text('Search')")
    for ifname in ifnames:
        page.check(f"#add [aria-label^='Add {ctid} {ifname} ']")
    page.click("#add button:has-text('Add ticked ones')")
    page.wait_for_selector(f"#members th:has-text('{ctid}')")


def choose(page: Any, network: str, server: str, adapter: str) -> None:
    """On a network's configure page: where it is assigned on one of its servers."""
    page.select_option(f"[aria-label='{network} on {server}']", label=adapter)
    page.click("#assignments button:has-text('Add to draft')")
    page.wait_for_selector(f"[aria-label='{network} on {server}'].is-changed")


@contextmanager
def logged_in(browser: Any, panel: RunningPanel) -> Iterator[Any]:
    """A page of a logged-in browser; anything its console complains of fails the test."""
    complaints: list[str] = []
    context = browser.new_context(base_url=panel.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    log_in(page, panel)
    yield page
    context.close()
    # A page that was refused (422) is told by its own words; the console repeats the number.
    assert [line for line in complaints if "422" not in line and "409" not in line] == []


def log_in(page: Any, panel: RunningPanel) -> None:
    """As the first administrator."""
    page.goto("/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", panel.password)
    page.click("button[type=submit]")
    page.wait_for_selector("h1:has-text('Overview')")


def apply_draft(page: Any) -> None:
    """Review the draft, accept every warning, apply it, and wait for the end."""
    page.click("a:has-text('Review')")
    page.click("main button:has-text('Review')")
    page.wait_for_selector("#apply-form", timeout=60_000)
    accept_and_apply(page)


def accept_and_apply(page: Any) -> None:
    """On a review: tick every warning, apply, wait for the end."""
    for tick in page.query_selector_all("[name=tick]"):
        tick.check()
    page.click("#apply-form button")
    page.wait_for_selector("#change:not([hx-trigger])", timeout=180_000)
    assert "Done" in page.inner_text("#change .change-state"), page.inner_text("#change")


@pytest.fixture
def page(browser: Any, panel: RunningPanel) -> Iterator[Any]:
    """A page of a logged-in browser; anything its console complains of fails the test."""
    with logged_in(browser, panel) as page:
        yield page
