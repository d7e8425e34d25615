"""Lab tests run in one xdist worker (two would pull the lab from under each other), in its namespace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
import os, pathlib, time, pytest

@pytest.mark.{mark}
@pytest.mark.parametrize("number", range(8))
def test_it_notes_its_process(number):
    pathlib.Path("pids", str(os.getpid())).touch()
    time.sleep(0.05)
"""


def workers(folder: Path, mark: str, conftest: str = "") -> int:
    """How many processes ran the tests with this mark."""
    (folder / "pids").mkdir()
    (folder / "test_it.py").write_text(TESTS.format(mark=mark))
    (folder / "conftest.py").write_text(conftest)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    lab\n    other\n")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:django"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "8 passed" in done.stdout, done.stdout + done.stderr
    return len(list((folder / "pids").iterdir()))


def test_tests_of_no_group_are_spread(tmp_path: Path) -> None:
    assert workers(tmp_path, "other") == 2


def test_tests_of_a_group_stay_together(tmp_path: Path) -> None:
    assert workers(tmp_path, 'xdist_group("g")') == 1


def test_lab_tests_stay_together(tmp_path: Path) -> None:
    hook = "from lab.pytest_plugin import pytest_collection_modifyitems\n"
    assert workers(tmp_path, "lab", hook) == 1


ELSEWHERE = """
import ctypes
from lab.pytest_plugin import LAB, enter_lab, pytest_runtest_protocol
import pytest

def pytest_runtest_setup(item):
    enter_lab(item)

NEWNET = 0x40000000

class Elsewhere:
    def enter_panel(self):
        assert ctypes.CDLL(None).unshare(NEWNET) == 0

@pytest.fixture(scope="session")
def lab(request):
    one = Elsewhere()
    one.enter_panel()
    request.session.stash[LAB] = one
"""

IN_TURNS = """
import os, pytest

def where():
    return os.readlink("/proc/thread-self/ns/net")

HOME = where()

def test_before():
    assert where() == HOME

@pytest.mark.lab
def test_of_the_lab(lab):
    assert where() != HOME

def test_between():
    assert where() == HOME

@pytest.mark.lab
def test_of_the_lab_again(lab):
    assert where() != HOME

def test_after():
    assert where() == HOME
"""


@pytest.mark.netns
def test_only_lab_tests_run_in_the_labs_namespace(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(IN_TURNS)
    (tmp_path / "conftest.py").write_text(ELSEWHERE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    lab\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:randomly"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "5 passed" in done.stdout, done.stdout + done.stderr
