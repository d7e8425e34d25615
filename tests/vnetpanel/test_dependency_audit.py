"""`make audit` is advice: it says what it could not learn, never calls that good news, and fails nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNKNOWN = "No known vulnerabilities found\nName Skip Reason\n---- ----\n" + "\n".join(
    f"{name} Dependency not found on PyPI and could not be audited: {name} (1.0)"
    for name in ("amqp", "django")
)
FOUND = (
    "Found 1 known vulnerability in 1 package\nName   Version ID    Fix Versions\n---\ndjango 1       CVE-1 2"
)
UNREACHED = "Traceback\nrequests.exceptions.ProxyError: Max retries exceeded"


@pytest.mark.parametrize(
    ("said", "status", "told", "not_told"),
    [
        (UNKNOWN, 0, "does not know 2 packages from here", "No known"),
        ("No known vulnerabilities found", 0, "No known vulnerabilities found", "does not know"),
        (FOUND, 1, "CVE-1", "cannot be reached"),
        (UNREACHED, 1, "cannot be reached from here, so nothing is known", "No known"),
    ],
    ids=["an index without advisories", "nothing found", "something found", "no internet"],
)
def test_it_says_what_it_knows(tmp_path: Path, said: str, status: int, told: str, not_told: str) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/audit.sh", tmp_path / "scripts")
    (tmp_path / "said").write_text(said + "\n")
    program = tmp_path / ".venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\ncat "{tmp_path}/said"\nexit {status}\n')
    program.chmod(0o755)
    done = subprocess.run(["sh", "scripts/audit.sh"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr
    assert told in done.stdout and not_told not in done.stdout
