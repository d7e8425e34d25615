"""`?as_of=NUMBER` on any page that shows what was decided: that revision, to walk about in, not to change."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse
from django.utils import timezone

from networks.choices import MeasurementState
from networks.desired import head
from networks.domain.state import (
    AddMember,
    Assign,
    Assignment,
    CreateVlan,
    DeleteNetwork,
    RemoveMember,
    Unassign,
)
from networks.models import Change, Draft, Measurement, NetworkIntent
from networks.models.intents import IntentKind
from networks.services import drafts
from nodes.choices import AdapterKind, InterfaceMode, Origin
from nodes.models import Adapter, Bridge, Container, ContainerInterface, PhysicalServer, ServerGroup
from tests.networks.changes import decide, write
from tests.networks.conftest import Scene, make_container
from tests.pages.test_history_pages import A, history  # noqa: F401 -- a fixture

THEN = 2
"""The revision looked back at: network A on eth0 of server 1 with container 102. Today: Web, on nothing."""


@pytest.fixture
def past(history: list[Change], scene: Scene) -> Scene:  # noqa: F811
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(containers_count=1)
    decide(RemoveMember(scene.key(scene.server1, "102")), Unassign(A, scene.server1.pk))
    ends = {"source": f"c:{scene.server1.pk}:102", "target": f"s:{scene.server1.pk}"}
    NetworkIntent.objects.create(network_id=A, kind=IntentKind.SEES, **ends)
    return scene


def address(scene: Scene, name: str) -> str:
    container = Container.objects.get(server=scene.server1, ctid="102")
    arguments: dict[str, list[Any]] = {
        "group": [scene.server1.group_id],
        "server": [scene.server1.pk],
        "network": [A],
        "container": [container.pk],
        "both": [scene.server1.pk, A],
        "": [],
    }
    view, _, kind = name.partition(" ")
    return reverse(view if ":" in view else f"networks:{view}", args=arguments[kind])


PAGES = {
    "list": "A",
    "group_networks group": "A",
    "server_networks server": "eth0",
    "detail network": "ct102",
    "configure_on_server both": "eth0",
    "group_grid group": "eth0",
    "server_adapters server": ">A<",
    "container_network container": ">A<",
    "nodes:container container": ">A<",
    "nodes:server_containers server": ">A<",
    "nodes:group_containers group": ">A<",
    "topology": ">A<",
    "group_topology group": ">A<",
    "server_topology server": ">A<",
    "network_topology network": "ct102",
    "container_topology container": ">A<",
    "network_visibility network": "102",
    "server_visibility server": "102",
    "group_visibility group": "102",
    "explain": "Virtual Network A is assigned to eth0",
    "what_if": "no longer sees",
    "intent network": "Holds",
}
"""Every page with a past, and what is only there as of then."""
ASKED = {
    "explain": {"from": "102", "to": "other hosts"},
    "what_if": {"what": "102"},
}
"""What those pages are asked besides."""


def asked(client: Client, scene: Scene, name: str) -> str:
    """The main part of the page of then."""
    return main_of(client.get(address(scene, name), ASKED.get(name, {}) | {"as_of": str(THEN)}).text)


def queries(client: Client, where: str) -> int:
    """How many the page of then takes."""
    with CaptureQueriesContext(connection) as seen:
        client.get(where, {"as_of": THEN})
    return len(seen)


def main_of(text: str) -> str:
    return text.split('id="content"')[1].split("</main>")[0]


def test_every_page_that_has_a_past_is_among_these() -> None:
    with_past = {
        f"{app.app_name}:{p.name}".removeprefix("networks:")
        for app in get_resolver().url_patterns
        if getattr(app, "app_name", "") in ("networks", "nodes")
        for p in app.url_patterns
        if hasattr(p.callback, "has_a_past")
    }
    assert with_past == {name.partition(" ")[0] for name in PAGES}


@pytest.mark.parametrize("name", PAGES)
def test_it_shows_what_was_decided_then_and_says_so(past: Scene, as_operator: Client, name: str) -> None:
    where = address(past, name)
    text = asked(as_operator, past, name)
    assert "As of revision 2" in text and "Nothing can be changed here" in text
    query = escape(f"?{urlencode(ASKED[name])}") if name in ASKED else ""
    assert f'href="{where}{query}#now"' in text, "the way back to now"
    assert PAGES[name] in text and "Web" not in text
    assert "as of revision" not in as_operator.get(where).text.lower()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_can_be_sent_from_there(past: Scene, as_operator: Client, name: str, operator: Any) -> None:
    where = address(past, name)
    text = asked(as_operator, past, name)
    for start, inside in re.findall(r"(<form\b[^>]*>)(.*?)</form>", text, re.DOTALL):
        kept = "<fieldset" if 'method="post"' in start else '<input type="hidden" name="as_of" value="2">'
        assert inside.startswith(kept), start
    assert "New Virtual Network" not in text and "Configure" not in text
    answer = as_operator.post(f"{where}?as_of={THEN}", {"name": "x"})
    assert answer.status_code == 409 and "Nothing can be changed" in answer.text
    assert not Draft.objects.exclude(edits="[]").exists()


def test_a_mark_in_a_matrix_of_then_leads_to_the_reason_of_then(past: Scene, as_operator: Client) -> None:
    text = asked(as_operator, past, "server_visibility server")
    links = re.findall(rf'(?:href|hx-get)="({reverse("networks:explain")}\?[^"]*)"', text)
    assert links and all(link.endswith("&amp;as_of=2") for link in links)


def test_explain_answers_for_then_and_offers_nothing_to_be_done(past: Scene, as_operator: Client) -> None:
    where, pair = address(past, "explain"), ASKED["explain"]
    cell = [f"c:{past.server1.pk}:102", f"o:{past.eth0(past.server1).segment_id}", "ip", "no", "no"]
    Measurement.objects.create(servers=[past.server1.pk], state=MeasurementState.DONE, cells=[cell])
    today = as_operator.get(where, pair | {"state": "decided"}).text
    assert "102 (ct102) does not reach other hosts" in today
    assert "What would change it" in today and "Measured last" in today
    then = as_operator.get(where, pair | {"as_of": THEN}, headers={"HX-Request": "true"}).text
    assert "as of revision 2" in then and "102 (ct102) reaches other hosts" in then
    assert "Measured last" not in then
    before = as_operator.get(where, pair | {"as_of": 1}).text
    assert "102 (ct102) does not reach other hosts" in before
    assert "What would change it" not in before and "Measured last" not in before


def test_nothing_is_said_of_measurements_over_a_matrix_of_then(past: Scene, as_operator: Client) -> None:
    assert "Not measured yet" not in asked(as_operator, past, "server_visibility server")
    assert "Not measured yet" in as_operator.get(address(past, "server_visibility server")).text


def test_what_if_is_asked_of_then(past: Scene, as_operator: Client) -> None:
    text = asked(as_operator, past, "what_if")
    assert "On what was decided then" in text and "Container 102" in text
    today = as_operator.get(address(past, "what_if"), ASKED["what_if"]).text
    assert "On what is decided" in today and "no longer see" not in today


def test_what_is_meant_today_is_held_against_then(past: Scene, as_operator: Client) -> None:
    text = asked(as_operator, past, "intent network")
    assert "What is meant today, on what was decided then" in text
    assert "Take back" not in text and "Say what is meant" not in text
    assert "Does not hold" in as_operator.get(address(past, "intent network")).text


def test_links_lead_on_in_the_past_where_there_is_one(past: Scene, as_operator: Client) -> None:
    text = main_of(as_operator.get(address(past, "server_networks server"), {"as_of": THEN, "q": "a"}).text)
    assert f'href="{address(past, "server_topology server")}?as_of=2"' in text
    assert f'href="{reverse("nodes:server", args=[past.server1.pk])}"' in text  # shows what is found now
    assert "?as_of=1&amp;q=a" in text and "?as_of=3&amp;q=a" in text
    assert 'href="?format=csv&amp;as_of=2' in text or "format=csv&amp;as_of=2" in text


def test_a_list_of_containers_of_then_is_one_of_then_as_csv_too(past: Scene, as_operator: Client) -> None:
    where = address(past, "nodes:server_containers server")

    def row(**asked: Any) -> str:
        response = as_operator.get(where, {"format": "csv"} | asked)
        lines = b"".join(response).decode().splitlines()  # type: ignore[arg-type]
        return next(line for line in lines if line.startswith("102,"))

    assert row(as_of=THEN).endswith(",A") and not row().endswith(",A")


@pytest.mark.parametrize("name", ["nodes:container container", "nodes:server_containers server"])
def test_an_interface_that_is_gone_since_is_still_in_its_network_of_then(
    past: Scene, as_operator: Client, name: str
) -> None:
    ContainerInterface.objects.filter(container__ctid="102").update(gone_at=timezone.now())
    assert ">A<" in asked(as_operator, past, name)
    assert ">A<" not in main_of(as_operator.get(address(past, name)).text)


def test_a_list_of_containers_of_then_costs_no_query_for_a_row(past: Scene, as_operator: Client) -> None:
    where = address(past, "nodes:server_containers server")

    queries(as_operator, where)
    few = queries(as_operator, where)
    for ctid in range(900, 920):
        make_container(past.server1, str(ctid), "eth0", "eth1")
    assert queries(as_operator, where) == few


def test_the_draft_is_left_out_of_it_and_untouched(past: Scene, as_operator: Client, operator: Any) -> None:
    drafts.stage(operator, [Assign(A, past.server1.pk, None)])
    where = address(past, "server_networks server")
    assert "eth0" in main_of(as_operator.get(where, {"as_of": THEN}).text)
    assert "1</b> pending edit" in as_operator.get(where).text
    assert len(drafts.edits_of(drafts.draft_of(operator))) == 1


def test_a_page_without_a_past_says_that_it_is_of_now(past: Scene, as_operator: Client) -> None:
    text = as_operator.get(reverse("nodes:server", args=[past.server1.pk]), {"as_of": THEN}).text
    assert "has no past" in text


@pytest.mark.parametrize("number", ["99", "x", "-1", "1" * 30, ""])
def test_a_revision_that_there_never_was_is_not_found(past: Scene, as_operator: Client, number: str) -> None:
    assert as_operator.get(address(past, "list"), {"as_of": number}).status_code == 404


def test_the_beginning_is_empty(past: Scene, as_operator: Client) -> None:
    assert "not defined here" not in main_of(as_operator.get(address(past, "list"), {"as_of": 0}).text)
    assert as_operator.get(address(past, "network_visibility network"), {"as_of": 0}).status_code in (
        200,
        404,
    )


def test_who_has_not_logged_in_sees_no_past(past: Scene) -> None:
    assert Client().get(address(past, "list"), {"as_of": THEN}).status_code == 302


def test_a_server_that_was_removed_since_is_counted(past: Scene, as_operator: Client) -> None:
    past.server1.delete()
    text = main_of(as_operator.get(reverse("networks:topology"), {"as_of": THEN}).text)
    assert "1 server of then was removed from the panel since" in " ".join(text.split())


def test_what_was_on_it_is_told_only_to_who_sees_everything(
    past: Scene, as_operator: Client, as_admin: Client
) -> None:
    """Of which group it was is not known any more."""
    where = address(past, "detail network")
    past.server1.delete()
    row = ">removed from the panel since</span>"
    assert row in main_of(as_admin.get(where, {"as_of": THEN}).text)
    assert row in main_of(as_operator.get(where, {"as_of": THEN}).text)
    ServerGroup.objects.create(name="Somebody else's")
    text = main_of(as_operator.get(where, {"as_of": THEN}).text)
    assert row not in text and "may not see" in text


def test_it_takes_few_queries_more_than_today(past: Scene, as_operator: Client) -> None:
    where = address(past, "server_networks server")
    as_operator.get(where, {"as_of": THEN})
    with CaptureQueriesContext(connection) as queries:
        as_operator.get(where, {"as_of": THEN})
    assert len(queries) <= 12, [q["sql"][:100] for q in queries]


def test_the_page_of_a_container_of_then_costs_no_query_for_an_interface(
    past: Scene, as_operator: Client
) -> None:
    container = Container.objects.get(server=past.server1, ctid="102")
    where = reverse("nodes:container", args=[container.pk])

    queries(as_operator, where)
    few = queries(as_operator, where)
    for number in range(1, 5):
        ContainerInterface.objects.create(
            container=container, ifname=f"eth{number}", mode=InterfaceMode.BRIDGED, addresses_known=True
        )
    assert queries(as_operator, where) == few


def test_an_interface_that_is_gone_since_is_told_among_the_network_parameters(
    past: Scene, as_operator: Client
) -> None:
    ContainerInterface.objects.filter(container__ctid="102").update(gone_at=timezone.now())
    text = asked(as_operator, past, "container_network container")
    assert ">A<" in text and "not found any more" in text and "made by vzctl" not in text
    assert "No network adapters" not in text


def test_what_was_chosen_then_and_is_gone_since_is_still_chosen_in_the_form(
    past: Scene, as_operator: Client
) -> None:
    ContainerInterface.objects.filter(container__ctid="102").update(gone_at=timezone.now())
    Adapter.objects.filter(server=past.server1, name="eth0").update(gone_at=timezone.now())
    text = asked(as_operator, past, "configure_on_server both")
    assert "102 ct102 eth0 (not found any more)" in text and "eth0 (not found any more)" in text
    assert len(re.findall(r"<input[^>]*\bchecked\b", text)) == 2


def test_a_vlan_adapter_of_then_that_is_gone_is_not_to_be_made(past: Scene, as_operator: Client) -> None:
    decide(CreateVlan(past.server1.pk, "eth0.100", "eth0", 100))
    text = as_operator.get(address(past, "configure_on_server both"), {"as_of": 5}).text
    assert "VLAN 100 on eth0, not found)" in text and "to be made" not in text


def test_a_vlan_adapter_that_the_panel_made_since_is_not_made_outside(
    past: Scene, as_operator: Client
) -> None:
    decide(CreateVlan(past.server1.pk, "eth0.100", "eth0", 100))
    Adapter.objects.create(
        server=past.server1, name="eth0.100", kind=AdapterKind.VLAN, vlan_id=100, origin=Origin.PANEL
    )
    text = asked(as_operator, past, "server_adapters server")
    assert "eth0.100" in text and "made outside" not in text


@pytest.mark.parametrize("name", ["revision", "compare"])
def test_a_page_that_names_its_revisions_is_not_said_to_be_of_now(
    past: Scene, as_operator: Client, name: str
) -> None:
    where = reverse(f"networks:{name}", args=[THEN] if name == "revision" else [])
    text = main_of(as_operator.get(where, {"as_of": 1}).text)
    assert "has no past" not in text and "As of revision 1" not in text
    assert name == "compare" or "As of revision 2" in text


def test_what_refuses_a_change_of_then_is_not_said_to_be_of_now(past: Scene, as_operator: Client) -> None:
    answer = as_operator.post(f"{address(past, 'list')}?as_of={THEN}")
    assert answer.status_code == 409 and "has no past" not in answer.text


def test_from_the_list_of_then_to_a_network_and_all_its_pages_of_then(
    past: Scene, as_operator: Client
) -> None:
    for name in ("list", "server_networks server", "group_networks group"):
        assert f'href="{address(past, "detail network")}?as_of=2"' in asked(as_operator, past, name), name
    text = asked(as_operator, past, "detail network")
    for name in ("network_visibility network", "network_topology network", "intent network"):
        assert f'href="{address(past, name)}?as_of=2"' in text, name


def test_out_of_the_past_of_a_network_that_is_deleted_since_the_way_leads_to_the_list(
    past: Scene, as_operator: Client
) -> None:
    decide(DeleteNetwork(A))
    for name in ("detail network", "network_topology network", "configure_on_server both"):
        text = asked(as_operator, past, name)
        assert f'href="{reverse("networks:list")}#now"' in text, name
        assert f'href="{address(past, name)}#now"' not in text, name


def test_what_was_not_there_yet_says_as_of_when_and_leads_on(past: Scene, as_operator: Client) -> None:
    response = as_operator.get(address(past, "network_topology network"), {"as_of": 0})
    text = main_of(response.text)
    assert response.status_code == 404
    assert "As of revision 0" in text and 'href="?as_of=1"' in text
    assert "nothing at this address" in " ".join(text.split())


def test_a_vlan_adapter_of_then_that_is_gone_is_not_drawn_as_to_be_made(
    past: Scene, as_operator: Client
) -> None:
    decide(CreateVlan(past.server1.pk, "eth0.100", "eth0", 100))
    text = main_of(as_operator.get(address(past, "server_topology server"), {"as_of": 5}).text)
    assert "eth0.100" in text and "to be made" not in text


def test_what_is_observed_is_called_as_it_is_today(past: Scene, as_operator: Client) -> None:
    state = head().state
    web = replace(state.networks[0], bridge="vn-web")
    write(replace(state, networks=(web,), assignments=(Assignment(A, past.server1.pk, "eth0"),)))
    bridge = Bridge.objects.create(server=past.server1, name="vn-web", is_up=True)
    Adapter.objects.filter(server=past.server1, name="eth0").update(bridge=bridge)
    ContainerInterface.objects.filter(container__ctid="103").update(bridge=bridge)
    for name in ("server_topology server", "topology"):
        text = main_of(as_operator.get(address(past, name), {"as_of": 0, "state": "observed"}).text)
        assert "Bridge vn-web" not in text, name
        assert "Virtual Network Web" in text, name
    of_network = as_operator.get(address(past, "network_topology network"), {"as_of": 2, "state": "observed"})
    assert "Bridge vn-web" not in of_network.text


def test_a_network_of_then_is_shown_in_pages(past: Scene, as_operator: Client) -> None:
    keys = [past.key(past.server2, str(ctid)) for ctid in range(300, 360)]
    for key in keys:
        make_container(past.server2, key.ctid, "eth0")
    decide(*(AddMember(A, key) for key in keys))
    decide(*(RemoveMember(key) for key in keys))
    where = address(past, "detail network")
    first, second, third = (
        main_of(as_operator.get(where, {"as_of": 5, "members": page}).text) for page in (1, 2, 9)
    )
    assert "ct349" in first and "ct350" not in first
    assert 'href="?as_of=5&amp;members=2#members-title"' in first
    assert "ct349" not in second and "ct359" in second
    assert "No more containers" in third
    assert ">60</td>" in second, "each server is there with all that it had"
