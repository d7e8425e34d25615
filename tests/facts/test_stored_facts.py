"""Facts survive as JSON, and nothing else passes for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodes import facts_json
from nodes.facts import ServerFacts
from nodes.probe_output import parse_look

CASE = Path(__file__).with_name("cases") / "look/linux-6.1-all-kinds.txt"


@pytest.fixture(scope="module")
def facts() -> ServerFacts:
    return parse_look(CASE.read_bytes(), "0123456789abcdef")


def test_they_come_back_equal(facts: ServerFacts) -> None:
    assert facts_json.load(facts_json.dump(facts)) == facts
    assert facts_json.load(facts_json.dump(ServerFacts())) == ServerFacts()


def test_equal_facts_give_equal_text(facts: ServerFacts) -> None:
    again = parse_look(CASE.read_bytes(), "0123456789abcdef")
    assert facts_json.dump(again) == facts_json.dump(facts)


def test_fields_that_came_later_have_their_defaults(facts: ServerFacts) -> None:
    stored = json.loads(facts_json.dump(facts))
    del stored["facts"]["true_ms"]
    assert facts_json.load(json.dumps(stored)).true_ms is None


def _changed(facts: ServerFacts, **change: object) -> str:
    stored = json.loads(facts_json.dump(facts))
    stored["facts"].update(change)
    return json.dumps(stored)


@pytest.mark.parametrize(
    "change",
    [
        {"hostname": 5},
        {"uptime_s": "12"},
        {"links": {}},
        {"links": [{"name": "a"}]},
        {"more": 1},
        {"tools": []},
    ],
    ids=str,
)
def test_other_types_and_fields_are_refused(facts: ServerFacts, change: dict[str, object]) -> None:
    with pytest.raises(facts_json.FactsUnreadable):
        facts_json.load(_changed(facts, **change))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version":0,"facts":{}}', "{" * 9000, "\x00"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(facts_json.FactsUnreadable):
        facts_json.load(text)
