"""The draft page: each edit can be dropped, with what needs it, and the last steps can be taken back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan, RemoveMember
from networks.services import changes, drafts
from networks.services.steps import MOST
from networks.state_json import load_edits
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


def draft(user: Any) -> tuple[Any, ...]:
    return load_edits(drafts.draft_of(user).edits)


def drop(client: Client, sentence: str) -> Any:
    """Press the button of the line that begins so."""
    text = client.get(reverse("networks:draft")).text
    form = next(f for f in re.findall(r"<form.*?</form>", text, re.DOTALL) if f'"Drop: {sentence}' in f)
    return client.post(reverse("networks:drop_edit"), {"edit": re.findall(r'value="([0-9a-f]{16})"', form)})


def undo(client: Client) -> str:
    return client.post(reverse("networks:undo_draft"), follow=True).text


def test_one_edit_is_dropped(scene: Scene, operator: Any, as_operator: Client) -> None:
    member = AddMember(A, scene.key(scene.server1, "102"))
    drafts.stage(operator, [CreateNetwork(A, "A"), CreateNetwork(B, "B"), member])
    assert drop(as_operator, "Create Virtual Network B").status_code == 302
    assert draft(operator) == (CreateNetwork(A, "A"), member)


def test_what_needs_it_is_said_before_and_goes_along(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    vlan = CreateVlan(scene.server1.pk, "eth0.5", "eth0", 5)
    drafts.stage(operator, [CreateNetwork(A, "A"), vlan, Assign(A, scene.server1.pk, "eth0.5")])
    text = as_operator.get(reverse("networks:draft")).text
    assert "1 other needs it" in text and "Drop all 2" in text
    drop(as_operator, "Create VLAN adapter eth0.5")
    assert draft(operator) == (CreateNetwork(A, "A"),)
    assert "with 1 edit that needed it" in as_operator.get(reverse("networks:draft")).text


def test_a_move_is_one_line_and_goes_whole(scene: Scene, operator: Any, as_operator: Client) -> None:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"), AddMember(A, key))
    drafts.stage(operator, [RemoveMember(key), AddMember(B, key)])
    drop(as_operator, "Move eth0 of Container 102")
    assert draft(operator) == ()


def test_the_last_steps_are_taken_back_one_by_one(scene: Scene, operator: Any, as_operator: Client) -> None:
    drafts.stage(operator, [CreateNetwork(A, "A")])
    drafts.stage(operator, [CreateNetwork(B, "B")])
    drop(as_operator, "Create Virtual Network A")
    as_operator.post(reverse("networks:discard_draft"))
    assert draft(operator) == ()
    seen = []
    for _ in range(4):
        assert "Undo last step" in as_operator.get(reverse("networks:draft")).text
        undo(as_operator)
        seen.append([edit.name for edit in draft(operator)])
    assert seen == [["B"], ["A", "B"], ["A"], []]
    assert "Undo last step" not in as_operator.get(reverse("networks:draft")).text
    assert "nothing to take back" in undo(as_operator)


def test_only_so_many_steps_are_kept(scene: Scene, operator: Any) -> None:
    for number in range(MOST + 5):
        drafts.stage(operator, [CreateNetwork(A[:-2] + f"{number:02}", f"net {number}")])
    assert operator.draft_steps.count() == MOST


@pytest.mark.django_db(transaction=True)
def test_after_it_was_applied_there_is_nothing_to_undo(scene: Scene, operator: Any) -> None:
    create = CreateNetwork(A, "A")
    drafts.stage(operator, [create])
    changes.apply_change(operator, planned(operator, create), ())
    assert not operator.draft_steps.exists()


@pytest.mark.parametrize("edit", ["", "0" * 16, "x", "'; DROP TABLE"])
def test_a_made_up_edit_drops_nothing(scene: Scene, operator: Any, as_operator: Client, edit: str) -> None:
    drafts.stage(operator, [CreateNetwork(A, "A")])
    as_operator.post(reverse("networks:drop_edit"), {"edit": edit})
    assert len(draft(operator)) == 1


def test_somebody_elses_draft_is_out_of_reach(
    scene: Scene, operator: Any, viewer: Any, as_viewer: Client
) -> None:
    drafts.stage(operator, [CreateNetwork(A, "A")])
    as_viewer.post(reverse("networks:drop_edit"), {"edit": drafts.key_of(CreateNetwork(A, "A"))})
    undo(as_viewer)
    assert len(draft(operator)) == 1


def csv_of(client: Client, address: str) -> list[str]:
    response = client.get(address)
    assert response["Content-Type"].startswith("text/csv")
    return b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]


def test_a_long_draft_has_a_filter_pages_and_a_file(scene: Scene, operator: Any, as_operator: Client) -> None:
    drafts.stage(operator, [CreateNetwork(A[:-3] + f"{n:03}", f"net{n:02}") for n in range(60)])
    drafts.stage(operator, [Assign(A[:-3] + "007", scene.server1.pk, "eth0")])
    address = reverse("networks:draft")
    text = as_operator.get(address).text
    assert "Create Virtual Network net49" in text and "net50" not in text and "Filter by words" in text
    text = as_operator.get(address, {"page": 2}).text
    assert "net59" in text and "net49" not in text and ">51<" in text
    assert "net59" in as_operator.get(address, {"page": 99}).text, "a page that has gone is the last"
    text = as_operator.get(address, {"q": "NET07"}).text
    assert "Create Virtual Network net07" in text and "Assign Virtual Network net07" in text
    assert "net08" not in text and "1 other needs it" in text
    assert "No edit has “nothing”" in as_operator.get(address, {"q": "nothing"}).text
    lines = csv_of(as_operator, address + "?format=csv&q=net07")
    assert lines[0] == "Edit,Physical server" and len(lines) == 3
    assert lines[2].endswith(",server1") and "eth0" in lines[2]


def test_a_short_draft_has_no_filter(scene: Scene, operator: Any, as_operator: Client) -> None:
    drafts.stage(operator, [CreateNetwork(A, "A")])
    assert "Filter by words" not in as_operator.get(reverse("networks:draft")).text
