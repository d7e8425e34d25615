"""A form that was open while others decided changes what was touched in it, and nothing else."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    DescribeNetwork,
    RemoveMember,
    Unassign,
)
from networks.services import drafts
from networks.state_json import load_edits
from nodes.choices import AdapterKind
from nodes.models import Adapter, Container
from tests.networks.changes import decide
from tests.networks.conftest import Scene

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"


class Sent(HTMLParser):
    """What a browser sends of a page's fields: nothing of disabled ones."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self.select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "select":
            self.select = name
        elif "disabled" in given:
            return
        elif tag == "option" and "selected" in given:
            self.fields[self.select] = [value]
        elif tag == "input" and (given.get("type") in ("hidden", "text", "number") or "checked" in given):
            self.fields.setdefault(name, []).append(value)


def draft(user: Any) -> set[Any]:
    return set(load_edits(drafts.draft_of(user).edits))


def on_server(scene: Scene) -> str:
    return reverse("networks:configure_on_server", args=[scene.server1.pk, A])


def test_a_member_that_was_decided_since_stays_in(scene: Scene, operator: Any, as_operator: Client) -> None:
    two, three = scene.key(scene.server1, "102"), scene.key(scene.server1, "103")
    decide(CreateNetwork(A, "A"), AddMember(A, two))
    sent = Sent(as_operator.get(on_server(scene)).text).fields
    decide(AddMember(A, three), Assign(A, scene.server1.pk, "eth0"))
    sent["members"] = []
    assert as_operator.post(on_server(scene), sent).status_code == 302
    assert draft(operator) == {RemoveMember(two)}


def test_a_member_that_was_taken_out_since_stays_out(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    two, three = scene.key(scene.server1, "102"), scene.key(scene.server1, "103")
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), AddMember(A, two))
    sent = Sent(as_operator.get(on_server(scene)).text).fields
    decide(RemoveMember(two), Assign(A, scene.server1.pk, None))
    sent["members"].append(f"{scene.server1.pk}/103/eth0")
    as_operator.post(on_server(scene), sent)
    assert draft(operator) == {AddMember(A, three)}


