"""The Problems page: by cause, acknowledged by whom, mended where, seen by who sees the servers."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from networks.domain.state import AddMember, Assign, CreateNetwork, RemoveMember
from networks.models import Disagreement, Draft, StandingProblem
from networks.problem_causes import CAUSES, mend_link
from networks.problem_check import check
from networks.services.drafts import edits_of
from networks.services.mend import offered
from nodes.choices import Role, ServerState
from nodes.models import ContainerInterface, PhysicalServer, ServerGroup
from tests.networks.changes import decide
from tests.networks.conftest import Scene, make_server, with_role
from tests.pages.conftest import logged_in
from trust.models import Entry

PAGE = "/problems/"
A = "6f1c3a1e-0000-4000-8000-00000000000a"
MOST = 6


def ill(*servers: PhysicalServer, state: str = ServerState.UNREACHABLE) -> list[StandingProblem]:
    PhysicalServer.objects.filter(pk__in=[s.pk for s in servers]).update(
        state=state, state_reason="No answer."
    )
    check()
    return list(StandingProblem.objects.open().order_by("pk"))


def post(client: Client, *problems: StandingProblem, **more: str) -> Any:
    return client.post(
        reverse("networks:acknowledge_problems"), {"problem": [p.pk for p in problems], **more}, follow=True
    )


def test_without_problems_it_says_what_is_looked_for(as_viewer: Client) -> None:
    assert "No problems" in as_viewer.get(PAGE).content.decode()


def test_each_is_listed_with_its_cause_its_links_and_the_way_to_mend_it(
    as_viewer: Client, scene: Scene
) -> None:
    ill(scene.server1, state=ServerState.HOST_KEY_CHANGED)
    text = as_viewer.get(PAGE).content.decode()
    assert "Host key changed" in text
    assert "server1: No answer." in text
    assert reverse("nodes:host_key", args=[scene.server1.pk]) in text
    assert reverse("nodes:server", args=[scene.server1.pk]) in text


def test_what_was_measured_otherwise_leads_to_why_the_model_says_so(as_viewer: Client, scene: Scene) -> None:
    """Of a server whose switch port lacks a VLAN there is no pair to explain."""
    check()
    now = timezone.now()
    pair = {"origin": f"c:{scene.server1.pk}:102", "target": f"s:{scene.server2.pk}"}
    about = {"servers": [scene.server1.pk, scene.server2.pk], "first_seen_at": now, "last_seen_at": now}
    Disagreement.objects.create(key="pair:one", text="It should, but does not.", **pair, **about)
    Disagreement.objects.create(key="trunk:1:100:1", text="The switch does not carry it.", **about)
    check()
    text = as_viewer.get(PAGE).content.decode()
    links = {
        words: unescape(to)
        for to, words in re.findall(r'<a class="btn btn-sm" href="([^"]*)"[^>]*>([^<]*)<', text)
    }
    assert links["Open the server"] == reverse("nodes:server", args=[scene.server1.pk])
    assert links["Explain"].startswith(reverse("networks:explain") + "?")
    shown = as_viewer.get(links["Explain"]).content.decode()
    assert "102 on server1" in shown and "server2" in shown and "There is no" not in shown
    assert "state=decided" in links["Explain"]


def test_a_problem_of_a_pair_stays_the_same_when_the_pair_is_told_the_other_way_round(scene: Scene) -> None:
    check()
    now, ends = timezone.now(), {"origin": "s:1", "target": "s:2"}
    Disagreement.objects.create(
        key="pair:s:1|s:2", text="x", servers=[scene.server1.pk], first_seen_at=now, last_seen_at=now, **ends
    )
    check()
    first = StandingProblem.objects.open().get()
    Disagreement.objects.update(origin="s:2", target="s:1")
    check()
    assert StandingProblem.objects.open().get().pk == first.pk
    first.refresh_from_db()
    assert {"kind": "pair", "from": "s:2", "to": "s:1"} in first.subjects


def test_what_the_next_boot_would_lose_leads_to_the_drift_of_its_server() -> None:
    """The page that says so of the server, and that repairs it."""
    subjects = [{"kind": "network", "network": A}, {"kind": "server", "server": 7}]
    assert mend_link("reboot-risk", subjects) == (
        reverse("networks:server_drift", args=[7]),
        "Open its drift",
    )
    assert "reboot-risk" in CAUSES


def test_who_may_not_see_a_server_does_not_see_its_problems(
    as_viewer: Client, as_admin: Client, scene: Scene
) -> None:
    other = ServerGroup.objects.create(name="Elsewhere")
    hidden = make_server(other, scene.eth0(scene.server1).segment, "secret-server", "10.77.0.99")
    ill(hidden)
    assert "secret-server" not in as_viewer.get(PAGE).content.decode()
    assert as_viewer.get(reverse("networks:problem_count")).content.strip() == b""
    assert "secret-server" in as_admin.get(PAGE).content.decode()


def test_an_operator_acknowledges_with_a_reason_and_it_waits_no_more(
    as_operator: Client, operator: Any, scene: Scene
) -> None:
    one, two = ill(scene.server1, scene.server2)
    assert ">2<" in as_operator.get(reverse("networks:problem_count")).content.decode()
    response = post(as_operator, one, note="  Is being   moved. ")
    assert "1 problem is acknowledged" in response.content.decode()
    one.refresh_from_db()
    assert (one.acknowledged_by, one.note) == (operator, "Is being moved.")
    assert ">1<" in as_operator.get(reverse("networks:problem_count")).content.decode()
    assert "server1: No" not in as_operator.get(PAGE).content.decode()
    known = as_operator.get(PAGE, {"acknowledged": "1"}).content.decode()
    assert "server1: No answer." in known and "otto" in known and "Is being moved." in known
    entry = Entry.objects.get(action="problem.acknowledged")
    assert "server1: No answer." in entry.text and "Is being moved." in entry.text
    post(as_operator, one, action="withdraw")
    one.refresh_from_db()
    assert one.acknowledged_at is None
    assert Entry.objects.filter(action="problem.reopened").exists()
    assert two.acknowledged_at is None


def test_a_viewer_acknowledges_nothing(as_viewer: Client, scene: Scene) -> None:
    (problem,) = ill(scene.server1)
    assert "Acknowledge ticked" not in as_viewer.get(PAGE).content.decode()
    assert post(as_viewer, problem).status_code == 403
    problem.refresh_from_db()
    assert problem.acknowledged_at is None


def test_an_operator_of_another_group_acknowledges_nothing_here(django_user_model: Any, scene: Scene) -> None:
    (problem,) = ill(scene.server1)
    other = ServerGroup.objects.create(name="Elsewhere")
    client = logged_in(with_role(django_user_model, "ona", other, Role.OPERATOR))
    post(client, problem)
    problem.refresh_from_db()
    assert problem.acknowledged_at is None


def test_an_acknowledgement_ends_with_its_problem(as_operator: Client, scene: Scene) -> None:
    (problem,) = ill(scene.server1)
    post(as_operator, problem)
    for state in (ServerState.OK, ServerState.UNREACHABLE):
        PhysicalServer.objects.filter(pk=scene.server1.pk).update(state=state)
        check()
    assert ">1<" in as_operator.get(reverse("networks:problem_count")).content.decode()


def test_nothing_is_acknowledged_by_a_get(as_operator: Client) -> None:
    assert as_operator.get(reverse("networks:acknowledge_problems")).status_code == 405


def test_strange_input_is_harmless(as_operator: Client, scene: Scene) -> None:
    (problem,) = ill(scene.server1)
    response = as_operator.post(
        reverse("networks:acknowledge_problems"),
        {"problem": ["x", "-1", "9" * 30, str(problem.pk)], "cause": "//evil.example", "note": "n" * 900},
    )
    assert response["Location"] == PAGE
    assert as_operator.get(PAGE, {"cause": "'\"<x>", "page": "x", "q": "%"}).status_code == 200


def test_a_thousand_stay_readable_in_few_queries(as_viewer: Client, scene: Scene) -> None:
    codes = ["drift", "duplicate-ip", "split", "behind"]
    now = timezone.now()
    rows = StandingProblem.objects.bulk_create(
        StandingProblem(
            cause=codes[n % 4], key=str(n), severity="warn", text=f"Problem {n}.", first_seen_at=now
        )
        for n in range(1000)
    )
    through = StandingProblem.servers.through
    through.objects.bulk_create(
        through(standingproblem_id=row.pk, physicalserver_id=scene.server1.pk) for row in rows
    )
    for query in ("", "?cause=split&page=3", "?q=Problem+9", "?acknowledged=1"):
        with CaptureQueriesContext(connection) as queries:
            response = as_viewer.get(PAGE + query)
        assert len(queries) <= MOST, [q["sql"][:100] for q in queries]
        assert len(re.findall(r'class="problem ', response.content.decode())) <= 25
    text = as_viewer.get(PAGE).content.decode()
    assert text.index(CAUSES["behind"].title) < text.index(CAUSES["split"].title)
    assert "All 250" in text


def test_a_problem_that_the_panel_can_mend_opens_a_ready_draft(
    as_operator: Client, as_viewer: Client, operator: Any, scene: Scene
) -> None:
    """A member's interface is gone: it is taken out of its network."""
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), AddMember(A, key))
    ContainerInterface.objects.filter(container__ctid="102").update(gone_at=timezone.now())
    check()
    problem = StandingProblem.objects.open().get(cause="interface-gone")
    page = reverse("networks:problem", args=[problem.pk])
    assert page in as_operator.get(PAGE).content.decode()
    shown = as_operator.get(page).content.decode()
    assert "Take eth0 of Container 102" in shown and "The problem is gone then." in shown
    assert "Add to draft" not in as_viewer.get(page).content.decode()
    (one,) = offered(operator, problem)
    to = reverse("networks:mend_problem", args=[problem.pk])
    refused = as_operator.post(to, {"token": "another"}, follow=True).content.decode()
    assert "The situation has changed since" in refused
    assert as_viewer.post(to, {"token": one.token}).status_code == 403
    as_operator.post(to, {"token": one.token})
    assert edits_of(Draft.objects.get(user=operator)) == (RemoveMember(key),)
    assert "your draft mends it already" in as_operator.get(page).content.decode()


def test_the_ways_out_of_an_unseen_problem_are_not_found(as_viewer: Client, scene: Scene) -> None:
    other = ServerGroup.objects.create(name="Elsewhere")
    hidden = make_server(other, scene.eth0(scene.server1).segment, "secret-server", "10.77.0.99")
    (problem,) = ill(hidden)
    assert as_viewer.get(reverse("networks:problem", args=[problem.pk])).status_code == 404
    assert as_viewer.post(reverse("networks:mend_problem", args=[problem.pk])).status_code == 404


def test_what_has_no_ready_edits_says_so(as_viewer: Client, scene: Scene) -> None:
    (problem,) = ill(scene.server1)
    shown = as_viewer.get(reverse("networks:problem", args=[problem.pk])).content.decode()
    assert "no ready edits for this" in shown and "Open the server" in shown
