"""The inventory in Django's admin: every page, what may be entered, what is refused, what is never shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin as site_module
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from nodes.choices import Origin, ServerState
from nodes.models import (
    Adapter,
    Bridge,
    Container,
    ContainerInterface,
    Credential,
    DedicatedLogin,
    GroupRole,
    HostKey,
    Look,
    PhysicalSegment,
    PhysicalServer,
    ServerGroup,
)
from nodes.ssh import make_key_pair
from nodes.sync import Timing, store
from tests.nodes import scene
from tests.nodes.test_stale_admin_forms import as_shown
from tests.nodes.test_sync import NOW

pytestmark = pytest.mark.django_db

MODELS = (
    ServerGroup, GroupRole, PhysicalServer, Look, Credential, DedicatedLogin, HostKey, PhysicalSegment,
    Adapter, Bridge, Container, ContainerInterface,
)  # fmt: skip


@pytest.fixture
def observed(server: PhysicalServer, viewer: Any, physical_network: PhysicalSegment) -> PhysicalServer:
    """A server with something in every table."""
    facts = scene.server(
        (scene.container("102", "10.77.0.102/24", name="<script>alert(1)</script>"),),
        scene.nic(master="br0"),
        scene.vlan("eth0", 7),
        scene.bridge("br0"),
    )
    store(server.pk, facts, Timing(NOW))
    DedicatedLogin.objects.create(server=server, credential=server.credential, panel_addresses="192.0.2.1")
    return server


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:nodes_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_pages_render(office: Client, observed: PhysicalServer, model: Any) -> None:
    assert office.get(url(model, "changelist")).status_code == 200
    assert office.get(url(model, "changelist"), {"q": "eth0 10.77"}).status_code == 200
    pk = model.objects.values_list("pk", flat=True).first()
    assert pk is not None
    page = office.get(url(model, "change", pk))
    assert page.status_code == 200
    assert b"<script>alert(1)" not in page.content


def test_all_models_are_there() -> None:
    from django.apps import apps

    registered = {model for model in site_module.site._registry if model._meta.app_label == "nodes"}
    assert registered == set(apps.get_app_config("nodes").get_models()) == set(MODELS)


@pytest.mark.parametrize(
    "model", [Adapter, Container, ContainerInterface, Bridge, PhysicalServer, HostKey, Look]
)
def test_a_list_takes_the_same_queries_for_one_row_and_for_fifty(
    office: Client, observed: PhysicalServer, group: ServerGroup, model: Any
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert office.get(url(model, "changelist")).status_code == 200
        return len(captured)

    few = queries()
    for number in range(8):
        other = PhysicalServer.objects.create(name=f"n{number}", group=group, address="192.0.2.1")
        HostKey.objects.create(server=other, key_type="x", base64="x", sha256=f"SHA256:{number}")
        containers = tuple(scene.container(str(200 + n), "10.77.0.9/24") for n in range(6))
        links = scene.nic(master="br0"), *(scene.vlan("eth0", n) for n in range(1, 6)), scene.bridge("br0")
        store(other.pk, scene.server(containers, *links), Timing(NOW))
    assert queries() == few


def test_observed_rows_cannot_be_added_or_changed(office: Client, observed: PhysicalServer) -> None:
    for model in (Bridge, Container, ContainerInterface, Look, HostKey):
        assert office.get(url(model, "add")).status_code == 403
    row = Container.objects.get()
    office.post(url(Container, "change", row.pk), {"name": "renamed", "status": "stopped"})
    row.refresh_from_db()
    assert (row.name, row.status) == ("<script>alert(1)</script>", "running")


def test_what_is_there_cannot_be_deleted_what_has_vanished_can(
    office: Client, observed: PhysicalServer
) -> None:
    row = Container.objects.get()
    assert office.post(url(Container, "delete", row.pk), {"post": "yes"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    office.post(url(Container, "changelist"), action)
    assert Container.objects.exists()
    Container.objects.update(gone_at=NOW)
    ContainerInterface.objects.update(gone_at=NOW)
    office.post(url(Container, "delete", row.pk), {"post": "yes"})
    assert not Container.objects.exists()


def test_the_physical_segment_of_a_nic_is_entered_and_nothing_else(
    office: Client, observed: PhysicalServer
) -> None:
    other = PhysicalSegment.objects.create(name="other wire")
    nic = Adapter.objects.get(name="eth0")
    office.post(url(Adapter, "change", nic.pk), {"segment": other.pk, "mac": "aa:bb:cc:dd:ee:ff"})
    nic.refresh_from_db()
    assert nic.segment == other and nic.mac != "aa:bb:cc:dd:ee:ff"


def test_of_a_vlan_adapter_it_is_entered_where_no_base_tells_it(
    office: Client, observed: PhysicalServer
) -> None:
    """One on a bridge has no base that is a network adapter."""
    other, nic = PhysicalSegment.objects.create(name="other wire"), Adapter.objects.get(name="eth0")
    on_bridge, on_nic = (
        Adapter.objects.create(server=observed, name=name, kind="vlan", vlan_id=9, base=base)
        for name, base in (("br0.9", None), ("eth0.9", nic))
    )
    for vlan in (on_bridge, on_nic):
        office.post(url(Adapter, "change", vlan.pk), {"segment": other.pk})
        vlan.refresh_from_db()
    assert (on_bridge.segment, on_nic.segment) == (other, None)


def test_adapters_of_a_windows_server_are_entered(office: Client, windows: PhysicalServer) -> None:
    form = {
        "name": windows.name, "group": windows.group_id, "address": windows.address, "port": 22,
        "adapters-TOTAL_FORMS": 1, "adapters-INITIAL_FORMS": 0,
        "adapters-0-name": "Ethernet 1", "adapters-0-kind": "nic", "adapters-0-mac": "02:00:00:00:00:01",
    }  # fmt: skip
    response = office.post(url(PhysicalServer, "change", windows.pk), form)
    assert response.status_code == 302, response.context["errors"]
    base = Adapter.objects.get()
    assert (base.name, base.origin, base.server) == ("Ethernet 1", Origin.ENTERED, windows)
    added = {"server": windows.pk, "name": "Ethernet 1 VLAN 5", "kind": "vlan", "base": base.pk, "vlan_id": 5}
    assert office.post(url(Adapter, "add"), added).status_code == 302
    assert Adapter.objects.get(vlan_id=5).origin == Origin.ENTERED


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"vlan_id": 0}, "greater than or equal to 1"),
        ({"vlan_id": 4095}, "less than or equal to 4094"),
        ({"vlan_id": ""}, "VLAN id"),
        ({"base": ""}, "base"),
        ({"vlan_id": 7}, "already"),
        ({"base": "vlan"}, "Select a valid choice"),
        ({"base": "foreign"}, "same server"),
        ({"kind": "nic"}, "Only a VLAN adapter"),
        ({"server": "linux"}, "Select a valid choice"),
    ],
)
def test_the_rules_of_vlan_adapters_hold(
    office: Client, windows: PhysicalServer, server: PhysicalServer, wrong: dict[str, Any], words: str
) -> None:
    base = Adapter.objects.create(server=windows, name="Ethernet 1", origin=Origin.ENTERED)
    vlan = Adapter.objects.create(
        server=windows, name="VLAN 7", kind="vlan", base=base, vlan_id=7, origin=Origin.ENTERED
    )
    other = PhysicalServer.objects.create(name="w2", group=windows.group, address="192.0.2.7", os="windows")
    foreign = Adapter.objects.create(server=other, name="Ethernet 1", origin=Origin.ENTERED)
    names = {"vlan": vlan.pk, "foreign": foreign.pk, "linux": server.pk}
    form = {"server": windows.pk, "name": "VLAN 5", "kind": "vlan", "base": base.pk, "vlan_id": 5}
    form |= {key: names.get(value, value) for key, value in wrong.items()}
    response = office.post(url(Adapter, "add"), form)
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not Adapter.objects.filter(name="VLAN 5").exists()


def test_a_vlan_adapter_is_on_no_vlan_however_it_became_one(office: Client, windows: PhysicalServer) -> None:
    nic = Adapter.objects.create(server=windows, name="Ethernet 1", origin="entered")
    address = reverse("admin:nodes_adapter_change", args=[nic.pk])
    answer = office.post(address, as_shown(office, address) | {"kind": "vlan", "base": nic.pk, "vlan_id": 7})
    assert "there is no VLAN on a VLAN" in answer.context["adminform"].form.errors["base"][0]
    other = Adapter.objects.create(server=windows, name="Ethernet 2", origin="entered")
    Adapter.objects.create(server=windows, name="VLAN 5", kind="vlan", base=nic, vlan_id=5, origin="entered")
    answer = office.post(
        address, as_shown(office, address) | {"kind": "vlan", "base": other.pk, "vlan_id": 7}
    )
    assert "there is no VLAN on a VLAN" in answer.context["adminform"].form.errors["kind"][0]
    nic.refresh_from_db()
    assert nic.kind == "nic"


def test_secrets_are_written_and_never_shown(office: Client, group: ServerGroup) -> None:
    pair = make_key_pair()
    form = {
        "name": "login", "username": "root", "group": group.pk,
        "new_private_key": pair.private, "new_password": "hunter2-hunter2",
    }  # fmt: skip
    assert office.post(url(Credential, "add"), form).status_code == 302
    stored = Credential.objects.get()
    assert stored.password == "hunter2-hunter2" and stored.private_key == pair.private
    assert stored.public_key.split()[1] == pair.public.split()[1]
    secret_line = pair.private.splitlines()[2]
    for page in (url(Credential, "changelist"), url(Credential, "change", stored.pk)):
        text = office.get(page).content.decode()
        assert "hunter2" not in text and secret_line not in text
    refused = office.post(url(Credential, "change", stored.pk), {**form, "name": ""})
    assert refused.status_code == 200
    assert "hunter2" not in refused.content.decode() and secret_line not in refused.content.decode()
    history = office.get(url(Credential, "history", stored.pk)).content.decode()
    assert "hunter2" not in history


def test_an_empty_secret_keeps_what_is_stored(office: Client, credential: Credential) -> None:
    office.post(url(Credential, "change", credential.pk), {"name": "renamed", "username": "root"})
    credential.refresh_from_db()
    assert (credential.name, credential.password) == ("renamed", "s3cret-pw")


def test_a_bad_key_is_refused_beside_its_field(office: Client) -> None:
    form = {"name": "x", "username": "root", "new_private_key": "ssh-ed25519 AAAA me@here"}
    page = office.post(url(Credential, "add"), form)
    assert page.context["adminform"].form.errors["new_private_key"]
    assert not Credential.objects.exists()


def test_a_login_needs_a_secret(office: Client) -> None:
    page = office.post(url(Credential, "add"), {"name": "x", "username": "root"})
    assert "Enter a private key or a password" in page.content.decode()


def test_what_is_in_use_is_not_deleted_and_says_why(
    office: Client, observed: PhysicalServer, group: ServerGroup, credential: Credential
) -> None:
    for model, pk in ((ServerGroup, group.pk), (Credential, credential.pk)):
        page = office.post(url(model, "delete", pk), {"post": "yes"}, follow=True)
        assert "server1" in page.content.decode()
        assert model.objects.filter(pk=pk).exists()
    from networks.models import Member, VirtualNetwork

    network = VirtualNetwork.objects.create(name="Net A")
    Member.objects.create(network=network, interface=ContainerInterface.objects.get())
    page = office.get(url(PhysicalServer, "delete", observed.pk))
    assert "Net A" in page.content.decode()
    office.post(url(PhysicalServer, "delete", observed.pk), {"post": "yes"})
    assert PhysicalServer.objects.filter(pk=observed.pk).exists()


def test_an_unused_server_is_deleted_with_all_that_was_seen(office: Client, observed: PhysicalServer) -> None:
    office.post(url(PhysicalServer, "delete", observed.pk), {"post": "yes"})
    assert not PhysicalServer.objects.filter(pk=observed.pk).exists()
    assert not Adapter.objects.exists()


def test_an_added_server_is_new_and_its_os_is_fixed_from_then_on(
    office: Client, group: ServerGroup, credential: Credential
) -> None:
    form = {
        "name": "node1", "group": group.pk, "os": "linux", "address": "192.0.2.1", "port": 22,
        "credential": credential.pk, "is_enabled": "on",
    }  # fmt: skip
    assert office.post(url(PhysicalServer, "add"), form).status_code == 302
    added = PhysicalServer.objects.get()
    assert added.state == ServerState.NEW
    inline = {"host_keys-TOTAL_FORMS": 0, "host_keys-INITIAL_FORMS": 0}
    office.post(url(PhysicalServer, "change", added.pk), {**form, **inline, "os": "windows", "state": "ok"})
    added.refresh_from_db()
    assert (added.os, added.state) == ("linux", ServerState.NEW)


def test_host_keys_are_approved_in_their_list(office: Client, server: PhysicalServer) -> None:
    new = HostKey.objects.create(server=server, key_type="x", base64="B", sha256="SHA256:new")
    office.post(url(HostKey, "changelist"), {"action": "approve", "_selected_action": [new.pk]})
    assert dict(HostKey.objects.values_list("sha256", "state")) == {
        "SHA256:old": "retired",
        "SHA256:new": "pinned",
    }


def test_servers_are_looked_at_from_their_list(office: Client, server: PhysicalServer) -> None:
    office.post(url(PhysicalServer, "changelist"), {"action": "look_now", "_selected_action": [server.pk]})
    server.refresh_from_db()
    assert server.look_requested_at is not None


def test_a_group_cannot_be_put_into_itself(office: Client, group: ServerGroup) -> None:
    inner = ServerGroup.objects.create(name="Rack", parent=group)
    form = {"name": "Berlin", "parent": inner.pk, "roles-TOTAL_FORMS": 0, "roles-INITIAL_FORMS": 0}
    page = office.post(url(ServerGroup, "change", group.pk), form)
    assert "inside itself" in page.content.decode()


def test_roles_are_given_on_the_pages_of_users(office: Client, group: ServerGroup, alice: Any) -> None:
    page = office.get(reverse("admin:auth_user_change", args=[alice.pk]))
    assert b"group_roles-TOTAL_FORMS" in page.content
    assert office.get(reverse("admin:auth_user_add")).status_code == 200


def test_another_segment_becomes_the_default(office: Client, physical_network: PhysicalSegment) -> None:
    office.post(url(PhysicalSegment, "add"), {"name": "dmz", "is_default": "on"})
    assert PhysicalSegment.objects.get(is_default=True).name == "dmz"


@pytest.mark.parametrize("model", MODELS)
def test_who_is_no_staff_gets_in_nowhere(
    client: Client, alice: Any, observed: PhysicalServer, model: Any
) -> None:
    client.force_login(alice)
    assert client.get(url(model, "changelist")).status_code == 302


@pytest.mark.parametrize("model", [ServerGroup, PhysicalServer, Credential])
def test_autocomplete_answers(office: Client, observed: PhysicalServer, model: Any) -> None:
    field = {"ServerGroup": ("group", "physicalserver"), "PhysicalServer": ("user", "grouprole")}.get(
        model.__name__, ("credential", "physicalserver")
    )
    query = {"app_label": "nodes", "model_name": field[1], "field_name": field[0], "term": "e"}
    assert office.get(reverse("admin:autocomplete"), query).status_code == 200
