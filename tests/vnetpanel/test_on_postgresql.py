"""What the database decides, on PostgreSQL as well: claims, decisions, drafts, looks, the audit trail.

A part of the suite, run once more in a process of its own; `make test-postgresql` runs all of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CI
from tests.postgresql import postgresql_missing

ROOT = Path(__file__).resolve().parents[2]
PART = [
    "tests/networks/test_at_the_same_time.py",
    "tests/networks/test_applying.py",
    "tests/networks/test_broken_connections.py",
    "tests/networks/test_drafts.py",
    "tests/networks/test_head.py",
    "tests/networks/test_killed_worker.py",
    "tests/networks/test_lease.py",
    "tests/networks/test_problem_check.py",
    "tests/networks/test_sweeper.py",
    "tests/networks/test_who_sees_a_change.py",
    "tests/nodes/test_lookups.py",
    "tests/nodes/test_scale.py",
    "tests/nodes/test_sync.py",
    "tests/nodes/test_trigrams.py",
    "tests/nodes/test_services_groups.py",
    "tests/pages/test_scale.py",
    "tests/pages/test_nul.py",
    "tests/trust/test_audit_trail.py",
    "tests/trust/test_key_rotation.py",
    "tests/trust/test_throttle.py",
]


@pytest.mark.skipif(os.environ.get("VNP_TEST_DATABASE") == "postgresql", reason="this is that run")
@pytest.mark.timeout(600)
def test_the_same_holds_on_postgresql() -> None:
    if reason := postgresql_missing():
        (pytest.fail if CI else pytest.skip)(reason)
    missing = [path for path in PART if not (ROOT / path).exists()]
    assert not missing
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PART],
        cwd=ROOT,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
            "VNP_TEST_DATABASE": "postgresql",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:]
