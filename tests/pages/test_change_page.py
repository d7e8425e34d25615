"""The review, progress and result of a Change are one page, polled until it has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from networks.choices import ChangeState, OperationState
from networks.domain.state import CreateNetwork
from networks.models import Change, Operation
from networks.services import drafts
from tests.networks.changes import planned
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
HTMX = {"HTTP_HX_REQUEST": "true"}


def page(client: Client, change: Change, **headers: str) -> Any:
    return client.get(reverse("networks:change", args=[change.pk]), **headers)  # type: ignore[arg-type]


def test_the_review_shows_sentences_warnings_and_exact_commands(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    warning = {
        "key": "rule-0",
        "severity": "warn",
        "text": "No address.",
        "hint": "Give one.",
        "subjects": [],
    }
    change = planned(operator, servers=(scene.server1,), problems=[warning])
    text = page(as_operator, change).text
    for words in ("Create Virtual Network A", "No address.", "ip link set dev eth0 master vn-a", "Apply"):
        assert words in text
    assert 'name="tick"' in text
    assert "hx-trigger" not in text.split('id="change"')[1].split(">")[0]


def test_planning_and_applying_are_polled_and_the_end_is_not(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    change = planned(operator, servers=(scene.server1,))
    for state, is_polled in (
        (ChangeState.PLANNING, True),
        (ChangeState.APPLYING, True),
        (ChangeState.ROLLING_BACK, True),
        (ChangeState.DONE, False),
        (ChangeState.FAILED, False),
    ):
        Change.objects.update(state=state)
        fragment = page(as_operator, change, **HTMX).text
        assert ("hx-trigger" in fragment) is is_polled, state
        assert "<html" not in fragment


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.3, "under 1 s"), (12.2, "12 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s"), (7805, "2 h 10 min")],
)
def test_how_long_it_took_is_said_in_seconds_for_the_change_and_each_server(
    scene: Scene, operator: Any, as_operator: Client, seconds: float, said: str
) -> None:
    change = planned(operator, servers=(scene.server1, scene.server2))
    began = timezone.now()
    ended = began + timedelta(seconds=seconds)
    Change.objects.update(state=ChangeState.DONE, started_at=began, ended_at=ended)
    one, other = change.operations.order_by("server_name")
    done = {"state": OperationState.DONE, "started_at": began}
    Operation.objects.filter(pk=one.pk).update(**done, ended_at=ended)
    Operation.objects.filter(pk=other.pk).update(**done)
    text = page(as_operator, change).text
    assert f", took {said}" in text.split('class="text-secondary change-meta"')[1].split("</p>")[0]
    first, second = text.split('class="card operation"')[1:]
    assert f"took {said}" in first and "took" not in second


def test_how_long_a_server_took_to_apply_is_said(scene: Scene, operator: Any, as_operator: Client) -> None:
    change = planned(operator, servers=(scene.server1, scene.server2))
    now = timezone.now()
    Change.objects.update(state=ChangeState.DONE, started_at=now, ended_at=now)
    Operation.objects.update(state=OperationState.DONE, started_at=now, ended_at=now)
    Operation.objects.filter(server=scene.server1).update(timings_ms={"apply": 1340})
    first, second = page(as_operator, change).text.split('class="card operation"')[1:]
    assert "took under 1 s, applied in 1.3 s<" in first and "applied in" not in second


def test_an_unchanged_fragment_is_not_sent_again(scene: Scene, operator: Any, as_operator: Client) -> None:
    change = planned(operator, servers=(scene.server1,))
    etag = page(as_operator, change, **HTMX)["ETag"]
    assert page(as_operator, change, **HTMX, HTTP_IF_NONE_MATCH=etag).status_code == 304
    Change.objects.update(version=7)
    assert page(as_operator, change, **HTMX, HTTP_IF_NONE_MATCH=etag).status_code == 200


def test_a_poll_is_not_answered_with_what_another_reader_saw(
    scene: Scene, operator: Any, as_operator: Client, as_admin: Client
) -> None:
    """One browser, in which one logs in after another, keeps what the first one saw."""
    change = planned(operator, servers=(scene.server1,))
    etag = page(as_operator, change, **HTMX)["ETag"]
    assert page(as_admin, change, **HTMX, HTTP_IF_NONE_MATCH=etag).status_code == 200
    state = reverse("nodes:server_state", args=[scene.server1.pk])
    etag = as_operator.get(state)["ETag"]
    assert as_operator.get(state, HTTP_IF_NONE_MATCH=etag).status_code == 304
    assert as_admin.get(state, HTTP_IF_NONE_MATCH=etag).status_code == 200


def test_a_browser_cannot_answer_a_poll_with_the_whole_page(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    change = planned(operator, servers=(scene.server1,))
    whole = page(as_operator, change)
    assert "ETag" not in whole and "no-store" in whole["Cache-Control"]
    assert "HX-Request" in whole["Vary"]
    assert "HX-Request" in page(as_operator, change, **HTMX)["Vary"]


def test_a_refusal_leaves_no_button_to_apply(scene: Scene, operator: Any, as_operator: Client) -> None:
    change = planned(operator, servers=(scene.server1,))
    change.operations.update(refusals=["server1: eth0 gets its address by DHCP."])
    text = page(as_operator, change).text
    assert "by DHCP" in text
    assert "apply-form" not in text


def test_a_failure_is_told_in_the_servers_words_with_the_way_back(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    change = planned(operator, CreateNetwork(A, "A"), servers=(scene.server1,))
    Change.objects.update(state=ChangeState.FAILED, result="server1: RTNETLINK answers: File exists")
    change.operations.update(state=OperationState.ROLLED_BACK, message="RTNETLINK answers: File exists")
    text = page(as_operator, change).text
    assert "RTNETLINK answers: File exists" in text
    response = as_operator.post(reverse("networks:mend_change", args=[change.pk]))
    assert response["Location"] == reverse("networks:draft")
    assert "Create Virtual Network A" in as_operator.get(reverse("networks:draft")).text


def test_an_unticked_warning_is_said_and_nothing_is_applied(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    warning = {"key": "rule-0", "severity": "warn", "text": "No address.", "hint": "", "subjects": []}
    change = planned(operator, servers=(scene.server1,), problems=[warning])
    response = as_operator.post(reverse("networks:apply_change", args=[change.pk]), follow=True)
    assert "Not ticked: No address." in response.text
    change.refresh_from_db()
    assert change.state == ChangeState.PLANNED


def test_a_review_starts_from_the_draft_page(scene: Scene, operator: Any, as_operator: Client) -> None:
    drafts.stage(operator, [CreateNetwork(A, "A")])
    assert "Create Virtual Network A" in as_operator.get(reverse("networks:draft")).text
    response = as_operator.post(reverse("networks:review_draft"), {"reason": "because"})
    change = Change.objects.get()
    assert response["Location"] == reverse("networks:change", args=[change.pk])
    assert change.reason == "because"


def test_the_list_of_changes_says_who_when_and_how_it_ended(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    planned(operator, servers=(scene.server1,))
    Change.objects.update(state=ChangeState.DONE)
    text = as_operator.get(reverse("networks:changes")).text
    assert "Create Virtual Network A." in text and "otto" in text and "Done" in text


def test_a_long_change_is_named_by_its_first_edit_and_folds_what_was_asked_for(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    change = planned(operator)
    sentences = ["Create Virtual Network A.", *(f"Do thing {number:02}." for number in range(20))]
    Change.objects.filter(pk=change.pk).update(summary="\n".join(sentences), state=ChangeState.DONE)
    text = as_operator.get(reverse("networks:change", args=[change.pk])).text
    assert "Create Virtual Network A and 20 more</h1>" in text
    shown, folded = text.split('id="asked-rest"')
    assert "Do thing 08." in shown and "Do thing 09." not in shown
    assert "<summary>11 more</summary>" in folded and "Do thing 19." in folded
    assert "Create Virtual Network A and 20 more" in as_operator.get(reverse("networks:changes")).text
