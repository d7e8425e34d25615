"""The same of the forms of a server and of a server group: what was left as it was shown is not stored."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from nodes.models import Credential, PhysicalServer, ServerGroup
from tests.networks.conftest import Scene
from tests.pages.test_stale_forms import Sent


@pytest.fixture
def server(scene: Scene) -> PhysicalServer:
    """server1, with a login that uses sudo."""
    login = Credential.objects.create(name="login", username="admin", group=scene.group)
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(credential=login, use_sudo=True)
    return PhysicalServer.objects.get(pk=scene.server1.pk)


@pytest.fixture
def dedicated(scene: Scene) -> Credential:
    return Credential.objects.create(name="dedicated", username="vnetpanel", group=scene.group)


@pytest.fixture
def east(scene: Scene) -> ServerGroup:
    return ServerGroup.objects.create(name="East", parent=scene.group)


def stored(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def form_of(row: PhysicalServer | ServerGroup) -> str:
    kind = "server" if isinstance(row, PhysicalServer) else "group"
    return reverse(f"nodes:edit_{kind}", args=[row.pk])


def opened(client: Client, row: PhysicalServer | ServerGroup) -> dict[str, list[str]]:
    """What the form would send untouched."""
    return Sent(client.get(form_of(row)).text).fields


def test_an_address_that_others_changed_stays(server: PhysicalServer, as_admin: Client) -> None:
    sent = opened(as_admin, server)
    PhysicalServer.objects.filter(pk=server.pk).update(address="10.77.0.21", port=2222)
    assert as_admin.post(form_of(server), sent | {"description": ["Rack 4"]}).status_code == 302
    now = stored(server)
    assert (now.description, now.address, now.port) == ("Rack 4", "10.77.0.21", 2222)


def test_a_server_that_others_disabled_moved_or_renamed_stays_so(
    server: PhysicalServer, east: ServerGroup, as_admin: Client
) -> None:
    sent = opened(as_admin, server)
    PhysicalServer.objects.filter(pk=server.pk).update(
        is_enabled=False, legacy_ssh=True, group=east, name="node1"
    )
    as_admin.post(form_of(server), sent | {"description": ["Rack 4"]})
    now = stored(server)
    assert (now.description, now.is_enabled, now.legacy_ssh) == ("Rack 4", False, True)
    assert (now.group, now.name) == (east, "node1")


@pytest.mark.parametrize("is_dropped", [False, True])
def test_the_login_of_a_server_prepared_meanwhile_stays(
    server: PhysicalServer, dedicated: Credential, as_admin: Client, is_dropped: bool
) -> None:
    sent = opened(as_admin, server)
    PhysicalServer.objects.filter(pk=server.pk).update(credential=dedicated, use_sudo=False)
    if is_dropped:
        Credential.objects.exclude(pk=dedicated.pk).delete()
    assert as_admin.post(form_of(server), sent | {"description": ["Rack 4"]}).status_code == 302
    now = stored(server)
    assert (now.description, now.credential, now.use_sudo) == ("Rack 4", dedicated, False)


def test_what_is_chosen_in_an_old_form_is_stored(
    server: PhysicalServer, dedicated: Credential, as_admin: Client
) -> None:
    other = Credential.objects.create(name="other", username="root")
    sent = opened(as_admin, server)
    PhysicalServer.objects.filter(pk=server.pk).update(credential=dedicated, is_enabled=False)
    changed = sent | {"credential": [str(other.pk)], "legacy_ssh": ["on"]}
    del changed["use_sudo"]
    as_admin.post(form_of(server), changed)
    now = stored(server)
    assert (now.credential, now.legacy_ssh, now.use_sudo, now.is_enabled) == (other, True, False, False)
    del changed["is_enabled"]
    as_admin.post(form_of(server), changed | {"credential": [""]})
    assert stored(server).credential is None


def test_what_was_put_back_by_hand_to_what_the_form_showed_is_not_touched(
    server: PhysicalServer, as_admin: Client
) -> None:
    sent = opened(as_admin, server)
    wrong = as_admin.post(form_of(server), sent | {"address": ["no such host!"]})
    PhysicalServer.objects.filter(pk=server.pk).update(address="10.77.0.21")
    again = Sent(wrong.text).fields
    as_admin.post(form_of(server), again | {"address": sent["address"]})
    assert stored(server).address == "10.77.0.21"


def test_it_is_still_so_after_the_form_came_back_with_an_error(
    server: PhysicalServer, dedicated: Credential, as_admin: Client
) -> None:
    sent = opened(as_admin, server)
    PhysicalServer.objects.filter(pk=server.pk).update(credential=dedicated, address="10.77.0.21")
    Credential.objects.exclude(pk=dedicated.pk).delete()
    for name in ("", "server2"):
        again = as_admin.post(form_of(server), sent | {"name": [name], "description": ["Rack 4"]})
        assert again.status_code == 200 and 'id="id_name_error"' in again.text
        assert 'id="id_credential_error"' not in again.text
        sent = Sent(again.text).fields
    assert as_admin.post(form_of(server), sent | {"name": ["node1"]}).status_code == 302
    now = stored(server)
    assert (now.name, now.description) == ("node1", "Rack 4")
    assert (now.address, now.credential) == ("10.77.0.21", dedicated)


def test_posted_by_hand_without_what_was_shown_every_field_counts(
    server: PhysicalServer, as_admin: Client
) -> None:
    body = {"name": server.name, "group": server.group_id, "address": "10.77.0.21", "port": 22}
    wrong = as_admin.post(form_of(server), body | {"port": 0})
    assert 'name="initial-' not in wrong.text
    nowhere = as_admin.post(form_of(server), body | {"group": ""})
    assert 'id="id_group_error"' in nowhere.text
    assert as_admin.post(form_of(server), body).status_code == 302
    now = stored(server)
    assert (now.address, now.credential, now.use_sudo, now.is_enabled) == ("10.77.0.21", None, False, False)


def test_a_login_left_as_it_was_shown_needs_no_password(
    server: PhysicalServer, dedicated: Credential, as_admin: Client, settings: Any
) -> None:
    sent = opened(as_admin, server)
    former = sent["credential"]
    PhysicalServer.objects.filter(pk=server.pk).update(credential=dedicated)
    settings.PROOF_MINUTES = -1
    assert as_admin.post(form_of(server), sent)["Location"] == reverse("nodes:server", args=[server.pk])
    sent = opened(as_admin, server)
    assert as_admin.post(form_of(server), sent | {"credential": former})["Location"].startswith("/prove/")
    # Whatever is said to have been shown: what is stored is what the password was asked for.
    as_admin.post(form_of(server), sent | {"credential": former, "initial-credential": former})
    assert stored(server).credential == dedicated


def test_a_group_that_others_moved_or_renamed_stays_there(
    scene: Scene, east: ServerGroup, as_admin: Client
) -> None:
    sent = opened(as_admin, east)
    west = ServerGroup.objects.create(name="West")
    east.parent, east.name = west, "Far East"
    east.save()
    assert as_admin.post(form_of(east), sent | {"description": ["Rack 4"]}).status_code == 302
    now = stored(east)
    assert (now.name, now.description, now.parent) == ("Far East", "Rack 4", west)


def test_a_group_stays_where_others_moved_it_when_the_former_one_is_gone(
    east: ServerGroup, as_admin: Client
) -> None:
    inside = ServerGroup.objects.create(name="Inside", parent=east)
    sent = opened(as_admin, inside)
    inside.parent = ServerGroup.objects.create(name="West")
    inside.save()
    east.delete()
    assert as_admin.post(form_of(inside), sent | {"description": ["Rack 4"]}).status_code == 302
    assert (stored(inside).description, stored(inside).parent) == ("Rack 4", inside.parent)


def test_a_group_at_the_top_is_moved_by_who_chose_it(scene: Scene, as_admin: Client) -> None:
    top = ServerGroup.objects.create(name="Top")
    sent = opened(as_admin, top)
    assert (sent["parent"], sent["initial-parent"]) == ([""], [""])
    as_admin.post(form_of(top), sent | {"parent": [str(scene.group.pk)]})
    assert stored(top).parent == scene.group
    as_admin.post(form_of(top), opened(as_admin, top) | {"parent": [""]})
    assert stored(top).parent is None


@pytest.mark.parametrize("crafted", ["x", "0", "-1", "nul\0byte", "999999"])
def test_a_choice_said_to_have_been_shown_that_is_none_is_not_stored(
    server: PhysicalServer, as_admin: Client, crafted: str
) -> None:
    sent = opened(as_admin, server) | {"credential": [crafted], "initial-credential": [crafted]}
    assert as_admin.post(form_of(server), sent).status_code == 302
    assert stored(server).credential == server.credential


def test_what_was_shown_is_sent_unseen_and_no_id_is_there_twice(
    server: PhysicalServer, east: ServerGroup, as_admin: Client
) -> None:
    for row in (server, east):
        first = as_admin.get(form_of(row)).text
        again = as_admin.post(form_of(row), Sent(first).fields | {"name": [""]}).text
        assert 'id="id_name_error"' in again
        for text in (first, again):
            ids = re.findall(r'\bid="([^"]+)"', text)
            assert len(ids) == len(set(ids))
            shown = re.findall(r'<input [^>]*name="initial-[^>]*>', text)
            assert len(shown) == len(re.findall(r'\bname="(?!initial-|csrf)\w+"[^>]* id="id_', text)) > 2
            assert all('type="hidden"' in one and "aria-" not in one for one in shown)


def test_forms_for_something_new_say_nothing_of_what_was_shown(scene: Scene, as_admin: Client) -> None:
    body = {"name": "x", "login": "password", "password": "s3cret-pw"}
    assert 'name="initial-' not in as_admin.get(reverse("nodes:add_server")).text
    assert 'name="initial-' not in as_admin.post(reverse("nodes:add_server"), body).text
    assert 'name="initial-' not in as_admin.get(reverse("nodes:create_group")).text
