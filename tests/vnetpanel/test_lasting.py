"""The garbage collector leaves alone what web server and worker have loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAID = "import gc; print(gc.get_freeze_count(), len(gc.get_objects()))"
WEB = "import vnetpanel.wsgi"
WORKER = """
import django; django.setup()
from vnetpanel.celery import app
from celery.signals import worker_ready
app.loader.import_default_modules()
worker_ready.send(sender=None)
"""


@pytest.mark.parametrize("program", [WEB, WORKER])
def test_a_full_collection_looks_at_little_of_what_was_loaded(program: str, tmp_path: Path) -> None:
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "vnetpanel.settings", "VNETPANEL_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{SAID}"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    kept, left = map(int, done.stdout.split())
    assert kept > 50_000 and left < kept / 10
