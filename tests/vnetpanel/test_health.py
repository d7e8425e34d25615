"""The health of the panel, asked of real processes."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest
from django.test import Client

from vnetpanel import health

from .conftest import RunningPanel, until


@pytest.mark.xdist_group("panel")
def test_all_parts_of_a_running_panel_answer(panel: RunningPanel) -> None:
    assert panel.url
    done = panel.manage("health", "--json")
    assert done.returncode == 0, done.stdout
    answer = json.loads(done.stdout)
    assert list(answer) == ["database", "broker", "worker", "scheduler"]
    assert all(part["ok"] for part in answer.values())


@pytest.mark.xdist_group("panel")
def test_a_monitor_learns_that_it_works_and_no_more(panel: RunningPanel) -> None:
    answer = urllib.request.urlopen(f"{panel.url}/healthz")
    assert (answer.status, answer.read()) == (200, b"ok\n")


@pytest.mark.xdist_group("panel")
@pytest.mark.timeout(240)
def test_a_worker_that_hangs_is_found(panel: RunningPanel) -> None:
    assert panel.url
    worker = next(pid for pid, args in panel.children().items() if "celery -A vnetpanel worker" in args)
    os.kill(worker, signal.SIGSTOP)
    try:
        done = panel.manage("health", "--json")
        assert done.returncode == 1
        assert "no worker answered within 3 s" in json.loads(done.stdout)["worker"]["detail"]
        assert until(lambda: status(f"{panel.url}/healthz") == 503, 15)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert until(lambda: status(f"{panel.url}/healthz") == 200, 30)


def status(url: str) -> int:
    try:
        return int(urllib.request.urlopen(url).status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.django_db
def test_without_a_broker_it_says_so_at_once_and_the_pages_still_come(client: Client, alice: Any) -> None:
    found = {finding.part: finding for finding in health.findings()}
    assert found["database"].ok
    assert not found["broker"].ok
    assert found["worker"].detail == "cannot be heard while the broker is away"
    client.force_login(alice)
    page = client.get("/health/")
    assert page.status_code == 200
    assert "Does not work" in page.content.decode()


@pytest.mark.django_db
def test_a_fragment_is_the_part_and_not_the_page(client: Client, alice: Any) -> None:
    client.force_login(alice)
    fragment = client.get("/health/", headers={"HX-Request": "true"}).content.decode()
    assert "<table" in fragment
    assert "<html" not in fragment


@pytest.mark.django_db
def test_a_monitor_is_told_that_it_does_not_work_and_not_why(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_verdict", (float("-inf"), False))
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (503, b"not ok\n")
    assert not answer.cookies
