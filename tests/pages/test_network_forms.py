"""The forms of virtual networks turn what was clicked into edits of the draft, and refuse with the reason."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from networks.desired import head
from networks.domain.state import (
    AddInterface,
    AddMember,
    Assign,
    CreateNetwork,
    DeleteNetwork,
    DescribeNetwork,
    RemoveMember,
    Unassign,
)
from networks.models import NetworkIntent
from networks.services import drafts
from networks.services.validate import problems
from networks.state_json import load_edits
from nodes.models import Adapter, Bridge, Container, ContainerInterface
from tests.networks.changes import decide
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


def draft(user: Any) -> tuple[Any, ...]:
    return load_edits(drafts.draft_of(user).edits)


def test_a_network_is_created_on_a_server_with_its_adapter_and_members(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    response = as_operator.post(
        reverse("networks:create_on_server", args=[scene.server1.pk]),
        {
            "name": "A",
            "description": "first",
            "adapter": "adapter:eth0",
            "members": [f"{scene.server1.pk}/102/eth0", f"{scene.server1.pk}/103/eth0"],
        },
    )
    assert response.status_code == 302
    created, *rest = draft(operator)
    assert (created.name, created.description) == ("A", "first")
    assert set(rest) == {
        Assign(created.id, scene.server1.pk, "eth0"),
        AddMember(created.id, scene.key(scene.server1, "102")),
        AddMember(created.id, scene.key(scene.server1, "103")),
    }
    assert "1 pending edit" not in as_operator.get(reverse("networks:list")).text
    assert "4</b> pending edits" in as_operator.get(reverse("networks:list")).text


@pytest.mark.parametrize("name", ["A", "a", "  A  "])
def test_a_name_that_is_taken_is_refused_beside_the_field(
    scene: Scene, operator: Any, as_operator: Client, name: str
) -> None:
    decide(CreateNetwork(A, "A"))
    response = as_operator.post(reverse("networks:create"), {"name": name})
    assert "already exists" in response.text
    assert draft(operator) == ()


def test_a_name_that_the_draft_has_is_refused_too(scene: Scene, operator: Any, as_operator: Client) -> None:
    drafts.stage(operator, [CreateNetwork(A, "A")])
    assert "already exists" in as_operator.post(reverse("networks:create"), {"name": "A"}).text


@pytest.mark.parametrize("name", ["X", "x", "  X  "])
def test_a_name_that_the_draft_gives_to_a_stored_network_is_refused(
    scene: Scene, operator: Any, as_operator: Client, name: str
) -> None:
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"))
    drafts.stage(operator, [DescribeNetwork(A, "X")])
    on_server = reverse("networks:create_on_server", args=[scene.server1.pk])
    of_b = reverse("networks:configure", args=[B])
    for address in (reverse("networks:create"), on_server, of_b):
        assert "already exists" in as_operator.post(address, {"name": name, "adapter": "none"}).text
    assert draft(operator) == (DescribeNetwork(A, "X"),)
    # Its own name is nobody else's.
    of_a = reverse("networks:configure", args=[A])
    assert as_operator.post(of_a, {"name": name, "description": "more"}).status_code == 302
    assert draft(operator) == (DescribeNetwork(A, name.strip(), "more"),)


@pytest.mark.parametrize("freed_by", [DescribeNetwork(A, "X"), DeleteNetwork(A)])
def test_a_name_that_the_draft_frees_can_be_given_again(
    scene: Scene, operator: Any, as_operator: Client, freed_by: Any
) -> None:
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"))
    drafts.stage(operator, [freed_by])
    assert as_operator.post(reverse("networks:configure", args=[B]), {"name": "a"}).status_code == 302
    assert draft(operator) == (freed_by, DescribeNetwork(B, "a"))
    # Taken again by that, and B's is free.
    assert "already exists" in as_operator.post(reverse("networks:create"), {"name": "A"}).text
    assert as_operator.post(reverse("networks:create"), {"name": "B"}).status_code == 302
    edits = draft(operator)
    assert not [p for p in problems(head().state, edits, operator) if p.severity == "refuse"]
    assert "a" in {network.name for network in decide(*edits).networks}


def test_a_taken_adapter_is_shown_with_who_has_it_and_refused(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), CreateNetwork(B, "B"))
    address = reverse("networks:configure_on_server", args=[scene.server1.pk, B])
    assert "taken by A" in as_operator.get(address).text
    response = as_operator.post(address, {"adapter": "adapter:eth0"})
    assert "eth0 cannot be used: taken by A" in response.text
    assert draft(operator) == ()


def test_an_adapter_that_the_draft_frees_is_offered(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), CreateNetwork(B, "B"))
    drafts.stage(operator, [Unassign(A, scene.server1.pk)])
    address = reverse("networks:configure_on_server", args=[scene.server1.pk, B])
    assert as_operator.post(address, {"adapter": "adapter:eth0"}).status_code == 302
    assert Assign(B, scene.server1.pk, "eth0") in draft(operator)


def test_a_host_routed_interface_is_refused_with_the_reason(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    decide(CreateNetwork(A, "A"))
    address = reverse("networks:configure_on_server", args=[scene.server1.pk, A])
    assert "host-routed; only bridged interfaces can join" in as_operator.get(address).text
    response = as_operator.post(address, {"adapter": "local", "members": [f"{scene.server1.pk}/101/venet0"]})
    assert "cannot join: host-routed" in response.text
    assert draft(operator) == ()


def test_an_interface_of_another_network_is_refused(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(scene.server1, "102")), CreateNetwork(B, "B"))
    address = reverse("networks:configure_on_server", args=[scene.server1.pk, B])
    response = as_operator.post(address, {"adapter": "local", "members": [f"{scene.server1.pk}/102/eth0"]})
    assert "cannot join: in A" in response.text


@pytest.mark.parametrize("adapter", ["adapter:eth9", "adapter:", "eth0", "adapter:eth0;reboot"])
def test_a_crafted_adapter_is_refused(scene: Scene, operator: Any, as_operator: Client, adapter: str) -> None:
    decide(CreateNetwork(A, "A"))
    address = reverse("networks:configure_on_server", args=[scene.server1.pk, A])
    assert as_operator.post(address, {"adapter": adapter}).status_code == 200
    assert draft(operator) == ()


@pytest.mark.parametrize("member", ["x", "1/2", "999/102/eth0", "../102/eth0", "1/102/eth0'--"])
def test_a_crafted_member_is_refused(scene: Scene, operator: Any, as_operator: Client, member: str) -> None:
    decide(CreateNetwork(A, "A"))
    address = reverse("networks:configure_on_server", args=[scene.server1.pk, A])
    as_operator.post(address, {"adapter": "none", "members": [member]})
    assert draft(operator) == ()


def test_members_are_taken_out_from_the_configure_page(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), AddMember(A, key))
    as_operator.post(
        reverse("networks:members", args=[A]), {"remove": [f"{scene.server1.pk}/102/eth0", "junk"]}
    )
    assert draft(operator) == (RemoveMember(key),)
    assert "leaves in your draft" in as_operator.get(reverse("networks:configure", args=[A])).text


def test_a_network_in_use_is_not_deleted_and_says_by_what(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(scene.server1, "102")))
    response = as_operator.post(reverse("networks:delete", args=[A]))
    assert response.status_code == 409
    assert "102" in response.text and "in use" in response.text
    assert draft(operator) == ()


def test_an_unused_network_is_deleted_in_the_draft(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"))
    as_operator.post(reverse("networks:delete", args=[A]))
    assert draft(operator) == (DeleteNetwork(A),)
    assert as_operator.get(reverse("networks:detail", args=[A])).status_code == 404


def test_a_network_that_only_the_draft_has_is_taken_out_of_it(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    """Found in review: history and revert were promised, and a draft that was empty then had the deletion."""
    drafts.stage(operator, [CreateNetwork(A, "A")])
    address = reverse("networks:delete", args=[A])
    text = as_operator.get(address).text
    assert "A is only in your draft; it is taken out of it." in text and "Take it out of the draft" in text
    assert "history" not in text.split('id="content"')[1] and "Add the deletion" not in text
    text = as_operator.post(address, follow=True).text
    assert "A is no longer in your draft." in text and "Deleting A" not in text
    assert draft(operator) == ()


def test_it_is_said_that_intents_do_not_come_back_with_a_network(scene: Scene, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"))
    address = reverse("networks:delete", args=[A])
    text = as_operator.get(address).text
    assert "can be reverted." in text and "intent" not in text.split("can be reverted")[1].split("</p>")[0]
    NetworkIntent.objects.create(network_id=A, kind="isolated")
    assert "but its intent goes with it and does not come back." in as_operator.get(address).text
    NetworkIntent.objects.create(network_id=A, kind="together")
    assert "but its 2 intents go with it and do not come back." in as_operator.get(address).text
    decide(DeleteNetwork(A))
    decide(CreateNetwork(A, "A"))
    assert not NetworkIntent.objects.exists(), "else the page would say what is not so"


def test_a_windows_server_is_only_shown(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"))
    page = as_operator.get(reverse("networks:configure_on_server", args=[scene.windows.pk, A]))
    assert "only shown" in page.text


def test_names_from_people_and_servers_are_escaped(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "<script>alert(1)</script>"), AddMember(A, scene.key(scene.server1, "102")))
    scene.server1.containers.filter(ctid="102").update(name="<script>alert(2)</script>")
    for name in ("networks:detail", "networks:configure"):
        assert "<script>alert" not in as_operator.get(reverse(name, args=[A])).text
    assert "<script>alert" not in as_operator.get(reverse("networks:list")).text


def test_two_adapters_of_one_found_bridge_are_refused_at_once(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    bridge = Bridge.objects.create(server=scene.server1, name="br0")
    Adapter.objects.create(server=scene.server1, name="eth1", bridge=bridge)
    Adapter.objects.filter(server=scene.server1, name="eth0").update(bridge=bridge)
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"), Assign(A, scene.server1.pk, "eth0"))
    address = reverse("networks:configure_on_server", args=[scene.server1.pk, B])
    response = as_operator.post(address, {"adapter": "adapter:eth1"})
    assert "are both in bridge br0" in response.text
    response = as_operator.post(
        reverse("networks:create_on_server", args=[scene.server1.pk]),
        {"name": "C", "adapter": "adapter:eth1"},
    )
    assert "are both in bridge br0" in response.text
    assert draft(operator) == ()


def checked(text: str) -> dict[str, list[str]]:
    """What a browser sends of the page's form when nothing was touched."""
    fields: dict[str, list[str]] = {}
    for tag in re.findall(r"<input\b[^>]*>", text.split('id="content"')[1]):
        said = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if said.get("name") in ("adapter", "members") and " checked" in tag and " disabled" not in tag:
            fields.setdefault(said["name"], []).append(said["value"])
    return fields


