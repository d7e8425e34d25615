"""Network Adapters of a server: what is there, and VLAN adapters made and deleted in the draft."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from networks.domain.state import Assign, CreateNetwork, CreateVlan, DeleteVlan, Unassign
from networks.services import drafts
from networks.state_json import load_edits
from nodes.choices import AdapterKind, Origin
from nodes.models import Adapter, Bridge
from tests.networks.changes import decide
from tests.networks.conftest import Scene

D = "6f1c3a1e-0000-4000-8000-000000000004"


def draft(user: Any) -> tuple[Any, ...]:
    return load_edits(drafts.draft_of(user).edits)


def new_vlan(scene: Scene) -> str:
    return reverse("networks:create_vlan", args=[scene.server2.pk])


def delete_vlan(scene: Scene, name: str = "eth0.100") -> str:
    return reverse("networks:delete_vlan", args=[scene.server2.pk, name])


def page(client: Client, scene: Scene) -> str:
    return client.get(reverse("networks:server_adapters", args=[scene.server2.pk])).text


def row_of(text: str, name: str) -> str:
    """The words of one row."""
    rows = re.findall(r"<tr.*?</tr>", text, re.DOTALL)
    row = next(r for r in rows if f"<b>{name}</b>" in r)
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


def make_vlan(scene: Scene, name: str, vid: int, origin: str = Origin.FOUND) -> Adapter:
    base = scene.eth0(scene.server2)
    return Adapter.objects.create(
        server=scene.server2,
        name=name,
        kind=AdapterKind.VLAN,
        base=base,
        vlan_id=vid,
        is_up=True,
        origin=origin,
    )


def test_it_shows_everything_that_is_known_of_an_adapter(scene: Scene, as_viewer: Client) -> None:
    bridge = Bridge.objects.create(server=scene.server2, name="br0", is_up=True)
    Adapter.objects.filter(server=scene.server2).update(bridge=bridge)
    decide(CreateNetwork(D, "D"), Assign(D, scene.server2.pk, "eth0"))
    make_vlan(scene, "eth0.7", 7)
    text = page(as_viewer, scene)
    nic = row_of(text, "eth0")
    for word in ("panel's connection", "NIC", "up", "02:00:00:00:00:01", "10.77.0.12/24", "physical network"):
        assert word in nic
    for word in (" D ", "1500", "in bridge br0"):
        assert word in nic
    assert "br0 found, not ours" in " ".join(re.sub(r"<[^>]+>", " ", text).split())
    vlan = row_of(text, "eth0.7")
    for word in ("VLAN made outside", " 7 ", "eth0", "none", "physical network"):
        assert word in vlan
    assert "New VLAN" not in text and "Delete" not in text


def test_a_vlan_is_made_in_the_draft_and_can_be_assigned_there(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    response = as_operator.post(new_vlan(scene), {"base": "eth0", "vid": "100"})
    assert response.status_code == 302
    assert draft(operator) == (CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100),)
    row = row_of(page(as_operator, scene), "eth0.100")
    assert "new in your draft" in row and "to be made" in row and "physical network" in row
    offer = reverse("networks:create_on_server", args=[scene.server2.pk])
    assert "eth0.100 (VLAN 100 on eth0, to be made)" in as_operator.get(offer).text
    as_operator.post(offer, {"name": "D", "adapter": "adapter:eth0.100"})
    assert any(isinstance(e, Assign) and e.adapter == "eth0.100" for e in draft(operator))
    assert "D new in your draft" in row_of(page(as_operator, scene), "eth0.100")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"base": "eth0", "vid": "0"}, "from 1 to 4094"),
        ({"base": "eth0", "vid": "4095"}, "from 1 to 4094"),
        ({"base": "eth0", "vid": "-1"}, "from 1 to 4094"),
        ({"base": "eth0", "vid": "1.5"}, "whole number"),
        ({"base": "eth0", "vid": "x"}, "whole number"),
        ({"base": "eth0", "vid": ""}, "required"),
        ({"base": "eth0", "vid": "9"}, "named eth0.9 already"),
        ({"base": "eth0", "vid": "9", "name": "other"}, "is taken by eth0.9"),
        ({"base": "eth0.9", "vid": "5"}, "not one of the available choices"),
        ({"base": "eth7", "vid": "5"}, "slave of a bond"),
        ({"base": "eth99", "vid": "5"}, "not one of the available choices"),
        ({"base": "eth0; reboot", "vid": "5"}, "not one of the available choices"),
        ({"base": "eth0", "vid": "5", "name": "sixteen-bytes-16"}, "more than 15 characters"),
        ({"base": "eth0", "vid": "5", "name": "a b"}, "not a name for a link"),
        ({"base": "eth0", "vid": "5", "name": "../x"}, "not a name for a link"),
        ({"base": "eth0", "vid": "5", "name": "br0"}, "named br0 already"),
        ({"base": "eth0", "vid": "5", "name": "eth0"}, "named eth0 already"),
    ],
)
def test_a_vlan_that_the_rules_refuse_is_refused_in_the_form(
    scene: Scene, operator: Any, as_operator: Client, data: dict[str, str], words: str
) -> None:
    make_vlan(scene, "eth0.9", 9)
    Bridge.objects.create(server=scene.server2, name="br0")
    bond = Adapter.objects.create(server=scene.server2, name="bond0", kind=AdapterKind.BOND, bond_mode=1)
    Adapter.objects.create(server=scene.server2, name="eth7", bond=bond)
    response = as_operator.post(new_vlan(scene), data)
    assert response.status_code == 200 and words in response.text
    assert draft(operator) == ()


def test_the_same_id_twice_in_one_draft_is_refused(scene: Scene, operator: Any, as_operator: Client) -> None:
    as_operator.post(new_vlan(scene), {"base": "eth0", "vid": "100"})
    text = as_operator.post(new_vlan(scene), {"base": "eth0", "vid": "100", "name": "other"}).text
    assert "is taken by" in text
    assert len(draft(operator)) == 1


def test_the_name_that_it_will_have_is_shown_while_typing(scene: Scene, as_operator: Client) -> None:
    Adapter.objects.create(server=scene.server2, name="enp130s0f1np12")
    asked = {"headers": {"HX-Request": "true"}}
    text = as_operator.get(new_vlan(scene), {"base": "eth0", "vid": "100"}, **asked).text
    assert "eth0.100" in text and "<form" not in text
    text = as_operator.get(new_vlan(scene), {"base": "enp130s0f1np12", "vid": "4094"}, **asked).text
    name = re.findall(r'class="mono">([^<]+)<', text)[0]
    assert name.endswith(".4094") and len(name) <= 15
    assert "from 1 to 4094" in as_operator.get(new_vlan(scene), {"base": "eth0", "vid": "5000"}, **asked).text
    assert as_operator.get(new_vlan(scene), {"base": "eth0", "vid": ""}, **asked).text.strip() == ""


def test_a_vlan_of_the_panels_is_deleted_and_one_made_outside_is_left_alone(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    make_vlan(scene, "eth0.9", 9)
    make_vlan(scene, "eth0.100", 100)
    decide(CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100))
    text = page(as_operator, scene)
    assert "outside" not in row_of(text, "eth0.100") and "Delete" in row_of(text, "eth0.100")
    assert "outside" in row_of(text, "eth0.9") and "Delete" not in row_of(text, "eth0.9")
    response = as_operator.post(delete_vlan(scene, "eth0.9"))
    assert response.status_code == 409 and "was not made by the panel" in response.text
    assert draft(operator) == ()
    assert as_operator.post(delete_vlan(scene)).status_code == 302
    assert draft(operator) == (DeleteVlan(scene.server2.pk, "eth0.100"),)
    assert "leaves in your draft" in row_of(page(as_operator, scene), "eth0.100")
    offer = as_operator.get(reverse("networks:create_on_server", args=[scene.server2.pk])).text
    assert "deleted in your draft" in offer
    assert as_operator.get(delete_vlan(scene)).status_code == 404


def test_a_vlan_in_use_is_not_deleted_and_links_to_its_users(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    make_vlan(scene, "eth0.100", 100)
    decide(
        CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100),
        CreateNetwork(D, "D"),
        Assign(D, scene.server2.pk, "eth0.100"),
    )
    for response in (as_operator.get(delete_vlan(scene)), as_operator.post(delete_vlan(scene))):
        assert "Virtual Network D is assigned to it" in response.text
        assert f'href="{reverse("networks:detail", args=[D])}"' in response.text
    assert response.status_code == 409 and draft(operator) == ()
    drafts.stage(operator, [Unassign(D, scene.server2.pk)])
    assert as_operator.post(delete_vlan(scene)).status_code == 302


@pytest.mark.parametrize("is_decided", [True, False])
def test_a_vlan_that_the_draft_alone_uses_names_its_user(
    scene: Scene, operator: Any, as_operator: Client, is_decided: bool
) -> None:
    decide(CreateNetwork(D, "D"))
    vlan = CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100)
    if is_decided:
        make_vlan(scene, "eth0.100", 100)
        decide(vlan)
    drafts.stage(operator, [*([] if is_decided else [vlan]), Assign(D, scene.server2.pk, "eth0.100")])
    pending = draft(operator)
    for response in (as_operator.get(delete_vlan(scene)), as_operator.post(delete_vlan(scene))):
        assert "cannot be deleted: Virtual Network D is assigned to it" in response.text
        assert "does not exist" not in response.text
    assert response.status_code == 409 and draft(operator) == pending


def test_a_vlan_that_only_the_draft_has_is_taken_out_of_it(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    as_operator.post(new_vlan(scene), {"base": "eth0", "vid": "100"})
    assert "Take it out of the draft" in as_operator.get(delete_vlan(scene)).text
    as_operator.post(delete_vlan(scene))
    assert draft(operator) == ()


def test_a_vlan_that_has_vanished_is_still_shown(scene: Scene, as_viewer: Client) -> None:
    decide(CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100))
    assert "not found" in row_of(page(as_viewer, scene), "eth0.100")


def test_a_windows_server_is_shown_with_the_manuals_reason(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    Adapter.objects.create(server=scene.windows, name="Ethernet 2", origin=Origin.ENTERED)
    text = as_operator.get(reverse("networks:server_adapters", args=[scene.windows.pk])).text
    assert "Ethernet 2" in text and "third-party tools" in text and "New VLAN" not in text
    address = reverse("networks:create_vlan", args=[scene.windows.pk])
    response = as_operator.post(address, {"base": "Ethernet 2", "vid": "5"})
    assert "runs Windows" in response.text and draft(operator) == ()


def test_who_may_enter_a_windows_servers_adapters_is_led_there(
    scene: Scene, as_admin: Client, as_operator: Client
) -> None:
    page = reverse("networks:server_adapters", args=[scene.windows.pk])
    form = f"{reverse('admin:nodes_adapter_add')}?server={scene.windows.pk}"
    assert form in as_admin.get(page).text and form not in as_operator.get(page).text
    linux = reverse("networks:server_adapters", args=[scene.server1.pk])
    assert reverse("admin:nodes_adapter_add") not in as_admin.get(linux).text
    assert f'<option value="{scene.windows.pk}" selected>' in as_admin.get(form).text


def test_a_viewer_makes_and_deletes_no_vlan(scene: Scene, viewer: Any, as_viewer: Client) -> None:
    decide(CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100))
    assert as_viewer.post(new_vlan(scene), {"base": "eth0", "vid": "5"}).status_code == 403
    assert as_viewer.post(delete_vlan(scene)).status_code == 403
    assert draft(viewer) == ()


def test_the_list_is_filtered_sorted_and_saved(scene: Scene, as_viewer: Client) -> None:
    for vid in (5, 9):
        make_vlan(scene, f"eth0.{vid}", vid)
    address = reverse("networks:server_adapters", args=[scene.server2.pk])
    assert "eth0.5" not in as_viewer.get(address, {"q": "eth0.9"}).text
    text = as_viewer.get(address, {"sort": "-vlan_id"}).text
    assert text.index("eth0.9</b>") < text.index("eth0.5</b>")
    csv = b"".join(as_viewer.get(address, {"format": "csv"})).decode()  # type: ignore[arg-type]
    assert "eth0.9,VLAN made outside,up," in csv


def on_the_details(client: Client) -> str:
    """The words of the network's row for a server on its details."""
    text = client.get(reverse("networks:detail", args=[D])).text
    row = re.search(r"<tbody>.*?</tr>", text.split('id="servers"')[1], re.DOTALL)
    assert row
    return " ".join(re.sub(r"<[^>]+>", " ", row[0]).split())


