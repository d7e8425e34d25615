"""Every role on every page with every method: who sees, who changes, and what a GET leaves alone.

A new route is walked without being named here. One whose address needs something new is walked once the
fixtures `own` and `foreign` have it.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from networks.domain.state import AddMember, Assign, CreateNetwork
from networks.models import Change, NetworkIntent, StandingProblem
from nodes.choices import HostKeyState, Role
from nodes.models import Adapter, Container, HostKey, PhysicalServer, ServerGroup
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene, make_container, make_server, with_role
from tests.pages.conftest import logged_in
from tests.pages.walk import Route, routes, state
from trust.audit import record

pytestmark = pytest.mark.django_db
EVIL = "<script>alert('ü')</script>\"'&\u202e"
ALL = routes()
#: A post there is about the user's own login or draft, whatever her role: she may change that.
OWN = re.compile(
    r"^(login|logout|prove|account|password|two_factor|recovery|networks:(discard_draft|review_draft))"
)
#: These need the role admin; a user who is operator is refused.
ADMIN_ONLY = {
    "networks:forget_server",
    "networks:prepare_server",
    "nodes:add_server",
    "nodes:edit_group",
    "nodes:edit_server",
    "nodes:host_key",
    "nodes:install_key",
    "nodes:read_host_key",
    "nodes:remove_group",
    "nodes:remove_server",
}
Things = dict[str, Any]


def things_on(server: PhysicalServer, group: ServerGroup, container: Container, owner: Any) -> Things:
    """What addresses can name, around one server."""
    network = str(uuid.uuid4())
    decide(CreateNetwork(network, f"net of {server.name}"[:60]), Assign(network, server.pk, "eth0"))
    change = planned(owner, servers=(server,), reason=f"about {server.name}")
    Change.objects.filter(pk=change.pk).update(state="done")
    operation = change.operations.get()
    problem = StandingProblem.objects.create(
        cause="adapter-gone",
        key=f"of {server.name}",
        severity="refuse",
        text=f"eth0 of {server.name} is gone.",
        subjects=[{"kind": "adapter", "server": server.pk, "adapter": "eth0", "label": "eth0"}],
        first_seen_at=timezone.now(),
    )
    problem.servers.add(server)
    return {
        "group_id": group.pk,
        "server_id": server.pk,
        "container_id": container.pk,
        "network_id": network,
        "change_id": change.pk,
        "operation_id": operation.pk,
        "intent_id": NetworkIntent.objects.create(network_id=network, kind="isolated").pk,
        "problem_id": problem.pk,
        "adapter_id": Adapter.objects.get(server=server).pk,
        "number": record("x.done", f"Something on {server.name}.", actor="nobody", servers=[server]).number,
    }


@pytest.fixture
def own(scene: Scene, admin: Any) -> Things:
    container = Container.objects.filter(server=scene.server1, ctid="102").get()
    HostKey.objects.create(
        server=scene.server1, key_type="x", base64="AA", sha256="SHA256:x", state=HostKeyState.OFFERED
    )
    return things_on(scene.server1, scene.group, container, admin)


@pytest.fixture
def foreign(scene: Scene, admin: Any) -> Things:
    """The same in a group where nobody of the cast has a role."""
    segment = scene.eth0(scene.server1).segment
    assert segment
    group = ServerGroup.objects.create(name="Secret")
    server = make_server(group, segment, "hidden1", "10.77.9.1")
    return things_on(server, group, make_container(server, "901", "eth0"), admin)


@pytest.fixture
def cast(django_user_model: Any, scene: Scene) -> dict[str, Any]:
    made = {
        role: with_role(django_user_model, f"user-{role}", scene.group, Role(role)) for role in Role.values
    }
    return made | {"none": django_user_model.objects.create_user("user-none", password="correct-horse")}


def body(own: Things) -> dict[str, Any]:
    """What many forms accept, so that a post gets as far as its permission lets it."""
    return {
        "name": "changed", "group": own["group_id"], "address": "192.0.2.99", "port": 22, "os": "linux",
        "login": "new_key", "username": "root", "adapter": "local", "description": "changed",
        "decision": "approve", "sha256": "SHA256:x", "password": "x", "confirm": "on", "tick": "x",
    }  # fmt: skip


def about_things(route: Route) -> bool:
    """A network's name and what it is meant to do are visible to every user (what is where is not)."""
    return bool(set(route.arguments) - {"network_id", "intent_id"})


def mixed(own: Things, foreign: Things, route: Route) -> Things:
    """Foreign things, but for the network where a server says whose page it is."""
    return foreign | ({"network_id": own["network_id"]} if len(route.arguments) > 1 else {})


def fault_of(route: Route, things: Things, client: Client, method: str, allowed: set[int], data: Any) -> str:
    address = route.address(things)
    if address is None:
        return ""
    code = getattr(client, method)(address, data).status_code
    return "" if code in allowed else f"{method} {route}: {code}"


