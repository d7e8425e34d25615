"""What all tests share: the fixed cast, and who may run where.

Marks `lab`, `netns` and `browser` name what a test needs. Where that is missing the test is skipped with the
reason; with CI=true it fails instead, so that a green run on a build machine means that everything ran.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from lab import netns
from lab.pytest_plugin import (  # noqa: F401  (the lab as fixtures, how its tests are grouped, where they run)
    HOME,
    WAS_USED,
    enter_lab,
    is_journey,
    lab,
    lab_held,
    pytest_collection_modifyitems,
    pytest_runtest_protocol,
)

# A busy machine is no failure; and what explains failures traces every line, which slows each run of a test.
settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[phase for phase in Phase if phase != Phase.explain],
)
settings.load_profile("suite")

if (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):
    # Begun in the background: what tests start would inherit that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

CI = os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, or fail where CI promises that it can."""
    if item.get_closest_marker("lab") and not is_journey(item):
        item.session.stash[WAS_USED] = True
    for mark, missing in (("lab", lab_missing), ("netns", netns_missing), ("browser", browser_missing)):
        if item.get_closest_marker(mark) and (reason := missing()):
            (pytest.fail if CI else pytest.skip)(f"{mark}: {reason}")
    enter_lab(item)


@cache
def lab_missing() -> str:
    """Why the lab cannot boot here, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("linux.uml"):
        return "needs User-Mode Linux (apt install user-mode-linux)"
    return netns_missing()


@cache
def netns_missing() -> str:
    """Why network namespaces cannot be made here, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("unshare"):
        return "needs unshare (util-linux)"
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        return "this machine does not let root make network namespaces"
    return ""


@cache
def browser_missing() -> str:
    """Why no browser test can run here, or nothing."""
    return "" if shutil.which("chromium") else "needs Chromium (apt install chromium)"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The test database without the audit trail's triggers: tests with real commits empty all tables.

    What the triggers do is tested in tests/trust/test_audit_trail.py, which puts them back.
    """
    from django.db import connection

    from trust import triggers

    with django_db_blocker.unblock():
        triggers.remove(connection)


@pytest.fixture(autouse=True)
def rested(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check for problems asks the rules as often as a test likes, whatever one before it took."""
    from networks import problem_check

    monkeypatch.setattr(problem_check, "REST", 0)
    monkeypatch.setattr(problem_check._Rest, "until", 0.0)


@pytest.fixture
def alice(django_user_model: Any) -> Any:
    """A user without any role."""
    return django_user_model.objects.create_user("alice", password="correct-horse-battery")


@pytest.fixture
def admin(django_user_model: Any) -> Any:
    """A superuser."""
    return django_user_model.objects.create_superuser("admin", password="correct-horse-battery")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    """What drives browsers, one for all tests of this process: Playwright cannot be started twice in it.

    It begins where the process began, whichever test asks first, and so do the browsers that it starts.
    """
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread, and Django takes that for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with netns.inside(HOME):
        started = sync_playwright().start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def browser(playwright: Any) -> Iterator[Any]:
    """Chromium, one for all tests of this process that are not of the lab."""
    started = chromium(playwright)
    yield started
    started.close()


def chromium(playwright: Any, program: str = "/usr/bin/chromium") -> Any:
    """Debian's Chromium, started as its tests need it."""
    return playwright.chromium.launch(
        executable_path=program,
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    )


@pytest.fixture
def var_dir() -> Any:
    """A short-named folder for a panel started by a test (a unix socket's path may have 107 bytes)."""
    path = Path(tempfile.mkdtemp(prefix="vnp-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)
