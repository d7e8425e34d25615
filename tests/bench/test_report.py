"""What the tables say about a figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import report
from bench.panel import Cost


def test_a_ratio_within_its_bar_is_reached() -> None:
    row = report.against("look", 1.0, 40.0, "s", 1 / 30)
    assert (row.ratio, row.ok) == (0.025, True)
    assert report.cells(row)[-2:] == ("1/30", "yes")


def test_a_missed_bar_says_by_how_much() -> None:
    row = report.against("look", 3.0, 40.0, "s", 1 / 30)
    assert report.cells(row)[-1] == "no, 2.2x"


@pytest.mark.parametrize("ours, said", [(20.08, "no, 1.004x"), (20.8, "no, 1.040x"), (20.0001, "no, 1.001x")])
def test_a_bar_that_is_just_missed_is_not_said_to_be_met(ours: float, said: str) -> None:
    assert report.verdict(report.against("look", ours, 300, "s", 1 / 15)) == said


def test_a_figure_without_a_bar_is_only_told() -> None:
    assert report.alone("review", 1.5, "s").ok is None


def test_medians_are_taken_per_server_and_column() -> None:
    runs = [Cost(1, 0.2, 4, 5, 10), Cost(3, 0.1, 2, 9, 30), Cost(2, 0.3, 3, 7, 20)]
    assert report.median(runs, 10) == Cost(2, 20, 300, 700, 20)


def test_time_in_proportion_to_the_number_has_the_exponent_one() -> None:
    assert report.exponent((10, 200), (0.5, 10.0)) == pytest.approx(1.0)


def test_results_are_a_list_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results" / "latest.json")
    file = report.write([report.alone("script", 25.0, "ms", 30)], whole=True)
    assert file == report.RESULTS and json.loads(file.read_text()) == [
        {"name": "script", "ours": 25.0, "peer": None, "unit": "ms", "ratio": 25.0, "bar": 30, "ok": True}
    ]


def test_a_part_does_not_replace_the_results_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "latest.json")
    monkeypatch.setattr(report, "PARTIAL", tmp_path / "partial.json")
    report.write([report.alone("script", 25.0, "ms")], whole=False)
    assert not report.RESULTS.exists() and report.PARTIAL.exists()