@pytest.mark.parametrize("what", ["nothing", "interface", "container", "host-routed", "adapter", "drafted"])
def test_saved_untouched_the_form_changes_nothing_whatever_is_gone(
    scene: Scene, operator: Any, as_operator: Client, what: str
) -> None:
    server = scene.server1
    decide(CreateNetwork(A, "A"), Assign(A, server.pk, "eth0"), AddMember(A, scene.key(server, "102")))
    interfaces = ContainerInterface.objects.filter(container__server=server, container__ctid="102")
    now = timezone.now()
    if what == "interface":
        interfaces.update(gone_at=now)
    elif what == "container":
        Container.objects.filter(ctid="102").update(gone_at=now)
    elif what == "host-routed":
        interfaces.update(mode="host-routed")
    elif what == "adapter":
        Adapter.objects.filter(server=server).update(gone_at=now)
    elif what == "drafted":
        new = scene.key(server, "103", "eth7")
        drafts.stage(operator, [AddInterface(new), AddMember(A, new)])
    before = draft(operator)
    address = reverse("networks:configure_on_server", args=[server.pk, A])
    sent = checked(as_operator.get(address).text)
    assert "adapter:eth0" in sent["adapter"] and f"{server.pk}/102/eth0" in sent["members"]
    assert as_operator.post(address, sent).status_code == 302
    assert draft(operator) == before