def test_a_networks_details_say_of_an_adapter_what_its_own_page_says(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    """Found in review: a NIC without carrier was "up" there, and one that had vanished a VLAN to be made."""
    decide(CreateNetwork(D, "D"), Assign(D, scene.server2.pk, "eth0"))
    nic = Adapter.objects.filter(server=scene.server2)
    assert "eth0 NIC up physical network" in on_the_details(as_operator)
    nic.update(has_carrier=False)
    assert "no link" in on_the_details(as_operator) and "no link" in row_of(page(as_operator, scene), "eth0")
    nic.update(is_up=False)
    assert "eth0 NIC down" in on_the_details(as_operator)
    nic.update(gone_at=timezone.now())
    row = on_the_details(as_operator)
    assert "eth0 not found any more" in row and "to be made" not in row


def test_a_networks_details_say_which_vlan_is_to_be_made(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    new = CreateVlan(scene.server2.pk, "eth0.100", "eth0", 100)
    decide(CreateNetwork(D, "D"))
    drafts.stage(operator, [new, Assign(D, scene.server2.pk, "eth0.100")])
    assert "eth0.100 VLAN 100, to be made 100 " in on_the_details(as_operator)
    drafts.discard(operator)
    decide(new, Assign(D, scene.server2.pk, "eth0.100"))
    assert "eth0.100 not found any more" in on_the_details(as_operator)
