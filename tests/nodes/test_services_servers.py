"""Physical servers, their credentials and host keys: added, changed, removed."""

from __future__ import annotations

from typing import Any

import pytest

from nodes import tasks
from nodes.choices import HostKeyState, ServerOS, ServerState
from nodes.models import Adapter, Credential, HostKey, PhysicalServer, ServerGroup
from nodes.services import (
    NotAllowed,
    ServiceError,
    add_server,
    approve_host_key,
    change_server,
    create_credential,
    create_group,
    create_key_credential,
    remove_credential,
    remove_server,
    request_look,
)
from nodes.services.credentials import Secrets
from nodes.ssh import make_key_pair
from nodes.sync import Timing, store
from tests.nodes import scene
from tests.nodes.test_sync import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is given to the broker, instead of giving it."""
    messages: list[tuple[str, Any]] = []
    monkeypatch.setattr(tasks, "send", lambda task, *args, **where: messages.append((task.name, *args)))
    return messages


def test_an_added_server_is_new_and_only_its_host_key_is_read(
    group: ServerGroup,
    credential: Credential,
    group_admin: Any,
    sent: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        server = add_server(
            group_admin, name=" node1 ", group=group, address="node1.example.org", credential=credential
        )
    assert (server.name, server.state) == ("node1", ServerState.NEW)
    assert sent == [("nodes.offer_host_key", server.pk)]


def test_an_added_windows_server_is_inventory_only(
    group: ServerGroup, group_admin: Any, sent: list[Any]
) -> None:
    server = add_server(group_admin, name="w", group=group, address="192.0.2.9", os=ServerOS.WINDOWS)
    assert server.state == ServerState.INVENTORY_ONLY
    assert sent == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"address": "no such host!"}, "address"),
        ({"address": "10.0.0.1; reboot"}, "address"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
        ({"name": ""}, "name"),
        ({"name": "server1"}, "name"),
    ],
)
def test_bad_input_names_its_field(
    server: PhysicalServer, admin: Any, wrong: dict[str, Any], field: str
) -> None:
    good = {"name": "node2", "group": server.group, "address": "192.0.2.2"}
    with pytest.raises(ServiceError) as caught:
        add_server(admin, **{**good, **wrong})
    assert caught.value.field == field


@pytest.mark.parametrize("who", ["viewer", "operator", "alice"])
def test_lesser_roles_may_not(request: pytest.FixtureRequest, server: PhysicalServer, who: str) -> None:
    user = request.getfixturevalue(who)
    key = HostKey.objects.create(server=server, key_type="ssh-rsa", base64="BBBB", sha256="SHA256:new")
    for attempt in (
        lambda: add_server(user, name="node2", group=server.group, address="192.0.2.2"),
        lambda: change_server(user, server, name="x"),
        lambda: remove_server(user, server),
        lambda: approve_host_key(user, key),
        lambda: create_credential(
            user, name="c", username="root", secrets=Secrets(password="p"), group=server.group
        ),
    ):
        with pytest.raises(NotAllowed):
            attempt()
    assert PhysicalServer.objects.get().name == "server1"


def test_a_foreign_credential_cannot_be_used(admin: Any, group: ServerGroup, group_admin: Any) -> None:
    foreign = create_group(admin, "Hamburg")
    theirs = Credential.objects.create(name="theirs", password="x", group=foreign)
    with pytest.raises(NotAllowed, match="theirs"):
        add_server(group_admin, name="n", group=group, address="192.0.2.2", credential=theirs)


def test_a_server_cannot_be_moved_to_a_foreign_group(
    admin: Any, server: PhysicalServer, group_admin: Any
) -> None:
    foreign = create_group(admin, "Hamburg")
    with pytest.raises(NotAllowed):
        change_server(group_admin, server, group=foreign)


def test_approving_a_changed_key_retires_the_old_one_and_looks(
    server: PhysicalServer, group_admin: Any, sent: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    PhysicalServer.objects.update(state=ServerState.HOST_KEY_CHANGED, state_reason="It shows another key.")
    new = HostKey.objects.create(server=server, key_type="ssh-rsa", base64="BBBB", sha256="SHA256:new")
    with django_capture_on_commit_callbacks(execute=True):
        approve_host_key(group_admin, new)
    assert (new.state, new.decided_by) == (HostKeyState.PINNED, group_admin)
    assert HostKey.objects.get(sha256="SHA256:old").state == HostKeyState.RETIRED
    server.refresh_from_db()
    assert (server.state, server.state_reason) == (ServerState.WAITING, "")
    assert sent == [("nodes.observe_shard", [server.pk])]
    with pytest.raises(ServiceError, match="somebody else"):
        approve_host_key(group_admin, new)


def test_the_operating_system_of_a_server_with_rows_is_fixed(
    server: PhysicalServer, group_admin: Any
) -> None:
    change_server(group_admin, server, os=ServerOS.WINDOWS)
    assert PhysicalServer.objects.get().state == ServerState.INVENTORY_ONLY
    change_server(group_admin, server, os=ServerOS.LINUX)
    assert PhysicalServer.objects.get().state == ServerState.WAITING
    store(server.pk, scene.server(), Timing(NOW))
    with pytest.raises(ServiceError) as caught:
        change_server(group_admin, server, os=ServerOS.WINDOWS)
    assert caught.value.field == "os"


def test_a_removed_server_takes_its_rows_along(server: PhysicalServer, group_admin: Any) -> None:
    links = scene.nic(), scene.vlan("eth0", 5), scene.bond("bond0", "eth0"), scene.bridge("br0")
    store(server.pk, scene.server((scene.container("102"),), *links), Timing(NOW))
    remove_server(group_admin, server)
    assert not PhysicalServer.objects.exists() and not Adapter.objects.exists()


def test_a_server_with_members_or_assignments_stays_and_says_why(
    server: PhysicalServer, group_admin: Any
) -> None:
    from networks.models import Assignment, Member, VirtualNetwork
    from nodes.models import ContainerInterface

    store(server.pk, scene.server((scene.container("102"),)), Timing(NOW))
    network = VirtualNetwork.objects.create(name="A")
    member = Member.objects.create(network=network, interface=ContainerInterface.objects.get())
    with pytest.raises(ServiceError, match=r"eth0 of 102 ct102 in A"):
        remove_server(group_admin, server)
    member.delete()
    Assignment.objects.create(network=network, server=server, adapter=Adapter.objects.get())
    with pytest.raises(ServiceError, match=r"assignment A on server1"):
        remove_server(group_admin, server)


def test_a_key_is_checked_and_its_public_half_is_kept(group: ServerGroup, group_admin: Any) -> None:
    pair = make_key_pair()
    made = create_credential(
        group_admin, name="k", username="root", secrets=Secrets(private_key=pair.private), group=group
    )
    assert made.public_key.split()[:2] == pair.public.split()[:2]
    with pytest.raises(ServiceError, match="public key") as caught:
        create_credential(
            group_admin, name="p", username="root", secrets=Secrets(private_key=pair.public), group=group
        )
    assert caught.value.field == "private_key"
    with pytest.raises(ServiceError, match="private key or a password"):
        create_credential(group_admin, name="e", username="root", secrets=Secrets(), group=group)


def test_the_panel_makes_a_key_pair(group: ServerGroup, group_admin: Any) -> None:
    made = create_key_credential(group_admin, name="k", username="admin", group=group)
    assert made.public_key.startswith("ssh-ed25519 ") and "PRIVATE KEY" in made.private_key


def test_a_credential_in_use_stays(server: PhysicalServer, credential: Credential, group_admin: Any) -> None:
    with pytest.raises(ServiceError, match="server1"):
        remove_credential(group_admin, credential)
    change_server(group_admin, server, credential=None)
    remove_credential(group_admin, credential)
    assert not Credential.objects.exists()


def test_secrets_are_in_no_repr(group: ServerGroup, credential: Credential) -> None:
    assert "s3cret" not in repr(credential) + str(credential) + repr(Secrets(password="s3cret"))


def test_looking_now_needs_the_operator_role(
    server: PhysicalServer,
    viewer: Any,
    operator: Any,
    sent: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with pytest.raises(NotAllowed):
        request_look(viewer, server)
    with django_capture_on_commit_callbacks(execute=True):
        request_look(operator, server)
    # Whoever looks at one server wants to see what has become of it: nothing is remembered.
    assert sent == [("nodes.observe_shard_whole", [server.pk])]
    server.refresh_from_db()
    assert server.look_requested_at is not None


def test_a_look_is_asked_for_without_a_broker(
    server: PhysicalServer, operator: Any, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """The tests' settings name a broker socket that nobody listens on."""
    with django_capture_on_commit_callbacks(execute=True):
        request_look(operator, server)
    server.refresh_from_db()
    assert server.look_requested_at is not None


def test_a_windows_server_is_not_looked_at(windows: PhysicalServer, operator: Any) -> None:
    with pytest.raises(ServiceError, match="Windows"):
        request_look(operator, windows)
