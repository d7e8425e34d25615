"""Container network parameters: what the page shows, and what its forms put into the draft or refuse."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    Assign,
    CreateNetwork,
    Desired,
    RemoveAddress,
    RemoveInterface,
    RemoveMember,
)
from networks.services import drafts
from networks.services.changes import Conflict, apply_change
from networks.state_json import load_edits
from nodes.choices import ContainerStatus, InterfaceMode
from nodes.models import Container, ContainerInterface
from tests.networks.changes import decide, planned, was_decided
from tests.networks.conftest import Scene, make_container

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


def container(scene: Scene, ctid: str = "102") -> Container:
    return Container.objects.get(ctid=ctid, server__in=(scene.server1, scene.server2))


def page(scene: Scene, ctid: str = "102") -> str:
    return reverse("networks:container_network", args=[container(scene, ctid).pk])


def to(name: str, scene: Scene, ifname: str = "eth0", ctid: str = "102") -> str:
    return reverse(f"networks:{name}", args=[container(scene, ctid).pk, ifname])


def draft(user: Any) -> set[Any]:
    return set(load_edits(drafts.draft_of(user).edits))


def dialect(scene: Scene, name: str) -> None:
    type(scene.server1).objects.filter(pk=scene.server1.pk).update(vzctl_dialect=name)


# --- what is shown ---


def test_it_shows_every_adapter_with_its_facts(scene: Scene, as_viewer: Client) -> None:
    decide(CreateNetwork(A, "Alpha"), AddMember(A, scene.key(scene.server1, "102")))
    text = as_viewer.get(page(scene)).text
    for words in ("Container network parameters", "eth0", "Bridged", "Alpha", "10.77.0.102/24",
                  "00:18:51:00:02:00", "veth102.0"):  # fmt: skip
        assert words in text
    assert "<form" not in text.split('id="content"')[-1].split("adapter-eth0")[-1].split("</main>")[0]
    assert "Network</a>" in as_viewer.get(reverse("nodes:container", args=[container(scene).pk])).text


def test_host_routed_adapters_are_told_apart(scene: Scene, as_operator: Client) -> None:
    scene.server1.containers.filter(ctid="101").update(host_routed_text="10.77.0.101")
    text = as_operator.get(page(scene, "101")).text
    assert "Host-routed" in text and "cannot be in a virtual network" in text
    assert to("remove_interface", scene, "venet0", "101") not in text


def test_addresses_of_a_stopped_vzctl_4_container_are_unknown_not_none(
    scene: Scene, as_operator: Client
) -> None:
    one = container(scene)
    one.interfaces.update(addresses_text="", addresses_known=False)
    Container.objects.filter(pk=one.pk).update(status=ContainerStatus.STOPPED)
    text = as_operator.get(page(scene)).text
    assert "Unknown while the container is stopped" in text
    assert "which has to run for it" in text and to("add_address", scene) not in text


def test_a_container_without_adapters_is_told_what_to_do(scene: Scene, as_operator: Client) -> None:
    make_container(scene.server1, "104")
    text = as_operator.get(page(scene, "104")).text
    assert "No network adapters" in text and "Add Network Adapter" in text


def test_drafted_things_are_marked(scene: Scene, operator: Any, as_operator: Client) -> None:
    eth0, eth1 = scene.key(scene.server1, "102"), scene.key(scene.server1, "102", "eth1")
    drafts.stage(operator, [
        CreateNetwork(A, "A"), AddInterface(eth1, "00:18:51:aa:bb:cc"), AddMember(A, eth1),
        AddAddress(eth1, "10.77.0.5/24"), RemoveAddress(eth0, "10.77.0.102/24"),
    ])  # fmt: skip
    text = as_operator.get(page(scene)).text
    assert text.count("new in your draft") == 2 and "is removed in your draft" in text
    assert "00:18:51:aa:bb:cc" in text and "10.77.0.5/24" in text


def test_somebody_elses_container_does_not_exist(scene: Scene, django_user_model: Any) -> None:
    stranger = Client()
    stranger.force_login(django_user_model.objects.create_user("sam", password="correct-horse-battery"))
    assert stranger.get(page(scene)).status_code == 404
    assert stranger.post(to("remove_interface", scene)).status_code == 404


def test_a_viewer_changes_nothing(scene: Scene, viewer: Any, as_viewer: Client) -> None:
    add = reverse("networks:add_interface", args=[container(scene).pk])
    assert "disabled" in as_viewer.get(add).text
    for address, data in (
        (add, {"ifname": "eth1"}),
        (to("remove_interface", scene), {}),
        (to("add_address", scene), {"address": "10.77.0.5/24"}),
    ):
        assert as_viewer.post(address, data).status_code == 403
    assert draft(viewer) == set()


def test_nothing_is_changed_by_looking(scene: Scene, operator: Any, as_operator: Client) -> None:
    for name in (
        "interface_membership",
        "add_address",
        "remove_address",
        "remove_interface",
        "keep_interface",
    ):
        assert as_operator.get(to(name, scene)).status_code in (302, 405)
    assert draft(operator) == set()


def test_names_from_servers_are_escaped(scene: Scene, as_operator: Client) -> None:
    container(scene).interfaces.update(configured_bridge="<script>alert(1)</script>")
    assert "<script>alert" not in as_operator.get(page(scene)).text


def test_the_page_needs_few_queries(
    scene: Scene, as_operator: Client, django_assert_max_num_queries: Any
) -> None:
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(scene.server1, "102")))
    as_operator.get(page(scene))
    with django_assert_max_num_queries(14):
        as_operator.get(page(scene))


# --- adding ---


def add(client: Client, scene: Scene, ctid: str = "102", **fields: str) -> Any:
    address = reverse("networks:add_interface", args=[container(scene, ctid).pk])
    return client.post(address, {"ifname": "eth1", "network": "none", "mac": "", "address": ""} | fields)


def test_an_adapter_is_added_with_its_network_and_address(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    decide(CreateNetwork(A, "A"))
    response = add(as_operator, scene, network=A, mac="00-18-51-AA-BB-CC", address="10.77.0.5/24")
    assert response.status_code == 302
    key = scene.key(scene.server1, "102", "eth1")
    assert draft(operator) == {
        AddInterface(key, "00:18:51:aa:bb:cc"),
        AddMember(A, key),
        AddAddress(key, "10.77.0.5/24"),
    }
    assert (
        'value="eth2"' in as_operator.get(reverse("networks:add_interface", args=[container(scene).pk])).text
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"ifname": "eth0"}, "exists already"),
        ({"ifname": ""}, "required"),
        ({"ifname": "web"}, "veth102.0"),
        ({"ifname": "eth1;reboot"}, "not a name for a network adapter"),
        ({"ifname": "eth1,,,,br0"}, "not a name for a network adapter"),
        ({"ifname": "venet1"}, "host-routed"),
        ({"ifname": "sixteen-letters-"}, "at most 15 characters"),
        ({"mac": "01:00:5e:00:00:01"}, "not a MAC address"),
        ({"mac": "$(id)"}, "not a MAC address"),
        ({"address": "10.77.0.5"}, "prefix length"),
        ({"address": "10.77.0.255/24"}, "first or the last"),
        ({"address": "10.77.0.5/24; id"}, "Enter an IP address"),
        ({"network": "not-a-network"}, "Select a valid choice"),
        ({"network": B}, "Select a valid choice"),
    ],
)
def test_a_bad_field_is_refused_beside_it(
    scene: Scene, operator: Any, as_operator: Client, fields: dict[str, str], says: str
) -> None:
    response = add(as_operator, scene, **fields)
    assert response.status_code == 200 and says in response.text
    assert draft(operator) == set()


def test_an_address_needs_a_running_container_on_vzctl_4(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    scene.server1.containers.filter(ctid="102").update(status=ContainerStatus.STOPPED)
    assert "keeps no addresses" in add(as_operator, scene, address="10.77.0.5/24").text
    dialect(scene, "7")
    assert add(as_operator, scene, address="10.77.0.5/24").status_code == 302


def test_a_network_that_would_be_split_cannot_be_chosen(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(scene.server2, "202")), CreateNetwork(B, "B"))
    text = as_operator.get(reverse("networks:add_interface", args=[container(scene).pk])).text
    assert "assign it to a network adapter here first" in text and "B (local here)" in text
    assert "cannot be chosen" in add(as_operator, scene, network=A).text
    drafts.stage(operator, [Assign(A, scene.server1.pk, "eth0")])
    assert add(as_operator, scene, network=A).status_code == 302


def test_a_network_whose_containers_elsewhere_leave_in_the_draft_can_be_chosen(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    here, there = scene.key(scene.server1, "102"), scene.key(scene.server2, "202")
    other = scene.key(scene.server2, "201", "eth1")
    decide(CreateNetwork(A, "A"), AddMember(A, there), AddMember(A, other))
    refused = "assign it to a network adapter here first"
    for edits, is_refused in (
        ([RemoveMember(there)], True),
        ([RemoveMember(other)], False),
        ([AddMember(A, there)], True),
        ([RemoveMember(there)], False),
    ):
        drafts.stage(operator, edits)
        assert (refused in as_operator.get(page(scene)).text) == is_refused, edits
    assert as_operator.post(to("interface_membership", scene), {"network": A}).status_code == 302
    assert AddMember(A, here) in draft(operator)


# --- the network of an interface ---


def test_an_interface_is_put_into_moved_and_taken_out(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"), AddMember(A, key))
    as_operator.post(to("interface_membership", scene), {"network": B})
    assert draft(operator) == {RemoveMember(key), AddMember(B, key)}
    assert "changed in your draft" in as_operator.get(page(scene)).text
    as_operator.post(to("interface_membership", scene), {"network": "none"})
    assert draft(operator) == {RemoveMember(key)}
    as_operator.post(to("interface_membership", scene), {"network": A})
    assert draft(operator) == set()


def test_a_crafted_network_is_refused(scene: Scene, operator: Any, as_operator: Client) -> None:
    for value in (B, "1", "<script>"):
        response = as_operator.post(to("interface_membership", scene), {"network": value})
        assert response.status_code == 422 and "Select a valid choice" in response.text
    assert draft(operator) == set()


def test_a_host_routed_interface_has_no_network_to_choose(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    decide(CreateNetwork(A, "A"))
    response = as_operator.post(to("interface_membership", scene, "venet0", "101"), {"network": A})
    assert response.status_code == 404 and draft(operator) == set()


# --- removing ---


def test_removing_leaves_the_network_first_and_can_be_taken_back(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), AddMember(A, key))
    as_operator.post(to("remove_interface", scene))
    assert draft(operator) == {RemoveMember(key), RemoveInterface(key)}
    assert "is removed in your draft" in as_operator.get(page(scene)).text
    as_operator.post(to("keep_interface", scene))
    assert draft(operator) == set()


def test_removing_what_is_only_drafted_forgets_it(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"))
    add(as_operator, scene, network=A, address="10.77.0.5/24")
    as_operator.post(to("remove_interface", scene, "eth1"))
    assert draft(operator) == set()


def test_host_routed_and_unknown_ones_are_not_removed(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    response = as_operator.post(to("remove_interface", scene, "venet0", "101"), follow=True)
    assert "host-routed and cannot be removed here" in response.text
    assert as_operator.post(to("remove_interface", scene, "eth9")).status_code == 404
    assert draft(operator) == set()


# --- addresses ---


def test_addresses_are_added_and_removed(scene: Scene, operator: Any, as_operator: Client) -> None:
    key = scene.key(scene.server1, "102")
    as_operator.post(to("add_address", scene), {"address": " 10.77.0.5/24 "})
    as_operator.post(to("remove_address", scene), {"address": "10.77.0.102/24"})
    assert draft(operator) == {AddAddress(key, "10.77.0.5/24"), RemoveAddress(key, "10.77.0.102/24")}
    for address in ("10.77.0.5/24", "10.77.0.102/24"):  # each again: as if nothing had been asked
        as_operator.post(to("remove_address", scene), {"address": address})
    assert draft(operator) == set()


def test_a_host_routed_address_needs_no_length(scene: Scene, operator: Any, as_operator: Client) -> None:
    one = container(scene, "101")
    one.interfaces.filter(mode=InterfaceMode.HOST_ROUTED).update(addresses_text="10.77.0.101")
    key = scene.key(scene.server1, "101", "venet0")
    as_operator.post(to("add_address", scene, "venet0", "101"), {"address": "fd77::150"})
    as_operator.post(to("remove_address", scene, "venet0", "101"), {"address": "10.77.0.101"})
    assert draft(operator) == {AddAddress(key, "fd77::150/128"), RemoveAddress(key, "10.77.0.101/32")}
    other = scene.key(scene.server1, "102", "venet0")
    as_operator.post(to("add_address", scene, "venet0"), {"address": "10.77.0.150"})
    assert AddAddress(other, "10.77.0.150/32") in draft(operator)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("10.77.0.102/16", "already"),
        ("10.77.0.5", "prefix length"),
        ("224.0.0.1/24", "not an address"),
        ("10.1.1.1/0", "whole world"),
        ("2001:db8::5/0", "whole world"),
        ("x", "Enter an IP"),
    ],
)
def test_a_bad_address_is_refused_beside_its_field(
    scene: Scene, operator: Any, as_operator: Client, address: str, says: str
) -> None:
    response = as_operator.post(to("add_address", scene), {"address": address})
    assert response.status_code == 422 and says in response.text
    assert draft(operator) == set()


def test_addresses_of_a_bridge_inside_are_not_changed_here(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    scene.server2.containers.filter(ctid="201").update(joined=[["eth0", "eth1"]])
    assert "A bridge inside the container" in as_operator.get(page(scene, "201")).text
    response = as_operator.post(to("add_address", scene, "eth0", "201"), {"address": "10.77.0.5/24"})
    assert response.status_code == 422 and draft(operator) == set()
    as_operator.post(to("remove_address", scene, "eth0", "201"), {"address": "10.77.0.201/24"})
    assert draft(operator) == set()


def test_a_crafted_address_to_remove_is_refused(scene: Scene, as_operator: Client) -> None:
    assert as_operator.post(to("remove_address", scene), {"address": "10.0.0.9/24"}).status_code == 404


# --- at the decision ---


def test_a_member_that_is_made_later_gets_its_row_at_the_decision(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    key = scene.key(scene.server1, "102", "eth1")
    after = decide(CreateNetwork(A, "A"), AddInterface(key), AddMember(A, key))
    assert after.new_interfaces and Desired() != after
    row = ContainerInterface.objects.get(container=container(scene), ifname="eth1")
    assert row.gone_at is not None and str(row.membership.network_id) == A
    assert 'id="adapter-eth1"' not in as_operator.get(page(scene)).text


def test_of_two_reviews_that_add_one_adapter_the_second_is_not_applied(scene: Scene, operator: Any) -> None:
    key = scene.key(scene.server1, "102", "eth1")
    first = planned(operator, AddInterface(key), servers=(scene.server1,))
    second = planned(operator, AddInterface(key), servers=(scene.server1,))
    apply_change(operator, first, [])
    with pytest.raises(Conflict, match="under way"):
        apply_change(operator, second, [])


def test_an_errand_decided_since_the_review_is_a_conflict(scene: Scene, operator: Any) -> None:
    """Errands leave no trace in the newest revision: the Changes decided meanwhile tell of them."""
    key = scene.key(scene.server1, "102", "eth1")
    first = planned(operator, AddInterface(key), servers=(scene.server1,))
    second = planned(operator, AddInterface(key), servers=(scene.server1,))
    was_decided(first)
    type(first).objects.filter(pk=first.pk).update(state="done")
    first.operations.update(state="done")
    with pytest.raises(Conflict, match="decided since this review"):
        apply_change(operator, second, [])


@pytest.mark.django_db(transaction=True)
def test_two_simultaneous_posts_make_one_edit(scene: Scene, operator: Any) -> None:
    """Whatever order they come in, the draft has the adapter once."""
    codes: list[int] = []

    def post() -> None:
        client = Client()
        client.force_login(operator)
        codes.append(add(client, scene).status_code)
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 302 in codes and set(codes) <= {200, 302}
    assert draft(operator) == {AddInterface(scene.key(scene.server1, "102", "eth1"))}
