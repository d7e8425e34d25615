"""The proofs' own parts: designs that the rules accept, cells that are read and printed as they are meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from networks.domain.diff import edits_between
from networks.domain.rules import review
from proof.cells import LAYERS, read_cells
from proof.faults import as_faulty, choose_faults
from proof.random_topologies import choices_of, design
from proof.scheme import matrix_text
from tests.domain import scheme

KEYS = {"server1": 1, "server2": 2, "server3": 3}


@pytest.mark.parametrize("seed", range(8))
def test_a_random_design_is_one_that_the_rules_accept_and_its_seed_repeats_it(seed: int) -> None:
    found = scheme.inventory()
    made = design(choices_of(seed), KEYS, scheme.DESIRED, found)
    assert made == design(choices_of(seed), KEYS, scheme.DESIRED, found)
    assert made.members
    problems = review(scheme.DESIRED, edits_between(scheme.DESIRED, made), found)
    assert not [problem.text for problem in problems if problem.severity == "refuse"]


def test_faults_name_what_the_lab_has_and_nothing_twice() -> None:
    for seed in range(50):
        faults = choose_faults(choices_of(seed))
        assert len(set(faults.stopped)) == len(faults.stopped) <= 2
        assert not set(faults.stopped) & {(server, ctid) for server, ctid, _ in faults.host_routed}
        assert not (faults.unbridged and ("server2", "201") in faults.stopped)


def test_a_port_without_a_vlan_is_an_adapter_without_a_signal_to_the_model() -> None:
    from dataclasses import replace

    from networks.domain.inventory import AdapterView

    found = scheme.inventory()
    vlan = AdapterView(3, "eth0.100", "vlan", base="eth0", vid=100)
    found = replace(found, adapters=(*found.adapters, vlan))
    faults = replace(choose_faults(choices_of(0)), untrunked=(("server3", 100),))
    cut = as_faulty(found, faults, KEYS)
    assert [a.name for a in cut.adapters if a.carrier is False] == ["eth0.100"]


def test_the_matrix_is_printed_with_a_mark_for_each_pair() -> None:
    found = {(c.origin, c.target, c.layer): c.answer for c in read_cells().values()}
    lines = matrix_text(found, ["101", "102", "203", "other"]).splitlines()
    assert [line.split() for line in lines[1:5]] == [
        ["101", "\\", "+", ".", "+"],
        ["102", "+", "\\", ".", "#"],
        ["203", ".", ".", "\\", "."],
        ["other", "+", "#", ".", "\\"],
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[[cells]]\namong=["1","2"]\nlayer2="yes"\nip="yes"\n',
        '[[cells]]\namong=["1","2"]\nlayer2="yes"\nip="yes"\nquote="x"\n' * 2,
    ],
    ids=["neither quoted nor derived", "said twice"],
)
def test_a_cell_that_is_not_founded_or_said_twice_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "cells.toml").write_text(text)
    with pytest.raises(ValueError):
        read_cells(tmp_path / "cells.toml")


def test_the_quotes_are_sentences_of_the_manual() -> None:
    cells = read_cells().values()
    assert {cell.layer for cell in cells} == set(LAYERS)
    assert all(cell.quote.rstrip(".") for cell in cells if not cell.derivation)
