"""Who may open which page: foreign things are not there (404), a lacking role is refused (403)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from networks.backends import UserWithDraft
from networks.choices import ChangeState
from networks.domain.state import AddMember, Assign, CreateNetwork, InterfaceKey
from networks.models import Change
from networks.services import drafts
from nodes.choices import Role
from nodes.models import Container, GroupRole, PhysicalServer, ServerGroup
from nodes.querysets import group_paths
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene, make_container, make_server, with_role
from tests.pages.conftest import logged_in

A = "6f1c3a1e-0000-4000-8000-000000000001"

READ = [
    ("nodes:group", "group"),
    ("nodes:group_servers", "group"),
    ("nodes:group_containers", "group"),
    ("nodes:edit_group", "group"),
    ("nodes:remove_group", "group"),
    ("nodes:tree_group", "group"),
    ("networks:group_networks", "group"),
    ("networks:group_grid", "group"),
    ("nodes:server", "server"),
    ("nodes:server_state", "server"),
    ("networks:server_adapters", "server"),
    ("nodes:server_containers", "server"),
    ("nodes:edit_server", "server"),
    ("nodes:remove_server", "server"),
    ("nodes:host_key", "server"),
    ("nodes:preflight", "server"),
    ("nodes:tree_server", "server"),
    ("networks:server_networks", "server"),
    ("networks:create_on_server", "server"),
    ("networks:create_vlan", "server"),
    ("nodes:container", "container"),
]
WRITE = [
    ("nodes:look", "server"),
    ("nodes:edit_server", "server"),
    ("nodes:remove_server", "server"),
    ("nodes:read_host_key", "server"),
    ("nodes:edit_group", "group"),
    ("nodes:remove_group", "group"),
    ("networks:create_on_server", "server"),
]


@pytest.fixture
def foreign(scene: Scene) -> dict[str, int]:
    """Keys of a group, a server and a container that nobody of the cast may see."""
    segment = scene.eth0(scene.server1).segment
    assert segment
    group = ServerGroup.objects.create(name="Secret")
    server = make_server(group, segment, "hidden1", "10.77.9.1")
    container = make_container(server, "901", "eth0")
    return {"group": group.pk, "server": server.pk, "container": container.pk}


@pytest.fixture
def own(scene: Scene) -> dict[str, int]:
    container = Container.objects.filter(server=scene.server1).first()
    assert container
    return {"group": scene.group.pk, "server": scene.server1.pk, "container": container.pk}


@pytest.mark.parametrize(("name", "kind"), READ)
def test_a_viewer_reads_her_own_and_nothing_else(
    as_viewer: Client, own: dict[str, int], foreign: dict[str, int], name: str, kind: str
) -> None:
    assert as_viewer.get(reverse(name, args=[own[kind]])).status_code == 200
    assert as_viewer.get(reverse(name, args=[foreign[kind]])).status_code == 404


@pytest.mark.parametrize(("name", "kind"), WRITE)
def test_a_viewer_writes_nothing(
    as_viewer: Client, own: dict[str, int], foreign: dict[str, int], name: str, kind: str
) -> None:
    body = {"name": "mine", "adapter": "local", "group": own["group"], "address": "10.0.0.1", "port": 22}
    assert as_viewer.post(reverse(name, args=[own[kind]]), body).status_code == 403
    assert as_viewer.post(reverse(name, args=[foreign[kind]]), body).status_code == 404


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("nodes:look", ["server"]),
        ("networks:discard_draft", []),
        ("networks:review_draft", []),
        ("nodes:read_host_key", ["server"]),
    ],
)
def test_nothing_changes_by_a_get(
    as_operator: Client, own: dict[str, int], name: str, args: list[str]
) -> None:
    assert as_operator.get(reverse(name, args=[own[arg] for arg in args])).status_code == 405


def test_a_post_without_a_token_is_refused(operator: Any, own: dict[str, int]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator)
    assert client.post(reverse("nodes:look", args=[own["server"]])).status_code == 403


def test_a_foreign_change_is_not_there(
    scene: Scene, foreign: dict[str, int], admin: Any, viewer: Any
) -> None:

    hidden = PhysicalServer.objects.get(pk=foreign["server"])
    change = planned(admin, servers=(hidden,))
    assert logged_in(viewer).get(reverse("networks:change", args=[change.pk])).status_code == 404


def test_a_change_is_seen_whole_or_not_at_all(
    scene: Scene, foreign: dict[str, int], admin: Any, viewer: Any
) -> None:
    hidden = PhysicalServer.objects.get(pk=foreign["server"])
    both = planned(admin, servers=(scene.server1, hidden), reason="both of them")
    mine = planned(admin, servers=(scene.server1,), reason="only mine")
    for change in (both, mine):
        assert logged_in(viewer).get(reverse("networks:change", args=[change.pk])).status_code == 404
    Change.objects.update(state=ChangeState.DONE)
    assert logged_in(viewer).get(reverse("networks:change", args=[both.pk])).status_code == 404
    assert logged_in(viewer).get(reverse("networks:change", args=[mine.pk])).status_code == 200
    text = logged_in(viewer).get(reverse("networks:changes")).text
    assert "only mine" in text and "both of them" not in text
    assert "both of them" in logged_in(admin).get(reverse("networks:changes")).text


def test_what_one_may_not_see_counts_but_is_not_named(
    scene: Scene, foreign: dict[str, int], viewer: Any, admin: Any
) -> None:
    decide(
        CreateNetwork(A, "A"),
        Assign(A, scene.server1.pk, "eth0"),
        Assign(A, foreign["server"], "eth0"),
        AddMember(A, scene.key(scene.server1, "102")),
    )
    response = logged_in(viewer).get(reverse("networks:detail", args=[A]))
    assert response.status_code == 200
    assert "server1" in response.text
    assert "hidden1" not in response.text
    assert "hidden1" in logged_in(admin).get(reverse("networks:detail", args=[A])).text


def test_a_draft_is_seen_by_its_user_only(scene: Scene, operator: Any, viewer: Any) -> None:
    drafts.stage(operator, [CreateNetwork(A, "Nine lives")])
    assert "Nine lives" in logged_in(operator).get(reverse("networks:list")).text
    assert "Nine lives" not in logged_in(viewer).get(reverse("networks:list")).text
    assert logged_in(viewer).get(reverse("networks:detail", args=[A])).status_code == 404


def test_what_is_in_the_way_is_not_linked_where_one_may_not_see_it(
    scene: Scene, foreign: dict[str, int], viewer: Any, admin: Any
) -> None:
    PhysicalServer.objects.filter(pk=foreign["server"]).update(
        boot={"replay": "", "hook": False, "off": [], "dhcp": [], "ports": {}, "keeps": [["bridge", "vn-a"]]}
    )
    decide(
        CreateNetwork(A, "A"),
        Assign(A, scene.server1.pk, "eth0"),
        Assign(A, foreign["server"], "eth0"),
        AddMember(A, InterfaceKey(foreign["server"], "901", "eth0")),
    )
    for name in ("networks:detail", "networks:configure"):
        text = logged_in(viewer).get(reverse(name, args=[A])).text
        assert "has a problem on a physical server that you may not see" in text and "hidden1" not in text
        assert reverse("nodes:server", args=[foreign["server"]]) not in text
        assert "hidden1" in logged_in(admin).get(reverse(name, args=[A])).text


@pytest.mark.parametrize("name", ["nodes:add_server", "nodes:create_group"])
def test_who_is_admin_nowhere_is_told_which_role_it_needs(
    name: str, scene: Scene, viewer: Any, admin: Any
) -> None:
    response = logged_in(viewer).get(reverse(name))
    assert response.status_code == 403
    assert "needs the role “Admin” in a server group, and you have it in none" in response.text
    assert logged_in(admin).get(reverse(name)).status_code == 200


def test_an_admin_of_a_group_makes_groups_in_it_and_not_at_the_top(
    scene: Scene, django_user_model: Any
) -> None:
    client = logged_in(with_role(django_user_model, "anna", scene.group, Role.ADMIN))
    page = reverse("nodes:create_group")
    assert "at the top" not in client.get(page).text
    assert client.post(page, {"name": "East"}).status_code == 200
    assert client.post(page, {"name": "East", "parent": scene.group.pk}).status_code == 302
    assert reverse("nodes:add_server") in client.get(reverse("nodes:servers")).text


def test_what_one_may_not_add_is_not_offered(scene: Scene, viewer: Any) -> None:
    client = logged_in(viewer)
    for page in ("home", "nodes:servers"):
        assert reverse("nodes:add_server") not in client.get(reverse(page)).text


@pytest.mark.parametrize("roles", [(), (Role.VIEWER,), (Role.ADMIN, Role.VIEWER, Role.OPERATOR)])
def test_the_roles_that_come_with_a_user_are_those_that_a_query_finds(
    roles: tuple[Role, ...], scene: Scene, alice: Any, operator: Any
) -> None:
    for number, role in enumerate(roles):
        inner = ServerGroup.objects.create(name=f"inner {number}", parent=scene.group)
        GroupRole.objects.create(user=alice, group=inner, role=role)
    of_request = UserWithDraft().get_user(alice.pk)
    assert of_request
    for role in Role:
        found = group_paths(of_request, role)
        assert sorted(found) == sorted(group_paths(alice, role))
        assert scene.group.path not in found
    assert len(group_paths(of_request, Role.VIEWER)) == len(roles)


def test_the_first_superuser_is_told_to_make_a_group_first(admin: Any) -> None:
    """Found in review: she was told that she lacked a role."""
    client = logged_in(admin)
    for name in ("nodes:add_server", "networks:create"):
        text = client.get(reverse(name)).text
        assert "There is no server group yet" in text and "role in a server group" not in text
        assert reverse("nodes:create_group") in text
