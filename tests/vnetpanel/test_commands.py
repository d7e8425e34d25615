"""The Makefile's commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()  # type: ignore[index]


@pytest.mark.parametrize("command", [["make"], ["make", "help"]])
def test_help_lists_every_command_with_one_line(command: list[str]) -> None:
    # The tests themselves may have been started by make, whose children speak of it.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    shown = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(None, 1) for line in shown.splitlines()]
    assert sorted(name for name, _ in lines) == sorted(TARGETS)
    assert all(text for _, text in lines)


def test_every_shell_script_is_readable_by_the_shells_it_may_meet() -> None:
    for script in ROOT.glob("scripts/*.sh"):
        for shell in ("dash", "bash", "busybox sh"):
            subprocess.run([*shell.split(), "-n", str(script)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv (util-linux)")
def test_the_demo_without_root_ends_with_one_sentence() -> None:
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "scripts/prepare.sh", "demo"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "needs root" in done.stderr
