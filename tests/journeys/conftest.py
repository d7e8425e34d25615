"""A panel with its worker, scheduler and broker beside the lab, and a browser that uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.lab import Lab
from tests.vnetpanel.conftest import ROOT, RunningPanel

MARKS = (pytest.mark.lab, pytest.mark.browser)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every journey needs the lab and a browser, and time: real kernels boot in it."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for mark in MARKS:
                item.add_marker(mark)
            item.add_marker(pytest.mark.xdist_group("lab"))
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="module")
def fresh_lab(lab: Lab) -> Iterator[Lab]:
    """The lab as it is first made, and put back to that: a journey changes servers for good."""
    lab.renew()
    yield lab
    lab.renew()


@pytest.fixture(scope="module")
def panel(fresh_lab: Lab) -> Iterator[RunningPanel]:
    """A panel of its own, run from the lab's panel namespace, that knows the lab's three servers."""
    var_dir = Path(tempfile.mkdtemp(prefix="vnp-"))
    panel = RunningPanel(
        var_dir, VNETPANEL_LAB_STATE=str(fresh_lab.place.state), VNETPANEL_WORKER_THREADS="8"
    )
    try:
        panel.said("The panel is ready")
        run_in_panel(panel, "from nodes.lab_registration import register; register()")
        yield panel
    finally:
        panel.stop()
        shutil.rmtree(var_dir, ignore_errors=True)


def run_in_panel(panel: RunningPanel, code: str) -> str:
    """What Python code prints with the panel's settings and database."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-v", "0", "-c", code],
        cwd=ROOT,
        env=panel.environment | {"VNETPANEL_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    # Playwright's event loop makes Django believe that it is called from async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, panel: RunningPanel) -> Iterator[Any]:
    """A page of a logged-in browser; anything its console complains of fails the test."""
    complaints: list[str] = []
    context = browser.new_context(base_url=panel.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", panel.password)
    page.click("button[type=submit]")
    page.wait_for_selector("h1:has-text('Overview')")
    yield page
    context.close()
    assert complaints == []
