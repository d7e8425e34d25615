"""The history's pages: filters, comparing, as of then, reverting."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from networks.choices import ChangeState
from networks.domain.state import AddMember, Assign, CreateNetwork, DescribeNetwork
from networks.engine.behind import fell_behind
from networks.models import Change, Decision, Operation, Revision
from networks.services import drafts
from nodes.models import ServerGroup
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene, make_server

A, B = (f"6f1c3a1e-0000-4000-8000-00000000000{n}" for n in (1, 2))
MOST = 6


def decided(change: Change, *edits: Any) -> Change:
    """The Change as its decision left it."""
    decide(*edits)
    revision = Revision.objects.latest("number")
    Decision.objects.create(change=change, wave=1, revision=revision, decided_at=timezone.now())
    Change.objects.filter(pk=change.pk).update(
        state=ChangeState.DONE,
        revision=revision,
        started_at=timezone.now(),
        decided_at=timezone.now(),
        ended_at=timezone.now(),
    )
    change.refresh_from_db()
    return change


@pytest.fixture
def history(scene: Scene, operator: Any) -> list[Change]:
    """Three decided Changes: A made, A on server 1 with 102, A renamed."""
    first = [CreateNetwork(A, "A")]
    second = [Assign(A, scene.server1.pk, "eth0"), AddMember(A, scene.key(scene.server1, "102"))]
    third = [DescribeNetwork(A, "Web", "renamed")]
    found = []
    for edits, servers, reason in ((first, (), "begin"), (second, (scene.server1,), ""), (third, (), "")):
        found.append(decided(planned(operator, *edits, servers=servers, reason=reason), *edits))
    for change, summary in zip(found, ("Create A.", "Assign A.", "Rename A."), strict=True):
        Change.objects.filter(pk=change.pk).update(summary=summary)
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"Create A.", "Assign A.", "Rename A."}),
        ("q=rename", {"Rename A."}),
        ("q=begin", {"Create A."}),
        ("server=server1", {"Assign A."}),
        ("by=otto", {"Create A.", "Assign A.", "Rename A."}),
        ("by=nobody", set()),
        ("state=ok", {"Create A.", "Assign A.", "Rename A."}),
        ("state=trouble", set()),
        (f"network={A}", {"Create A.", "Assign A.", "Rename A."}),
        (f"network={B}", set()),
        ("since=2000-01-01&until=2001-01-01", set()),
        ("since=2000-01-01&until=2999-01-01", {"Create A.", "Assign A.", "Rename A."}),
        ("since=nonsense&state=nonsense&network=nonsense", {"Create A.", "Assign A.", "Rename A."}),
    ],
)
def test_the_list_is_filtered(
    history: list[Change], as_operator: Client, query: str, expected: set[str]
) -> None:
    text = as_operator.get(f"{reverse('networks:changes')}?{query}").text
    assert {s for s in ("Create A.", "Assign A.", "Rename A.") if s in text} == expected
    if not expected:
        assert "No change matches" in text


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("page", ["networks:changes", "audit"])
def test_a_day_at_the_edge_of_all_days_is_no_error(
    as_viewer: Client, settings: Any, zone: str, page: str
) -> None:
    settings.TIME_ZONE = zone
    for query in (
        *({"since": day} for day in ("0001-01-01", "0001-12-31", "0002-01-01", "9999-12-31")),
        *({"until": day} for day in ("0001-01-01", "9998-12-31", "9999-01-01", "9999-12-31")),
    ):
        assert as_viewer.get(reverse(page), query).status_code == 200, query


def test_the_list_of_many_changes_takes_few_queries(scene: Scene, operator: Any, as_operator: Client) -> None:
    Change.objects.bulk_create(
        Change(author=operator, state=ChangeState.DONE, base=0, summary=f"n {n}") for n in range(300)
    )
    Operation.objects.bulk_create(
        Operation(change=change, server=scene.server1, server_name="server1", state="done")
        for change in Change.objects.all()
    )
    with CaptureQueriesContext(connection) as queries:
        assert as_operator.get(reverse("networks:changes") + "?server=server1&page=2").status_code == 200
    assert len(queries) <= MOST + 2, [q["sql"][:150] for q in queries]  # session and user


def test_changes_of_hidden_servers_are_counted(
    history: list[Change], as_viewer: Client, scene: Scene
) -> None:
    group = ServerGroup.objects.create(name="Secret")
    segment = scene.eth0(scene.server1).segment
    assert segment
    hidden = make_server(group, segment, "hidden1", "10.77.9.1")
    secret = planned(None, servers=(hidden,))
    Change.objects.filter(pk=secret.pk).update(state=ChangeState.DONE, summary="Secret thing.")
    text = as_viewer.get(reverse("networks:changes")).text
    assert "Secret thing" not in text
    assert "1 change touches servers that you may not see" in " ".join(text.split())


def test_two_revisions_are_compared(history: list[Change], as_operator: Client) -> None:
    text = as_operator.get(reverse("networks:compare") + "?a=1&b=3").text
    for words in (
        "Rename Virtual Network A to Web and change its description.",
        "Assign Virtual Network A to eth0 of physical server server1.",
        "Create A.",
        "Rename A.",
    ):
        assert words in text
    assert "They say the same" in as_operator.get(reverse("networks:compare") + "?a=2&b=2").text
    missing = as_operator.get(reverse("networks:compare") + "?a=1&b=77")
    assert missing.status_code == 404 and "There is no such revision" in missing.text


@pytest.mark.parametrize("query", ["", "?a=x&b=-1", "?a=99999999999999999999&b=1"])
def test_a_strange_comparison_is_no_error(history: list[Change], as_operator: Client, query: str) -> None:
    assert as_operator.get(reverse("networks:compare") + query).status_code in (200, 404)


def test_the_networks_are_shown_as_of_then_and_cannot_be_changed(
    history: list[Change], as_operator: Client
) -> None:
    text = as_operator.get(reverse("networks:revision", args=[2])).text
    assert "As of revision 2" in text and ">A<" in text and "Web" not in text
    assert "Configure" not in text.split('id="content"')[1]
    detail = as_operator.get(reverse("networks:revision_network", args=[2, A])).text
    for words in ("As of revision 2", "server1", "eth0", "ct102", "Nothing can be changed here"):
        assert words in detail
    assert 'method="post"' not in detail.split('id="content"')[1]
    assert as_operator.get(reverse("networks:revision", args=[0])).status_code == 200
    assert as_operator.get(reverse("networks:revision", args=[9])).status_code == 404
    assert as_operator.get(reverse("networks:revision_network", args=[2, B])).status_code == 404
    assert "was no virtual network" in as_operator.get(reverse("networks:revision", args=[0])).text


def test_as_of_then_counts_what_may_not_be_seen(
    history: list[Change], as_viewer: Client, scene: Scene
) -> None:
    group = ServerGroup.objects.create(name="Secret")
    segment = scene.eth0(scene.server1).segment
    assert segment
    hidden = make_server(group, segment, "hidden1", "10.77.9.1")
    decide(Assign(A, hidden.pk, "eth0"))
    text = as_viewer.get(reverse("networks:revision_network", args=[4, A])).text
    assert "hidden1" not in text
    assert "And on 1 server that you may not see" in text


def test_a_revert_is_shown_first_and_then_put_into_the_draft(
    history: list[Change], as_operator: Client, operator: Any
) -> None:
    address = reverse("networks:revert_change", args=[history[1].pk])
    text = as_operator.get(address).text
    assert "Take back the assignment of Virtual Network Web on physical server server1." in text
    response = as_operator.post(address)
    assert response["Location"] == reverse("networks:draft")
    assert drafts.draft_of(operator).reason == "Revert “Assign A.”"
    # Now there is a draft, which is not lost by mistake.
    assert "Discard the 2 pending edits" in as_operator.get(address).text
    assert "holds pending edits" in as_operator.post(address, follow=True).text


def test_a_conflict_is_named_before_anything_is_reverted(history: list[Change], as_operator: Client) -> None:
    text = as_operator.get(reverse("networks:revert_change", args=[history[0].pk])).text
    assert "Changed again since" in text
    assert "Delete Virtual Network Web." in text


def test_a_viewer_sees_why_she_cannot_revert(history: list[Change], as_viewer: Client) -> None:
    address = reverse("networks:revert_change", args=[history[1].pk])
    text = as_viewer.get(address).text
    assert "You need the operator role on server1" in text and "Put it into the draft" not in text
    assert as_viewer.post(address).status_code == 403


def test_the_page_of_a_change_leads_to_its_revisions(history: list[Change], as_operator: Client) -> None:
    text = as_operator.get(reverse("networks:change", args=[history[1].pk])).text
    assert f"{reverse('networks:compare')}?a=1&amp;b=2" in text
    assert reverse("networks:revision", args=[2]) in text
    assert reverse("networks:revert_change", args=[history[1].pk]) in text


def test_a_server_that_is_behind_says_so_where_it_is_looked_for(
    history: list[Change], as_operator: Client, as_viewer: Client, scene: Scene
) -> None:
    operation = history[1].operations.get()
    fell_behind(operation, 2, "Missed the decision: it could not be reached in time", timezone.now())
    for address in (reverse("nodes:server", args=[scene.server1.pk]), reverse("networks:changes")):
        text = as_operator.get(address).text
        assert "Missed the decision: it could not be reached in time" in text
        assert "as revision 1 says" in text
    button = reverse("networks:bring_forward", args=[scene.server1.pk])
    assert as_viewer.post(button).status_code == 403
    response = as_operator.post(button)
    own = Change.objects.get(repairs=[scene.server1.pk])
    assert response["Location"] == reverse("networks:change", args=[own.pk])
    other = as_operator.post(reverse("networks:bring_forward", args=[scene.server2.pk]), follow=True)
    assert "nothing to bring forward" in other.text


def test_choosing_columns_keeps_every_filter(history: list[Change], as_operator: Client) -> None:
    filters = {"q": "beg", "state": "done", "server": "", "by": "oper", "since": "2020-01-01", "sort": "-id"}
    page = as_operator.get(reverse("networks:changes"), {**filters, "page": "1"}).text
    menu = page.split('aria-label="Columns"', 1)[1].split("</form>", 1)[0]
    sent = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', menu))
    assert sent == {"columns": "change", **filters}
