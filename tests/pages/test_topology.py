"""The topology pages: what is drawn for whom, live, printable and without inline style."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from networks.domain.state import AddMember, Assign, CreateNetwork, RemoveMember
from networks.models import Disagreement, Drift
from networks.problem_check import check
from networks.services import drafts
from networks.topology_list import server_lines
from nodes.choices import ServerState
from nodes.models import Adapter, Container, PhysicalSegment, PhysicalServer, ServerGroup
from tests.networks.changes import decide
from tests.networks.conftest import Scene, make_container, make_server
from tests.nodes.fleet import make_fleet
from tests.pages.conftest import logged_in

HTMX = {"HTTP_HX_REQUEST": "true"}
MOST = 15


@pytest.fixture
def network_a(scene: Scene, network_id: str) -> str:
    """A on both servers, with one container of each."""
    decide(
        CreateNetwork(network_id, "A"),
        Assign(network_id, scene.server1.pk, "eth0"),
        Assign(network_id, scene.server2.pk, "eth0"),
        AddMember(network_id, scene.key(scene.server1, "102")),
        AddMember(network_id, scene.key(scene.server2, "201")),
    )
    return network_id


def pages(scene: Scene, network: str) -> list[str]:
    container = scene.server1.containers.get(ctid="102")
    return [
        reverse("networks:topology"),
        reverse("networks:group_topology", args=[scene.group.pk]),
        reverse("networks:server_topology", args=[scene.server1.pk]),
        reverse("networks:network_topology", args=[network]),
        reverse("networks:container_topology", args=[container.pk]),
    ]


def test_every_page_draws_the_network_and_links_to_it(
    as_viewer: Client, scene: Scene, network_a: str
) -> None:
    for page in pages(scene, network_a):
        for state in ("desired", "draft", "observed"):
            response = as_viewer.get(page, {"state": state})
            assert response.status_code == 200
            text = response.content.decode()
            assert '<svg class="topology' in text, page
            assert reverse("nodes:server", args=[scene.server1.pk]) in text
            if state == "desired":
                assert reverse("networks:detail", args=[network_a]) in text


def test_the_picture_has_no_inline_style_or_script(as_viewer: Client, scene: Scene, network_a: str) -> None:
    for page in pages(scene, network_a):
        text = as_viewer.get(page, **HTMX).content.decode()
        assert not re.search(r"\sstyle=|<style|<script|\son\w+=", text)


def test_the_list_says_the_same_as_the_picture(as_viewer: Client, scene: Scene, network_a: str) -> None:
    text = as_viewer.get(reverse("networks:topology")).content.decode()
    words = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    assert "Virtual Network A on eth0" in words
    assert "eth0 of container 102: in A" in words
    assert "venet0 of container 101: host-routed through the server" in words
    assert "eth1 of container 201: in no virtual network" in words


def test_a_poll_is_answered_304_until_something_changes(
    as_viewer: Client, scene: Scene, network_a: str
) -> None:
    page = reverse("networks:topology")
    first = as_viewer.get(page, **HTMX)
    assert first.status_code == 200
    again = as_viewer.get(page, HTTP_IF_NONE_MATCH=first["ETag"], **HTMX)
    assert again.status_code == 304
    PhysicalServer.objects.filter(pk=scene.server2.pk).update(state=ServerState.UNREACHABLE)
    changed = as_viewer.get(page, HTTP_IF_NONE_MATCH=first["ETag"], **HTMX)
    assert changed.status_code == 200
    assert "Unreachable" in changed.content.decode()


def test_a_poll_is_answered_anew_when_two_adapters_change_places(
    as_viewer: Client, scene: Scene, network_a: str
) -> None:
    """Each physical segment keeps its name and its number of adapters."""
    here, there = scene.eth0(scene.server1), scene.eth0(scene.server2)
    first, second = here.segment, PhysicalSegment.objects.create(name="second")
    Adapter.objects.filter(pk=there.pk).update(segment=second)
    page = reverse("networks:server_topology", args=[scene.server1.pk])
    before = as_viewer.get(page, **HTMX)
    assert "second" not in before.content.decode()
    Adapter.objects.filter(pk=here.pk).update(segment=second)
    Adapter.objects.filter(pk=there.pk).update(segment=first)
    changed = as_viewer.get(page, HTTP_IF_NONE_MATCH=before["ETag"], **HTMX)
    assert changed.status_code == 200
    assert "second" in changed.content.decode()


def test_what_stands_in_the_list_of_problems_is_a_sign_on_the_server(
    as_viewer: Client, scene: Scene, network_a: str
) -> None:
    page = reverse("networks:topology")
    first = as_viewer.get(page, **HTMX)
    now = timezone.now()
    Drift.objects.create(
        server=scene.server2,
        kind="adapter",
        name="eth0",
        property_name="MTU",
        first_seen_at=now,
        seen_at=now,
    )
    check()
    changed = as_viewer.get(page, HTTP_IF_NONE_MATCH=first["ETag"], **HTMX)
    assert changed.status_code == 200
    signs = changed.content.decode().partition('class="t-signs"')[2].partition("</svg>")[0]
    assert "1 property differs from what was decided on server2." in signs


def test_a_vlan_that_a_switch_does_not_carry_is_a_sign_on_its_wire(
    as_viewer: Client, scene: Scene, network_a: str
) -> None:
    now, eth0 = timezone.now(), scene.eth0(scene.server1)
    Disagreement.objects.create(
        key=f"trunk:{eth0.segment_id}:0:{scene.server1.pk}",
        text="The switch does not carry it to server1.",
        servers=[scene.server1.pk],
        first_seen_at=now,
        last_seen_at=now,
    )
    text = as_viewer.get(reverse("networks:topology")).content.decode()
    signs, _, rest = text.partition('class="t-signs"')[2].partition("</svg>")
    assert "The switch does not carry it to server1." in signs
    assert "physical network, untagged: The switch does not carry it to server1." in rest


def test_a_draft_is_drawn_for_its_author_only(
    as_operator: Client, as_viewer: Client, operator: Any, scene: Scene, network_a: str
) -> None:
    page = reverse("networks:topology")
    before = as_operator.get(page, **HTMX)["ETag"]
    key = scene.key(scene.server1, "102")
    drafts.stage(operator, [RemoveMember(key)])
    operator.refresh_from_db()
    response = as_operator.get(page, HTTP_IF_NONE_MATCH=before, **HTMX)
    assert "eth0 of container 102: in no virtual network, leaves A in your draft" in response.content.decode()
    assert "eth0 of container 102: in A" in as_viewer.get(page).content.decode()
    assert "eth0 of container 102: in A" in as_operator.get(page, {"state": "desired"}).content.decode()


def test_what_a_user_may_not_see_is_counted_and_not_named(
    as_viewer: Client, scene: Scene, network_a: str
) -> None:
    other = ServerGroup.objects.create(name="Elsewhere")
    hidden = make_server(other, scene.eth0(scene.server1).segment, "secret-server", "10.77.0.99")
    make_container(hidden, "999", "eth0")
    decide(
        Assign(network_a, hidden.pk, "eth0"),
        AddMember(network_a, scene.key(hidden, "999")),
    )
    for page in pages(scene, network_a):
        text = as_viewer.get(page, {"hops": "3"}).content.decode()
        assert "secret-server" not in text
        assert "1 more server" in text
    for name, key in (("group_topology", other.pk), ("server_topology", hidden.pk)):
        assert as_viewer.get(reverse(f"networks:{name}", args=[key])).status_code == 404
    container = hidden.containers.get()
    assert as_viewer.get(reverse("networks:container_topology", args=[container.pk])).status_code == 404
    assert as_viewer.get(reverse("networks:network_topology", args=[uuid.uuid4()])).status_code == 404


def test_names_are_escaped(as_viewer: Client, scene: Scene, network_a: str) -> None:
    Container.objects.filter(ctid="102").update(name='<b>"x"&')
    text = as_viewer.get(reverse("networks:topology")).content.decode()
    assert "<b>" not in text.partition("<svg")[2].partition("</svg>")[0].replace("<b>A", "")
    assert "&lt;b&gt;&quot;x&quot;&amp;" in text


def test_an_empty_installation_says_what_will_be_drawn(admin: Any) -> None:
    text = logged_in(admin).get(reverse("networks:topology")).content.decode()
    assert "Nothing to draw yet" in text


def test_strange_parameters_are_harmless(as_viewer: Client, scene: Scene, network_a: str) -> None:
    page = reverse("networks:server_topology", args=[scene.server1.pk])
    for hops in ("-1", "99", "x", "1e9", "9" * 500, "²"):
        assert as_viewer.get(page, {"hops": hops, "state": "<script>"}).status_code == 200


def test_a_large_group_is_drawn_small_in_few_queries(db: None, admin: Any) -> None:
    tops = make_fleet(servers=400, containers=10)
    client = logged_in(admin)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(reverse("networks:group_topology", args=[tops[0].pk]))
    assert len(queries) <= MOST, [q["sql"][:80] for q in queries]
    text = response.content.decode()
    assert text.count('class="t-column') <= 8
    assert "2000 containers" in text


def test_too_many_servers_to_draw_are_listed_in_words_a_page_at_a_time(
    db: None, admin: Any, network_id: str
) -> None:
    tops = make_fleet(servers=400, containers=1)
    first, second = PhysicalServer.objects.order_by("name")[:2]
    Adapter.objects.filter(server=first).update(is_up=True)
    Adapter.objects.filter(server=first, name="eth1").update(is_up=False)
    decide(CreateNetwork(network_id, "A"), Assign(network_id, first.pk, "eth0"))
    drafts.stage(admin, [Assign(network_id, second.pk, None)])
    client, where = logged_in(admin), reverse("networks:topology")
    client.get(where)
    with CaptureQueriesContext(connection) as queries:
        text = client.get(where).text
    assert len(queries) <= MOST, [q["sql"][:80] for q in queries]
    one, other = (row(text, server.name) for server in (first, second))
    assert "A on eth0" in one and "eth0, eth1 (down)" in one
    assert "A local (new in your draft)" in other
    assert "new in your draft" not in client.get(where, {"state": "desired"}).text
    assert text.count('<th scope="row">') == 50 and "servers=2" in text
    assert reverse("networks:group_topology", args=[tops[0].pk]) in text
    last = client.get(where, {"servers": 8, "state": "observed"}).text
    assert "node0399" in last and ">Next<" not in last and ">Observed<" not in last


def test_the_list_takes_six_queries(db: None, admin: Any) -> None:
    make_fleet(servers=60, containers=1)
    with CaptureQueriesContext(connection) as queries:
        server_lines(list(PhysicalServer.objects.all()), "draft", admin)
    assert len(queries) <= 6, [q["sql"][:80] for q in queries]


def test_a_large_group_without_groups_below_does_not_lead_to_itself(db: None, admin: Any) -> None:
    make_fleet(servers=310, containers=1)
    flat = ServerGroup.objects.create(name="Flat")
    PhysicalServer.objects.update(group=flat)
    where = reverse("networks:group_topology", args=[flat.pk])
    text = logged_in(admin).get(where).text.partition('id="topology"')[2].partition("</main>")[0]
    assert "310 physical servers" in text and "node0000" in text
    assert f'href="{where}"' not in text and "Rack" not in text


def row(text: str, server: str) -> str:
    """The server's row of the list, as words in one line."""
    found = next(part for part in text.split("<tr>") if f">{server}</a>" in part)
    return " ".join(re.sub(r"<[^>]*>", "", found).split())
