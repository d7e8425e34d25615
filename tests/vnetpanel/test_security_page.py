"""SECURITY.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_test_that_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests/[a-z]+/)?test_[a-z_]+\.py)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 20
    for name in named:
        assert list(ROOT.glob(name if "/" in name else f"tests/*/{name}")), name
