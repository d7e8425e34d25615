"""Every part of a panel at work is killed: no Change is lost or doubled, no lock stays, pages come."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.farm import Farm, farm
from bench.meter import Group, NoControlGroups
from lab.netns import inside
from tests.conftest import CI
from tests.postgresql import PostgreSQL, postgresql_missing
from tests.sshd import require_sshd

from .conftest import ROOT, RunningPanel, until

pytestmark = [pytest.mark.netns, pytest.mark.xdist_group("panel"), pytest.mark.timeout(600)]
SIZE = 3
PARTS = {
    "web": "gunicorn", "worker": "celery -A vnetpanel worker", "scheduler": "celery -A vnetpanel beat",
    "broker": "broker.sock",
}  # fmt: skip
WHOLE = {"done", "failed", "cancelled"}
"""Ends of a Change that leave its server as decided, before or after."""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Farm]:
    """Real servers that this thread, and what it starts, can reach."""
    require_sshd()
    name = f"vbk{os.getpid():x}"
    try:
        Group(f"{name}-try").remove()
    except NoControlGroups as error:
        (pytest.fail if CI else pytest.skip)(str(error))
    with farm(SIZE, tmp_path, name) as made, inside(made.hub):
        given = {
            "addresses": {f"server{number}": made.address(number) for number in range(SIZE)},
            "key": made.key.read_text(),
            "known_hosts": (tmp_path / "known_hosts").read_text(),
        }
        (tmp_path / "farm.json").write_text(json.dumps(given))
        yield made


def begun(panel: RunningPanel, folder: Path, step: str) -> subprocess.Popen[str]:
    """One step of tests/vnetpanel/under_load.py beside the panel."""
    words = [sys.executable, "-m", "tests.vnetpanel.under_load", str(folder), step]
    return subprocess.Popen(
        words, cwd=ROOT, env=panel.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen[str]) -> Any:
    out, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.splitlines()[-1])


def page(panel: RunningPanel, cookie: str, address: str) -> tuple[int, str]:
    """A page as a browser gets it; 0 while nobody listens or the connection breaks."""
    connection = http.client.HTTPConnection(panel.url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", address, headers={"Cookie": cookie})
        response = connection.getresponse()
        return response.status, response.read().decode()
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def comes(panel: RunningPanel, cookie: str, address: str) -> None:
    """The page is there, soon: what was killed may just be starting again."""
    seen: list[int] = []

    def answered() -> bool:
        seen.append(page(panel, cookie, address)[0])
        return seen[-1] == 200

    assert until(answered, 90), f"{address}: {seen} {panel.lines[-20:]} {panel.logs()}"


def check_whole(found: dict[str, Any], farm: Farm) -> None:
    """Each Change ended once and whole, and what is decided is what the servers have."""
    states = {row["name"]: row["state"] for row in found["changes"]}
    assert set(states.values()) <= WHOLE, found["changes"]
    done = {row["pk"] for row in found["changes"] if row["state"] == "done"}
    assert sorted(found["decided"]) == sorted(set(found["decided"])) and done <= set(found["decided"])
    assert found["revisions"] == list(range(1, len(found["decided"]) + 1))
    assert {name for name, state in states.items() if state == "done"} <= set(found["networks"])
    assert not {name for name, state in states.items() if state != "done"} & set(found["networks"])
    assert found["leased"] == 0 and found["open"] == 0
    for number in range(SIZE):
        if states.get(f"first {number}"):
            has = farm.links(number)["veth101.0"].startswith("vn-")
            assert has == (states[f"first {number}"] == "done"), farm.links(number)


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_nothing_is_lost_or_doubled_when_its_parts_are_killed(
    database: str, servers: Farm, start_panel: Callable[..., RunningPanel], tmp_path: Path
) -> None:
    if database == "SQLite":
        survive(start_panel(), servers, tmp_path, None)
        return
    if reason := postgresql_missing():
        (pytest.fail if CI else pytest.skip)(reason)
    server = PostgreSQL()
    try:
        survive(start_panel(DATABASE_URL=server.url), servers, tmp_path, server)
    finally:
        server.stop()


def survive(panel: RunningPanel, servers: Farm, folder: Path, database: PostgreSQL | None) -> None:
    """Changes under kills of every part in random order, then without; pages meanwhile and afterwards."""
    assert panel.url
    registered = answer(begun(panel, folder, "register"))
    assert registered["states"] == ["ok"] * SIZE
    cookie = registered["cookie"]
    work = begun(panel, folder, "first")
    for part in random.sample(sorted(PARTS), len(PARTS)):
        time.sleep(random.uniform(1.0, 4.0))  # noqa: S311
        kill(panel, part)
        if part == "broker":
            # The database is all that pages need.
            comes(panel, cookie, "/changes/")
    if database is not None:
        time.sleep(1)
        database.kill()
        time.sleep(1)
        database.start()
    found = answer(work)
    check_whole(found, servers)
    for address in ("/", "/changes/", "/networks/", "/problems/"):
        comes(panel, cookie, address)
    # No lock stays: the same servers take the next Change.
    next_ones = answer(begun(panel, folder, "second"))
    assert [row["state"] for row in next_ones["changes"]] == ["done"] * SIZE, next_ones
    if database is None:
        without_broker(panel, folder, cookie)


def kill(panel: RunningPanel, part: str) -> None:
    """SIGKILL, once the part is there: it may just be starting again."""
    assert until(lambda: panel.running(PARTS[part]), 20), panel.logs()
    os.kill(panel.running(PARTS[part])[0], signal.SIGKILL)


def without_broker(panel: RunningPanel, folder: Path, cookie: str) -> None:
    """A broker that takes connections and answers nothing: pages come, and say so."""
    assert until(lambda: panel.running(PARTS["broker"]), 20)
    broker = panel.running(PARTS["broker"])[0]
    os.kill(broker, signal.SIGSTOP)
    try:
        asked = answer(begun(panel, folder, "review"))
        for address in ("/", "/changes/", "/networks/", "/draft/", f"/changes/{asked['pk']}/"):
            comes(panel, cookie, address)
        said = "No worker has taken this up yet"
        assert until(lambda: said in page(panel, cookie, f"/changes/{asked['pk']}/")[1], 40)
        assert "cannot be heard while the broker is away" in page(panel, cookie, "/health/")[1]
        assert asked["seconds"] < 40
    finally:
        os.kill(broker, signal.SIGCONT)
    ready = "Ready for review"
    assert until(lambda: ready in page(panel, cookie, f"/changes/{asked['pk']}/")[1], 90), panel.logs()
