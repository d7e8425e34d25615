"""A panel beside the lab for a proof: its own database and worker, driven through the panel's services."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.lab import Lab

if TYPE_CHECKING:
    from networks.models import Change

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 120


class ProofFailed(Exception):
    """The panel did not do what it was asked; the text says what it said."""


def say(sentence: str) -> None:
    """Tell the person who waits."""
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def panel_on(lab: Lab, *, measures: bool = True) -> Iterator[None]:
    """The panel runs in the lab's panel namespace and knows its servers; Django is set up in this process."""
    lab.enter_panel()
    var = Path(tempfile.mkdtemp(prefix="vnp-"))
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "vnetpanel.settings",
        "VNETPANEL_VAR": str(var),
        "VNETPANEL_LAB_STATE": str(lab.place.state),
        "VNETPANEL_WEB_PROCESSES": "1",
        "VNETPANEL_WORKER_THREADS": "8",
        "VNETPANEL_LOG_LEVEL": "ERROR",
        "VNETPANEL_MEASURE_AFTER_CHANGES": "on" if measures else "off",
    }
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--listen", "127.0.0.1:0"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        _until_ready(process)
        import django

        django.setup()
        from nodes.lab_registration import register

        register()
        yield
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(var, ignore_errors=True)


def _until_ready(process: subprocess.Popen[str]) -> None:
    lines: list[str] = []

    def listen() -> None:
        for line in process.stdout or ():
            lines.append(line)

    threading.Thread(target=listen, daemon=True).start()
    if not until(lambda: any("panel is ready" in line for line in lines), READY_WITHIN_S):
        raise ProofFailed("the panel did not start:\n" + "".join(lines))


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return met


def apply(edits: Sequence[Any]) -> Change:
    """Stage, review and apply edits as a user does, every warning ticked. ProofFailed unless it is done."""
    from django.contrib.auth.models import User

    from networks.choices import ChangeState
    from networks.services import changes, drafts

    user = User.objects.get(username="admin")
    drafts.discard(user)
    drafts.stage(user, edits)
    change = changes.start_review(user, "a proof")

    def reached(*ends: str) -> bool:
        change.refresh_from_db()
        return change.state in ends or change.is_terminal

    until(lambda: reached(ChangeState.PLANNED), 120)
    if change.state != ChangeState.PLANNED:
        raise ProofFailed(f"the review ended as {change.state}: {change.result}")
    changes.apply_change(user, change, {row["key"] for row in change.problems})
    until(lambda: reached(), 240)
    if change.state != ChangeState.DONE:
        raise ProofFailed(f"the change ended as {change.state}: {change.result}")
    return change
