"""`manage.py up`: the whole panel with one command, and all of it gone afterwards."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vnetpanel.launch import Launcher, LaunchError

from .conftest import RunningPanel, until

pytestmark = [pytest.mark.xdist_group("panel"), pytest.mark.timeout(240)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_ends_everything_it_started(
    start_panel: Callable[..., RunningPanel], number: signal.Signals
) -> None:
    panel = start_panel()
    assert panel.url
    started = panel.children()
    assert len(started) >= 4
    assert panel.stop(number) == 0
    assert until(lambda: not any(map(is_alive, started)), 10), panel.lines
    assert not (panel.var_dir / "broker.sock").exists()


def test_it_leaves_nothing_behind_when_it_is_killed(start_panel: Callable[..., RunningPanel]) -> None:
    panel = start_panel()
    assert panel.url
    started = panel.children()
    panel.process.kill()
    panel.process.wait()
    assert until(lambda: not any(map(is_alive, started)), 45), panel.logs()


def test_a_second_one_beside_it_says_so_and_ends(panel: RunningPanel) -> None:
    url = panel.url
    done = panel.manage("up", "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert f"already running here: {url}/" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "ok" in panel.manage("health").stdout


def test_it_says_when_its_address_is_taken(panel: RunningPanel, start_panel: object) -> None:
    done = panel.manage("up", "--listen", panel.url.removeprefix("http://"))
    assert done.returncode == 1


def test_it_prints_a_first_login_that_works_and_only_once(
    start_panel: Callable[..., RunningPanel], panel: RunningPanel
) -> None:
    assert panel.url
    assert len(panel.password) >= 12
    first = [line for line in panel.lines if panel.password in line]
    assert len(first) == 1
    for text in [*panel.logs()]:
        assert panel.password not in text
    assert lets_in(panel)


def test_the_start_after_one_that_failed_prints_it(
    start_panel: Callable[..., RunningPanel], tmp_path: Path
) -> None:
    (tmp_path / "redis-server").symlink_to("/bin/false")
    (tmp_path / "valkey-server").symlink_to("/bin/false")
    failed = start_panel(PATH=f"{tmp_path}:{os.environ['PATH']}")
    failed.said("ended at once with code 1")
    assert failed.process.wait(60) == 1
    panel = start_panel(VNETPANEL_VAR=str(failed.var_dir))
    assert lets_in(panel)
    assert panel.stop() == 0


def test_a_folder_that_cannot_hold_the_lab_stops_it_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VNETPANEL_LAB_STATE", "/home/somebody/my checkout/var/lab")
    launcher = Launcher("127.0.0.1:0", True, None, lambda line: None)
    with pytest.raises(LaunchError, match="cannot live under"):
        launcher.boot_lab()


def test_a_database_that_does_not_answer_stops_it_with_a_sentence(
    start_panel: Callable[..., RunningPanel],
) -> None:
    panel = start_panel(DATABASE_URL="postgres://panel:hush@127.0.0.1:1/panel")
    panel.said("The database cannot be used: .*127.0.0.1")
    assert panel.process.wait(60) == 1
    assert not any(word in line for line in panel.lines for word in ("Traceback", "hush"))


@pytest.mark.django_db(transaction=True)
def test_a_start_that_is_ended_while_it_prints_it_makes_nobody(django_user_model: Any) -> None:
    def say(line: str) -> None:
        if "First login" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Launcher("127.0.0.1:0", with_lab=False, log_dir=None, say=say).welcome("http://127.0.0.1/")
    assert not django_user_model.objects.exists()


def test_a_part_that_is_killed_is_started_again(panel: RunningPanel) -> None:
    assert panel.url
    for part in ("celery -A vnetpanel worker", "celery -A vnetpanel beat", "gunicorn", "broker.sock"):
        # A child that was forked a moment ago still has its parent's command line.
        assert until(lambda part=part: panel.running(part), 20), panel.logs()
        os.kill(panel.running(part)[0], signal.SIGKILL)
    panel.said("worker ended with code -9; starting it again")
    assert until(lambda: panel.manage("health").returncode == 0, 60), panel.manage("health").stdout
    assert urllib.request.urlopen(f"{panel.url}/login/").status == 200


def test_the_web_server_answers_with_hashed_compressed_files(panel: RunningPanel) -> None:
    page = urllib.request.urlopen(f"{panel.url}/login/").read().decode()
    address = page.split('href="')[2].split('"')[0]
    assert address.startswith("/static/vendor/tabler.min.") and address != "/static/vendor/tabler.min.css"
    request = urllib.request.Request(panel.url + address, headers={"Accept-Encoding": "gzip"})
    answer = urllib.request.urlopen(request)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]


def lets_in(panel: RunningPanel) -> bool:
    """Whether the first login that it printed works."""
    check = (
        "from django.contrib.auth import authenticate; "
        f"print(authenticate(username='admin', password='{panel.password}'))"
    )
    return panel.manage("shell", "-v0", "-c", check).stdout.strip() == "admin"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
