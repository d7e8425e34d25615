"""Topologies of the lab where prediction and measurement once differed: the model of today gets them right.

Each file is what `make visibility` kept of its seed: the state, what was looked at, and what was measured. In
seed 109, what server 1 was not asked for then (on its VLAN adapter in no bridge) is unknown.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from proof.seen import read

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.json"))


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_the_model_agrees_with_what_was_measured(path: Path) -> None:
    seen = read(path)
    assert len(seen.cells) > 300
    assert seen.differing() == []