@pytest.mark.parametrize("role", ["none", *Role.values])
def test_what_is_foreign_does_not_exist(role: str, cast: Any, own: Things, foreign: Things) -> None:
    client = logged_in(cast[role])
    before = state()
    faults = [
        fault_of(route, mixed(own, foreign, route), client, method, {404, 405}, body(own))
        for route in ALL
        if about_things(route)
        for method in ("get", "post")
    ]
    assert not [fault for fault in faults if fault]
    assert state() == before


def test_without_a_role_nothing_exists(cast: Any, own: Things) -> None:
    client = logged_in(cast["none"])
    before = state()
    faults = [
        fault_of(route, own, client, method, {404, 405}, body(own))
        for route in ALL
        if about_things(route)
        for method in ("get", "post")
    ]
    assert not [fault for fault in faults if fault]
    assert state() == before


@pytest.mark.parametrize("role", Role.values)
def test_a_role_opens_the_pages_of_its_group(role: str, cast: Any, own: Things) -> None:
    client = logged_in(cast[role])
    # A line of the audit trail is its author's; what needs more than looking may be refused.
    pages = [route for route in ALL if "number" not in route.arguments and route.name != "healthz"]
    faults = [fault_of(route, own, client, "get", {200, 302, 403, 405}, {}) for route in pages]
    assert not [fault for fault in faults if fault]
    must = [route for route in pages if route.name in ("nodes:server", "nodes:group", "networks:detail")]
    assert len(must) == 3
    assert not [fault for route in must if (fault := fault_of(route, own, client, "get", {200}, {}))]


def test_a_viewer_changes_nothing(cast: Any, own: Things) -> None:
    client = logged_in(cast["viewer"])
    before = state()
    for route in ALL:
        address = route.address(own)
        if address is None or OWN.match(route.name):
            continue
        code = client.post(address, body(own)).status_code
        assert code < 500 or route.name == "healthz", f"{address}: {code}"
        assert state() == before, f"a viewer changed something by posting to {address} ({code})"


def test_an_operator_administers_nothing(cast: Any, own: Things) -> None:
    assert {route.name for route in ALL} >= ADMIN_ONLY
    client = logged_in(cast["operator"])
    before = state()
    for route in ALL:
        if route.name in ADMIN_ONLY:
            code = client.post(route.address(own), body(own)).status_code
            assert code == 403, f"{route}: {code}"
    assert state() == before


def test_no_get_changes_anything(own: Things, admin: Any) -> None:
    client = logged_in(admin)
    before = state()
    for route in ALL:
        if (address := route.address(own)) is None:
            continue
        for headers in ({}, {"HX-Request": "true"}):
            code = client.get(address, headers=headers).status_code
            # A monitor is told that nothing but the database runs here.
            assert code < 500 or route.name == "healthz", f"{address}: {code}"
            after = state()
            assert after == before, f"a GET of {address} changed something"


def test_a_post_without_its_token_is_refused_everywhere(own: Things, admin: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    before = state()
    for route in ALL:
        for headers in ({}, {"HX-Request": "true"}):
            if address := route.address(own):
                code = client.post(address, body(own), headers=headers).status_code
                assert code in (403, 405), f"{address}: {code}"
    assert state() == before


def test_every_page_keeps_to_the_policy_and_escapes_hostile_names(
    own: Things, admin: Any, scene: Scene
) -> None:
    decide(
        CreateNetwork(str(uuid.uuid4()), EVIL),
        Assign(own["network_id"], scene.server2.pk, "eth0"),
        AddMember(own["network_id"], scene.key(scene.server1, "103")),
    )
    ServerGroup.objects.filter(pk=scene.group.pk).update(name=EVIL, description=EVIL)
    PhysicalServer.objects.update(
        description=EVIL, state_reason=EVIL, hostname=EVIL, kernel=EVIL, distribution=EVIL, vzctl_version=EVIL
    )
    PhysicalServer.objects.filter(pk=scene.server1.pk).update(name=EVIL)
    Container.objects.update(name=EVIL, hostname=EVIL, problem=EVIL, ostemplate=EVIL)
    Adapter.objects.update(owner=EVIL[:30])
    Change.objects.update(reason=EVIL, summary=EVIL, result=EVIL)
    Change.objects.get(pk=own["change_id"]).operations.update(
        message=EVIL, events=[{"at": "2026-01-01T00:00:00+00:00", "text": EVIL}], notes=[EVIL],
        commands=[{"phase": "critical", "text": EVIL}], server_name=EVIL,
    )  # fmt: skip
    client = logged_in(admin)
    shown = 0
    for route in ALL:
        if (address := route.address(own)) is None:
            continue
        for headers in ({}, {"HX-Request": "true"}):
            response = client.get(address, headers=headers)
            if response.streaming or "text/html" not in response.get("Content-Type", ""):
                continue
            page, policy = response.content.decode(), response["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "script-src 'self'" in policy, address
            assert "unsafe" not in policy, address
            assert "<script>alert" not in page, f"{address} does not escape"
            assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=", page), address
            assert not re.search(r"<[^<>]+\son[a-z]+=", page), address
            assert not re.search(r"(src|href|action)=\"(javascript:|(https?:)?//)", page), address
            shown += "&lt;script&gt;alert" in page
    assert shown > 20
