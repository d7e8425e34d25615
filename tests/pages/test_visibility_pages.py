"""Who sees whom on pages: matrices, the reason for a pair, ways out as drafts, and the review."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from networks.choices import ChangeState, MeasurementState
from networks.domain.state import AddAddress, Assign, CreateNetwork, RemoveMember
from networks.models import Change, Disagreement, Draft, Measurement
from networks.services import drafts, sight
from networks.state_json import dump_edits, load_edits
from nodes.choices import Role
from nodes.models import Container, ContainerInterface, GroupRole, PhysicalServer, ServerGroup
from tests.domain import scheme
from tests.networks.changes import decide
from tests.pages.conftest import logged_in
from tests.seeded import seed

pytestmark = pytest.mark.django_db


@pytest.fixture
def group() -> ServerGroup:
    """The manual's scheme, applied; the draft of its administrator is emptied, and nothing is measured."""
    seed()
    for model in (Draft, Measurement, Disagreement):
        model.objects.all().delete()
    return ServerGroup.objects.get(name="Lab")


@pytest.fixture
def admin_client(group: ServerGroup) -> Client:
    return logged_in(User.objects.get(username="admin"))


def words(response: Any) -> str:
    """The text of a page, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def test_a_group_shows_who_sees_whom_collapsed_to_those_who_see_the_same(admin_client: Client) -> None:
    page = words(admin_client.get(reverse("networks:group_visibility", args=[ServerGroup.objects.get().pk])))
    assert "Containers 102, 103 and 202: reaches Other hosts" in page
    assert "Containers 203 and 204: reaches each other" in page
    assert "Container 303 (c303): does not reach Other hosts" in page
    assert "winnie:" not in page


def test_a_network_and_a_server_show_their_own(admin_client: Client) -> None:
    network = words(admin_client.get(reverse("networks:network_visibility", args=[scheme.D])))
    assert "Containers 205 and 301: reaches each other" in network
    assert "Containers 205 and 301: does not reach Physical server server2" in network
    server = words(admin_client.get(reverse("networks:server_visibility", args=[3])))
    assert "Container 302 (c302): reaches Container 303 (c303)" in server


@pytest.mark.parametrize("state", ["decided", "draft", "observed"])
def test_every_state_can_be_asked(admin_client: Client, state: str) -> None:
    response = admin_client.get(reverse("networks:server_visibility", args=[2]), {"state": state})
    assert "Containers 203 and 204: reaches each other" in words(response)


def test_a_page_of_the_matrix_asks_the_database_a_fixed_number_of_times(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(20):
        admin_client.get(reverse("networks:group_visibility", args=[ServerGroup.objects.get().pk]))


def test_explain_says_why_303_reaches_no_other_hosts_and_where_the_path_breaks(admin_client: Client) -> None:
    page = words(admin_client.get(reverse("networks:explain"), {"from": "303", "to": "other hosts"}))
    assert "Virtual Network E on physical server server3 is local" in page
    assert "ip link show master vn-e" in page and "Does not hold" in page
    assert "Make Container 302 (c302) a router for Container 303 (c303)" in page
    assert "Not enough alone" in page


def test_explain_answers_htmx_with_the_answer_alone(admin_client: Client) -> None:
    response = admin_client.get(
        reverse("networks:explain"), {"from": "c:1:102", "to": "s:2"}, headers={"HX-Request": "true"}
    )
    assert response.content.decode().lstrip().startswith('<div id="answer"')
    assert "Yes" in words(response)


@pytest.mark.parametrize("text", ["999", "nobody here", "c:1:999", "s:77", "o:9", "i:1:102:eth7", "<b>x</b>"])
def test_explain_says_what_it_does_not_know_beside_the_field(admin_client: Client, text: str) -> None:
    response = admin_client.get(reverse("networks:explain"), {"from": text, "to": "server1"})
    assert "There is no Container, physical server or segment" in words(response)
    assert 'aria-describedby="from-error"' in response.content.decode()


def test_a_fix_goes_into_the_draft_and_nowhere_else(admin_client: Client) -> None:
    url = reverse("networks:explain")
    page = admin_client.get(url, {"from": "303", "to": "other hosts"}).content.decode()
    token = re.search(r'name="token" value="(\w+)"', page)
    assert token
    fields = {"from": "c:3:303", "to": "o:1", "token": token[1]}
    fields["to"] = re.search(r'name="to" value="(o:\d+)"', page)[1]  # type: ignore[index]
    response = admin_client.post(reverse("networks:take_fix"), fields)
    assert response.headers["Location"] == reverse("networks:draft")
    assert load_edits(Draft.objects.get().edits) == (Assign(scheme.E, 3, "eth0"),)


def offered(page: str) -> dict[str, str]:
    """What can be added to the draft on a page of Explain: tokens by titles."""
    items = [item.partition("</h3>") for item in page.split('fix-title">')[1:]]
    found = {title: re.search(r'name="token" value="(\w+)"', rest) for title, _, rest in items}
    return {title: token[1] for title, token in found.items() if token}


def test_a_fix_that_is_enough_goes_into_the_draft_as_a_whole(admin_client: Client) -> None:
    url = reverse("networks:explain")
    page = admin_client.get(url, {"from": "303", "to": "other hosts"}).content.decode()
    title = (
        "Assign Virtual Network E to eth0 of physical server server3, and give eth0 of Container 303 (c303) "
        "the address 10.77.0.33/24"
    )
    fields = {"from": "c:3:303", "to": "other hosts", "token": offered(page)[title]}
    response = admin_client.post(reverse("networks:take_fix"), fields, follow=True)
    assert load_edits(Draft.objects.get().edits) == (
        Assign(scheme.E, 3, "eth0"),
        AddAddress(scheme.interface(3, "303"), "10.77.0.33/24"),
    )
    assert "In your draft: Assign Virtual Network E" in words(response)
    page = words(admin_client.get(url, {"from": "303", "to": "other hosts"}))
    assert "Container 303 (c303) reaches other hosts: Virtual Network E is assigned to eth0" in page


def test_a_host_routed_address_goes_into_the_draft(admin_client: Client) -> None:
    url = reverse("networks:explain")
    page = admin_client.get(url, {"from": "303", "to": "other hosts"}).content.decode()
    assert "only known not to be used by what the panel sees" in page
    token = offered(page)["Give Container 303 (c303) the host-routed address 10.77.0.33"]
    fields = {"from": "c:3:303", "to": "other hosts", "token": token}
    admin_client.post(reverse("networks:take_fix"), fields)
    assert load_edits(Draft.objects.get().edits) == (
        AddAddress(scheme.interface(3, "303", "venet0"), "10.77.0.33/32"),
    )
    page = words(admin_client.get(url, {"from": "303", "to": "other hosts"}))
    assert "Container 303 (c303) has a host-routed interface" in page


@pytest.mark.parametrize("address", ["bridged", "host-routed"])
def test_no_address_is_proposed_that_a_container_has_which_was_not_looked_at(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """In a large installation a page looks at the servers that networks join: others are elsewhere."""
    monkeypatch.setattr(sight, "SMALL", 0)
    pair = {"from": "303", "to": "other hosts"}
    assert "10.77.0.33/24" in words(admin_client.get(reverse("networks:explain"), pair))
    far = PhysicalServer.objects.create(name="far", address="10.9.9.9", group=ServerGroup.objects.get())
    routed = "10.77.0.33" if address == "host-routed" else ""
    container = Container.objects.create(server=far, ctid="900", host_routed_text=routed)
    if address == "bridged":
        ContainerInterface.objects.create(
            container=container, ifname="eth0", mode="bridged", addresses_text="10.77.0.33/16 fd77::33/64"
        )
    page = words(admin_client.get(reverse("networks:explain"), pair))
    assert "10.77.0.33" not in page.replace("10.77.5.33", "") and "Assign Virtual Network E to eth0" in page


def test_a_fix_that_is_no_longer_offered_is_not_taken(admin_client: Client) -> None:
    fields = {"from": "c:3:303", "to": "s:1", "token": "0" * 16}
    response = admin_client.post(reverse("networks:take_fix"), fields, follow=True)
    assert "The situation has changed since" in words(response)
    assert not Draft.objects.exists()


def test_a_fix_is_never_taken_by_a_get(admin_client: Client) -> None:
    assert admin_client.get(reverse("networks:take_fix")).status_code == 405


def test_a_draft_shows_what_it_would_change(admin_client: Client) -> None:
    drafts.stage(User.objects.get(username="admin"), [Assign(scheme.C, 2, "eth1")])
    seen = {
        state: words(
            admin_client.get(
                reverse("networks:explain"), {"from": "203", "to": "other hosts", "state": state}
            )
        )
        for state in ("decided", "draft")
    }
    assert "Container 203 (c203) does not reach other hosts" in seen["decided"]
    assert "Container 203 (c203) reaches other hosts" in seen["draft"]


def test_who_may_not_see_a_server_is_told_nothing_of_it(group: ServerGroup) -> None:
    other = ServerGroup.objects.create(name="Other")
    PhysicalServer.objects.filter(name="server3").update(group=other)
    user = User.objects.create_user("vera", password="x")
    GroupRole.objects.create(user=user, group=group, role=Role.VIEWER)
    client = logged_in(user)
    assert client.get(reverse("networks:server_visibility", args=[3])).status_code == 404
    assert client.get(reverse("networks:group_visibility", args=[other.pk])).status_code == 404
    for url in (
        reverse("networks:network_visibility", args=[scheme.D]),
        reverse("networks:explain") + "?from=205&to=other+hosts",
    ):
        text = client.get(url).content.decode()
        assert "server3" not in text and "301" not in text and "c:3:" not in text
    assert "There is no Container" in words(
        client.get(reverse("networks:explain"), {"from": "303", "to": "205"})
    )


def test_the_review_says_first_who_gains_and_who_loses_sight_of_whom(admin_client: Client) -> None:
    admin = User.objects.get(username="admin")
    edits = (Assign(scheme.C, 2, "eth1"), RemoveMember(scheme.interface(1, "103")))
    change = Change.objects.create(
        author=admin, edits=dump_edits(edits), base=1, state=ChangeState.PLANNED, summary="Two things."
    )
    page = words(admin_client.get(reverse("networks:change", args=[change.pk])))
    assert "Containers 203 and 204 come to see" in page
    assert "no longer sees" in page or "no longer see" in page
    assert page.index("Who sees whom") < page.index("No server has to be changed")


def test_a_review_that_changes_nobodys_sight_says_so(admin_client: Client) -> None:
    change = Change.objects.create(
        author=User.objects.get(username="admin"),
        edits=dump_edits([CreateNetwork("00000000-0000-4000-8000-0000000000aa", "Z")]),
        base=1,
        state=ChangeState.PLANNED,
    )
    page = words(admin_client.get(reverse("networks:change", args=[change.pk])))
    assert "Nobody gains or loses sight of anybody" in page


def review(**columns: Any) -> Change:
    """A reviewed Change of the administrator, who applies nothing yet."""
    admin = User.objects.get(username="admin")
    return Change.objects.create(
        author=admin, base=1, state=ChangeState.PLANNED, summary="It.", **{"edits": "[]"} | columns
    )


def taken_out_by_hand(server: int, ctid: str) -> None:
    """As a look finds it."""
    rows = ContainerInterface.objects.filter(container__server_id=server, container__ctid=ctid)
    rows.filter(ifname="eth0").update(bridge=None)


def test_the_review_of_a_repair_compares_with_what_was_found(admin_client: Client) -> None:
    taken_out_by_hand(2, "203")
    taken_out_by_hand(1, "103")
    change = review(repairs=[2])
    page = words(admin_client.get(reverse("networks:change", args=[change.pk])))
    assert "Predicted: what the last looks found against after" in page
    gains = page[page.index("Who sees whom") :]
    assert re.search(r"Gained Container 203 [^.]* comes to see [^.]*Container 204", gains)
    assert "103" not in gains and "Lost" not in gains, "server1 is not repaired"


def test_the_review_of_an_adoption_tells_no_losses_that_have_happened(admin_client: Client) -> None:
    taken_out_by_hand(2, "203")
    edits = dump_edits([RemoveMember(scheme.interface(2, "203"))])
    adopted = review(edits=edits, is_found=True)
    page = words(admin_client.get(reverse("networks:change", args=[adopted.pk])))
    assert "Compared with what the last looks found, nobody gains or loses sight of anybody" in page
    typed = review(edits=edits)
    page = words(admin_client.get(reverse("networks:change", args=[typed.pk])))
    assert "Predicted: what is decided now against after" in page
    assert re.search(r"Lost Container 203 [^.]* no longer sees [^.]*Container 204", page)


def test_what_was_measured_lies_over_the_prediction(admin_client: Client) -> None:
    now = timezone.now()
    cells = [
        ["c:2:203", "c:2:204", "ip", "yes", "yes"],
        ["c:2:203", "s:2", "ip", "no", "yes"],
        ["c:2:204", "s:2", "ip", "no", "unknown"],
    ]
    Measurement.objects.create(
        servers=[2], state=MeasurementState.DONE, cells=cells, ended_at=now, silent={"3": "It is off."}
    )
    Disagreement.objects.create(
        key="x", text="203 should not reach it.", servers=[2], first_seen_at=now, last_seen_at=now
    )
    page = words(admin_client.get(reverse("networks:server_visibility", args=[2]), {"state": "decided"}))
    assert "Containers 203 and 204: reaches each other, as measured" in page
    assert "does not reach Physical server server2, but measured otherwise" in page
    pair = {"from": "203 on server2", "to": "204", "state": "decided"}
    assert "Measured last: a ping was answered" in words(admin_client.get(reverse("networks:explain"), pair))
    pair |= {"to": "server2"}
    assert "That is not as predicted" in words(admin_client.get(reverse("networks:explain"), pair))
    assert "203 should not reach it." in page and "server3 could not be asked: It is off." in page


def test_groups_of_hosts_that_were_too_many_to_be_tried_are_counted(admin_client: Client) -> None:
    now = timezone.now()
    silent = {Measurement.LEFT_OUT: "3", "3": "It is off."}
    Measurement.objects.create(servers=[2], state=MeasurementState.DONE, ended_at=now, silent=silent)
    page = words(admin_client.get(reverse("networks:server_visibility", args=[2])))
    assert "3 more groups of hosts could not be asked: one measurement tries 24 hosts." in page
    assert "server3 could not be asked: It is off." in page


def test_a_measurement_is_asked_for_by_button_and_polled_until_it_ends(admin_client: Client) -> None:
    url = reverse("networks:measure_server", args=[2])
    response = admin_client.post(url)
    assert response.headers["Location"] == f"{reverse('networks:server_visibility', args=[2])}?state=decided"
    row = Measurement.objects.get()
    assert row.servers == [2] and row.state == MeasurementState.WAITING
    page = admin_client.get(reverse("networks:server_visibility", args=[2])).content.decode()
    assert f'hx-get="{url}"' in page
    fragment = admin_client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "every 2s" in fragment and "<html" not in fragment
    Measurement.objects.update(state=MeasurementState.DONE, ended_at=timezone.now())
    fragment = admin_client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "every 2s" not in fragment and "Measured at" in fragment


def test_who_only_looks_may_not_measure(group: ServerGroup) -> None:
    user = User.objects.create_user("vera", password="x")
    GroupRole.objects.create(user=user, group=group, role=Role.VIEWER)
    assert logged_in(user).post(reverse("networks:measure_server", args=[2])).status_code == 403
    assert not Measurement.objects.exists()


@pytest.mark.parametrize("is_nowhere", [True, False])
def test_where_no_server_can_be_asked_nothing_is_measured(
    admin_client: Client, group: ServerGroup, is_nowhere: bool
) -> None:
    network = scheme.D
    if is_nowhere:
        network = "6f1c3a1e-0000-4000-8000-000000000001"
        decide(CreateNetwork(network, "Nowhere"))
    else:
        PhysicalServer.objects.update(is_enabled=False)
    url = reverse("networks:measure_network", args=[network])
    nobody = logged_in(User.objects.create_user("nobody", password="x"))
    viewer = User.objects.create_user("vera", password="x")
    GroupRole.objects.create(user=viewer, group=group, role=Role.VIEWER)
    assert [client.post(url).status_code for client in (nobody, logged_in(viewer))] == [403, 403]
    page = words(admin_client.post(url, follow=True))
    assert "No physical server of it can be asked." in page and "are being asked" not in page
    assert not Measurement.objects.exists()


def test_a_bare_interface_name_is_asked_back_with_links(admin_client: Client) -> None:
    text = admin_client.get(
        reverse("networks:explain"), {"from": "eth0", "to": "other hosts"}
    ).content.decode()
    assert "“eth0” is an interface in Containers: say in which." in text
    assert 'href="?from=102%20eth0%20on%20server1&amp;to=other%20hosts"' in text


def test_a_host_routed_container_is_told_where_its_servers_way_ends(admin_client: Client) -> None:
    text = admin_client.get(reverse("networks:explain"), {"from": "101", "to": "205"}).content.decode()
    assert "sends by its host-routed interface to physical server server1" in text
    assert "Virtual Network D is isolated within VLAN 100" in text
    assert "has only a host-routed interface, which is on no layer-2 network" not in text
