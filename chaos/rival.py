"""A second panel on the same servers: an engine of its own on a copy of the first one's database.

It runs as a process that makes one Change for each line it is given and answers with a line. Two panels do
not agree on what is decided; what they must never do is to leave a server with a mixture of both.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from chaos.panel import ROOT, Panel

SETTLE_S = 60.0


class Rival:
    """The second panel, as the first sees it."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.var = panel.var.with_name(panel.var.name + "-2")
        self.var.mkdir(mode=0o700)
        for name in ("keys", "secret-key"):
            shutil.copy2(panel.var / name, self.var / name)
        # What is imported here is imported there, whatever interpreter a launcher has named.
        paths = [ROOT, *(path for path in sys.path if path)]
        environment = {
            **os.environ,
            "VNETPANEL_VAR": str(self.var),
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "chaos.rival"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    def copy(self) -> None:
        """Take over what the first panel has decided by now."""
        target = self.var / "panel.sqlite3"
        source = sqlite3.connect(self.panel.var / "panel.sqlite3", timeout=20)
        copy = sqlite3.connect(target, timeout=20)
        with copy:
            source.backup(copy)
        source.close()
        copy.close()

    def change(self, edits: str) -> str:
        """Make one Change of these edits; how it ended."""
        return self._tell(edits)

    def settled(self) -> str:
        """How the last Change has ended, now that its server can be asked again."""
        return self._tell(None)

    def _tell(self, edits: str | None) -> str:
        if self.process.stdin is None:
            raise RuntimeError("the second panel was not started")
        self.process.stdin.write(json.dumps(edits) + "\n")
        self.process.stdin.flush()
        return self._hear()

    def _hear(self) -> str:
        answer = self.process.stdout.readline() if self.process.stdout is not None else ""
        if not answer:
            raise RuntimeError("the second panel has ended")
        said: dict[str, Any] = json.loads(answer)
        return str(said["state"])

    def stop(self) -> None:
        """End it; its folder goes."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.var, ignore_errors=True)


def serve() -> None:
    """The second panel's side: a Change for each line on standard input."""
    import django

    django.setup()
    from django.db import connections

    print(json.dumps({"state": "ready"}), flush=True)
    for line in sys.stdin:
        try:
            edits = json.loads(line)
            state = _settled() if edits is None else _change(edits)
        except Exception as error:  # whatever it is, the first panel's run goes on and reports it
            state = f"error: {error}"
        connections.close_all()
        print(json.dumps({"state": state}), flush=True)


def _change(edits: str) -> str:
    from django.contrib.auth.models import User

    from networks.engine import planning, runner
    from networks.models import Behind, Change, Operation
    from networks.services import changes, drafts
    from networks.state_json import load_edits

    changes.send = lambda task, pk: None
    user = User.objects.get(username="admin")
    # The first panel's open ones are not this one's to go on with.
    Operation.objects.exclude(state="done").delete()
    Change.objects.filter(ended_at=None).delete()
    Behind.objects.all().delete()
    Operation.objects.filter(must_follow=True).update(must_follow=False)
    drafts.discard(user)
    drafts.stage(user, load_edits(edits))
    change = changes.start_review(user, "the second panel")
    planning.plan(change.pk)
    change.refresh_from_db()
    try:
        changes.apply_change(user, change, {row["key"] for row in change.problems})
    except Exception as error:
        return f"not applied: {error}"
    runner.run_change(change.pk)
    return _settled()


def _settled() -> str:
    from django.utils import timezone

    from chaos.oracle import open_ends
    from networks.engine import sweeper
    from networks.models import Change, Operation

    deadline = time.monotonic() + SETTLE_S
    while open_ends() and time.monotonic() < deadline:
        # Nothing sweeps here but this.
        Operation.objects.filter(next_follow_at__gt=timezone.now()).update(next_follow_at=timezone.now())
        sweeper.settle_doubtful()
        sweeper.replay_follows()
        time.sleep(0.5)
    return str(Change.objects.latest("created_at").state)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    serve()
