"""The second panel of chaos: a process of its own that can import what the first one can, and answers."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from cryptography.fernet import Fernet

from chaos import runs
from chaos.panel import Panel
from chaos.rival import Rival
from chaos.verdict import Run
from vnetpanel.env import write_secret


@pytest.fixture
def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Panel:
    """What the second one needs of a first panel: its folder with keys and a database."""
    var = tmp_path / "first"
    for name in ("keys", "secret-key"):
        write_secret(var / name, Fernet.generate_key().decode())
    sqlite3.connect(var / "panel.sqlite3").close()
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "vnetpanel.settings")
    return cast(Panel, SimpleNamespace(var=var))


@pytest.mark.parametrize(("ended", "takes_back"), [("done", True), ("behind", False), ("failed", False)])
def test_what_it_could_not_know_is_asked_for_before_it_takes_back(
    monkeypatch: pytest.MonkeyPatch, ended: str, takes_back: bool
) -> None:
    changed: list[object] = []
    monkeypatch.setattr(runs, "head", lambda: SimpleNamespace(state="the first one's"))
    monkeypatch.setattr(runs, "edits_between", lambda had, wanted: [(had, wanted)])
    monkeypatch.setattr(runs, "server_of", lambda edit: 3)
    chaos = SimpleNamespace(
        rival=SimpleNamespace(settled=lambda: ended),
        rival_has="its own",
        rival_knows=False,
        _rival_changes=lambda back, done, had: changed.extend(back),
    )
    runs.Chaos._rival_takes_back(cast(runs.Chaos, chaos), Run(1, 0), 3)
    assert changed == ([("its own", "the first one's")] if takes_back else [])
    assert chaos.rival_knows


def test_it_starts_and_answers_whatever_interpreter_a_launcher_has_named(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", getattr(sys, "_base_executable", sys.executable))
    rival = Rival(panel)
    try:
        rival.copy()
        assert rival.change("[]").startswith("error: ")  # a database without tables: it says so and lives on
        assert rival.settled().startswith("error: ")
        assert rival.process.poll() is None
    finally:
        rival.stop()
    assert not rival.var.exists()