def test_what_was_chosen_in_an_old_form_is_taken(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A"))
    sent = Sent(as_operator.get(on_server(scene)).text).fields
    decide(Assign(A, scene.server1.pk, None))
    as_operator.post(on_server(scene), sent | {"adapter": ["adapter:eth0"]})
    assert draft(operator) == {Assign(A, scene.server1.pk, "eth0")}


def test_it_is_still_so_after_the_form_came_back_with_an_error(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    three = scene.key(scene.server1, "103")
    decide(CreateNetwork(A, "A"))
    sent = Sent(as_operator.get(on_server(scene)).text).fields
    decide(AddMember(A, three))
    again = as_operator.post(on_server(scene), sent | {"adapter": ["adapter:nowhere"]})
    assert again.status_code == 200
    sent = Sent(again.text).fields
    as_operator.post(on_server(scene), sent | {"adapter": ["adapter:eth0"]})
    assert draft(operator) == {Assign(A, scene.server1.pk, "eth0")}


@pytest.mark.parametrize("where", ["grid", "configure"])
def test_cells_that_were_not_touched_stay_as_others_decided(
    scene: Scene, operator: Any, as_operator: Client, where: str
) -> None:
    one, two = scene.server1.pk, scene.server2.pk
    Adapter.objects.create(server=scene.server1, name="eth1", kind=AdapterKind.NIC)
    decide(CreateNetwork(A, "A"), Assign(A, one, "eth0"), Assign(A, two, "eth0"))
    grid = reverse("networks:group_grid", args=[scene.group.pk])
    page, to = (
        (grid, grid)
        if where == "grid"
        else (reverse("networks:configure", args=[A]), reverse("networks:assign", args=[A]))
    )
    sent = Sent(as_operator.get(page).text).fields
    decide(Assign(A, one, "eth1"))
    as_operator.post(to, sent | {f"on-{two}-{A}": ["local"]})
    assert draft(operator) == {Assign(A, two, None)}


def test_cells_of_a_refused_grid_show_what_others_decided(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    one, two = scene.server1.pk, scene.server2.pk
    Adapter.objects.create(server=scene.server1, name="eth1", kind=AdapterKind.NIC)
    decide(CreateNetwork(A, "A"), Assign(A, one, "eth0"), CreateNetwork(B, "B"), Assign(B, two, "eth0"))
    page = reverse("networks:group_grid", args=[scene.group.pk])
    sent = Sent(as_operator.get(page).text).fields
    decide(Assign(A, one, "eth1"))
    refused = as_operator.post(page, sent | {f"on-{two}-{A}": ["adapter:eth0"]})
    assert refused.status_code == 422
    sent = Sent(refused.text).fields
    assert sent[f"on-{one}-{A}"] == ["adapter:eth1"] and sent[f"on-{two}-{A}"] == ["adapter:eth0"]
    as_operator.post(page, sent | {f"on-{two}-{A}": ["local"]})
    assert draft(operator) == {Assign(A, two, None)}


def test_a_name_that_was_given_since_stays(scene: Scene, operator: Any, as_operator: Client) -> None:
    decide(CreateNetwork(A, "A", "first"))
    page = reverse("networks:configure", args=[A])
    shown = as_operator.get(page).text
    assert 'name="initial-name" value="A"' in shown and 'name="initial-description" value="first"' in shown
    sent = {"name": ["A"], "initial-name": ["A"], "description": ["new"], "initial-description": ["first"]}
    decide(DescribeNetwork(A, "Front", "first"))
    as_operator.post(page, sent)
    assert draft(operator) == {DescribeNetwork(A, "Front", "new")}


def test_an_interface_that_was_moved_since_stays_there(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), CreateNetwork(B, "B"), AddMember(A, key))
    container = Container.objects.get(server=scene.server1, ctid="102")
    decide(RemoveMember(key), AddMember(B, key))
    to = reverse("networks:interface_membership", args=[container.pk, "eth0"])
    as_operator.post(to, {"network": A, "shown": A})
    assert draft(operator) == set()
    as_operator.post(to, {"network": "none", "shown": A})
    assert draft(operator) == {RemoveMember(key)}


@pytest.mark.parametrize("why", ["slave", "mode"])
def test_an_adapter_that_cannot_be_used_any_more_is_sent_all_the_same(
    scene: Scene, operator: Any, as_operator: Client, why: str
) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    eth0 = scene.eth0(scene.server1)
    if why == "slave":
        eth0.bond = Adapter.objects.create(server=scene.server1, name="bond0", kind=AdapterKind.BOND)
    else:
        eth0.kind, eth0.bond_mode = AdapterKind.BOND, 5
    eth0.save()
    sent = Sent(as_operator.get(on_server(scene)).text).fields
    sent["members"] = [f"{scene.server1.pk}/102/eth0"]
    as_operator.post(on_server(scene), sent)
    assert draft(operator) == {AddMember(A, scene.key(scene.server1, "102"))}


def test_a_network_that_could_not_be_chosen_any_more_is_sent_all_the_same(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), AddMember(A, key), AddMember(A, scene.key(scene.server2, "201")))
    container = Container.objects.get(server=scene.server1, ctid="102")
    page = as_operator.get(reverse("networks:container_network", args=[container.pk])).text
    assert Sent(page).fields["network"] == [A]
    assert as_operator.get(on_server(scene)).status_code == 200
    as_operator.post(
        reverse("networks:interface_membership", args=[container.pk, "eth0"]), {"network": A, "shown": A}
    )
    assert draft(operator) == set()


def test_an_old_assignment_can_be_taken_back_from_an_adapter_that_cannot_be_used(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    Adapter.objects.filter(server=scene.server1).update(kind=AdapterKind.BOND, bond_mode=5)
    sent = Sent(as_operator.get(on_server(scene)).text).fields
    as_operator.post(on_server(scene), sent | {"adapter": ["none"]})
    assert draft(operator) == {Unassign(A, scene.server1.pk)}
