"""What no single field decides is staged, and then refused or warned of where the draft is shown.

Also posts that no form of ours sends. Which test breaks which rule in which way:
tests/networks/test_every_rule_every_way.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.choices import ChangeState
from networks.desired import head
from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan
from networks.services import drafts
from networks.services.changes import start_review
from networks.state_json import load_edits
from nodes.models import Adapter, Container, ContainerInterface, PhysicalSegment, PhysicalServer
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


def assign(client: Client, server: PhysicalServer, *values: str, network: str = A) -> Any:
    """Post the cell of a server on the network's configure page, as often as there are values."""
    data = {"server": [server.pk], f"on-{server.pk}-{network}": list(values)}
    return client.post(reverse("networks:assign", args=[network]), data)


def add(client: Client, server: PhysicalServer, ctid: str, ifname: str = "eth0", network: str = A) -> Any:
    return client.post(
        reverse("networks:add_members", args=[network]), {"add": [f"{server.pk}/{ctid}/{ifname}"]}
    )


def the_draft(client: Client) -> str:
    return client.get(reverse("networks:draft")).text


# --- 5 ---


def test_5_two_values_for_one_cell_are_one_assignment(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    Adapter.objects.create(server=scene.server1, name="eth1")
    decide(CreateNetwork(A, "A"))
    assign(as_operator, scene.server1, "adapter:eth0", "adapter:eth1")
    assign(as_operator, scene.server1, "adapter:eth0")
    assert load_edits(drafts.draft_of(operator).edits) == (Assign(A, scene.server1.pk, "eth0"),)
    one = scene.server1.pk
    change = planned(operator, Assign(A, one, "eth0"), Assign(A, one, "eth1"))
    as_operator.post(reverse("networks:apply_change", args=[change.pk]))
    assert len(head().state.assignments) == 1


# --- 7 and 8: refused where the draft is shown, and by its review ---


def local_on_two(scene: Scene, client: Client) -> str:
    decide(CreateNetwork(A, "A"))
    add(client, scene.server1, "102")
    add(client, scene.server2, "202")
    return "is local on"


def ring(scene: Scene, client: Client) -> str:
    two = scene.server2
    Adapter.objects.create(server=two, name="eth1", segment=scene.eth0(two).segment)
    Container.objects.filter(server=two, ctid="201").update(joined=[["eth0", "eth1"]])
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"), Assign(A, two.pk, "eth0"))
    add(client, two, "201", "eth0")
    add(client, two, "201", "eth1", network=B)
    assign(client, two, "adapter:eth1", network=B)
    return "frames would circle without end"


@pytest.mark.parametrize("case", [local_on_two, ring])
def test_what_only_the_whole_draft_breaks_is_refused_on_its_page(
    scene: Scene, operator: Any, as_operator: Client, case: Callable[[Scene, Client], str]
) -> None:
    words = case(scene, as_operator)
    page = the_draft(as_operator)
    assert words in page and "problem-refuse" in page
    change = start_review(operator)
    # The worker has not planned it: a review that was crafted to have found nothing.
    type(change).objects.filter(pk=change.pk).update(state=ChangeState.PLANNED, base=head().number)
    before = head().number
    response = as_operator.post(reverse("networks:apply_change", args=[change.pk]), follow=True)
    assert "It cannot be applied any more" in response.text and words in response.text
    assert head().number == before


# --- 10 to 14: warned of where the draft is shown ---


def split(scene: Scene, client: Client) -> str:
    Adapter.objects.filter(server=scene.server2).update(
        segment=PhysicalSegment.objects.create(name="the other hall")
    )
    decide(CreateNetwork(A, "A"))
    assign(client, scene.server1, "adapter:eth0")
    assign(client, scene.server2, "adapter:eth0")
    return "A is split"


def unknown_segment(scene: Scene, client: Client) -> str:
    Adapter.objects.filter(server=scene.server2).update(segment=None)
    decide(CreateNetwork(A, "A"))
    assign(client, scene.server1, "adapter:eth0")
    assign(client, scene.server2, "adapter:eth0")
    return "is one network is unknown"


def merged(scene: Scene, client: Client) -> str:
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"))
    assign(client, scene.server1, "adapter:eth0")
    assign(client, scene.server2, "adapter:eth0", network=B)
    return "A and B are one network"


def no_address(scene: Scene, client: Client) -> str:
    ContainerInterface.objects.filter(container__ctid="102").update(addresses_text="")
    decide(CreateNetwork(A, "A"))
    add(client, scene.server1, "102")
    return "has no IP address"


def address_twice(scene: Scene, client: Client) -> str:
    ContainerInterface.objects.filter(container__ctid="103").update(addresses_text="10.77.0.102/24")
    decide(CreateNetwork(A, "A"))
    add(client, scene.server1, "102")
    add(client, scene.server1, "103")
    return "have the same IP address 10.77.0.102"


def subnets_differ(scene: Scene, client: Client) -> str:
    ContainerInterface.objects.filter(container__ctid="103").update(addresses_text="10.9.0.103/24")
    decide(CreateNetwork(A, "A"))
    add(client, scene.server1, "102")
    add(client, scene.server1, "103")
    return "are in different subnets"


def tag_leak(scene: Scene, client: Client) -> str:
    one = scene.server1
    PhysicalServer.objects.filter(pk=one.pk).update(filters_tags=False)
    decide(CreateNetwork(A, "A"), CreateVlan(one.pk, "eth0.5", "eth0", 5))
    assign(client, one, "adapter:eth0")
    add(client, one, "102")
    return "can see and send frames of its VLAN adapters"


def reboot_risk(scene: Scene, client: Client) -> str:
    one = scene.server1
    boot = {
        "replay": "missing", "keeps": [["bridge", "vn-b"]], "ports": [], "dhcp": [], "hook": True, "off": [],
    }  # fmt: skip
    PhysicalServer.objects.filter(pk=one.pk).update(boot=boot)
    decide(CreateNetwork(A, "A"))
    assign(client, one, "adapter:eth0")
    return "would lose Virtual Network A at its next boot"


WARNED = [split, unknown_segment, merged, no_address, address_twice, subnets_differ, tag_leak, reboot_risk]


@pytest.mark.parametrize("case", WARNED)
def test_a_warning_is_shown_on_the_draft_and_with_the_network(
    scene: Scene, as_operator: Client, case: Callable[[Scene, Client], str]
) -> None:
    words = case(scene, as_operator)
    page = the_draft(as_operator)
    assert words in page and "problem-warn" in page and "problem-refuse" not in page
    assert words in as_operator.get(reverse("networks:detail", args=[A])).text


@pytest.mark.parametrize("ticked", [[], ["rule-1"], ["*"], ["rule-0 "], ["RULE-0"], ["rule-0,rule-1"], [""]])
def test_a_crafted_tick_accepts_no_warning(
    scene: Scene, operator: Any, as_operator: Client, ticked: list[str]
) -> None:
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"))
    warning = {"key": "rule-0", "severity": "warn", "text": "A is split.", "hint": "", "subjects": []}
    change = planned(operator, Assign(A, scene.server1.pk, "eth0"), problems=[warning])
    address = reverse("networks:apply_change", args=[change.pk])
    response = as_operator.post(address, {"tick": ticked}, follow=True)
    assert "Not ticked: A is split." in response.text
    assert head().number == 1


def test_no_post_takes_a_member_that_is_refused_beside_it(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    """One that may and one that may not, in one crafted post: none is staged."""
    decide(CreateNetwork(A, "A"))
    one = scene.server1
    data = {"add": [f"{one.pk}/102/eth0", f"{one.pk}/101/venet0"]}
    assert as_operator.post(reverse("networks:add_members", args=[A]), data).status_code == 422
    assert load_edits(drafts.draft_of(operator).edits) == ()
    assert not any(isinstance(edit, AddMember) for edit in load_edits(drafts.draft_of(operator).edits))