def test_a_network_with_members_alone_is_local_on_its_form_too(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    """Found in review: the list said "local", and its form had "Not defined here" ticked."""
    server = scene.server1
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(server, "102")))
    address = reverse("networks:configure_on_server", args=[server.pk, A])
    text = as_operator.get(address).text
    assert checked(text)["adapter"] == ["local"]
    assert "Local: bridged to no network adapter" in text and "see only one another" not in text
    as_operator.post(address, {"adapter": "none", "shown_adapter": "local", "shown_member": []})
    assert draft(operator) == (), "nothing is assigned, and no tick was taken away"


@pytest.mark.parametrize("adapter", ["eth0", None])
def test_a_network_is_not_left_undefined_where_containers_stay_in_it(
    scene: Scene, operator: Any, as_operator: Client, adapter: str | None
) -> None:
    server, key = scene.server1, scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), Assign(A, server.pk, adapter), AddMember(A, key))
    address = reverse("networks:configure_on_server", args=[server.pk, A])
    response = as_operator.post(address, checked(as_operator.get(address).text) | {"adapter": ["none"]})
    assert "Take the containers out as well, or choose Local." in response.text
    assert draft(operator) == ()
    as_operator.post(address, {"adapter": "none", "members": []})
    assert set(draft(operator)) == {Unassign(A, server.pk), RemoveMember(key)}


def test_containers_alone_make_a_network_local_where_it_was_not_yet(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    server, key = scene.server1, scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"))
    sent = {"adapter": "none", "members": [f"{server.pk}/102/eth0"]}
    address = reverse("networks:configure_on_server", args=[server.pk, A])
    assert as_operator.post(address, sent).status_code == 302
    assert draft(operator) == (AddMember(A, key),)
    drafts.discard(operator)
    new = reverse("networks:create_on_server", args=[server.pk])
    assert as_operator.post(new, sent | {"name": "B"}).status_code == 302
    assert isinstance(draft(operator)[0], CreateNetwork) and len(draft(operator)) == 2
