"""No page offers a link or a button that its reader's role can only be refused for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from networks import problem_check
from networks.choices import ChangeState, MeasurementState
from networks.domain.state import AddMember, Assign
from networks.models import Behind, Change, Measurement, StandingProblem
from nodes.choices import HostKeyState, Role, ServerState
from nodes.models import Container, GroupRole, HostKey, PhysicalServer, ServerGroup
from tests.networks.changes import decide, drifted, planned
from tests.networks.conftest import Scene, make_container, make_server, with_role
from tests.pages.conftest import logged_in
from tests.pages.test_hidden_names import everything_happened, hidden_server
from tests.pages.walk import routes

pytestmark = pytest.mark.django_db
#: They end or change the session of the test's own user, or are no pages of the panel's own.
LEFT = ("/logout/", "/account/", "/login/", "/prove/", "/admin/", "/static/")
REFUSED = (403, 404, 405, 500)


@dataclass
class Sent:
    """A form as a browser sends it: everything ticked that can be, and one of its buttons pressed."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[dict[str, str]] = field(default_factory=list)


class Offered(HTMLParser):
    """The links of a page, and the forms that change something and have a button that can be pressed."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.links: set[str] = set()
        self.forms: dict[str, Sent] = {}
        self.open = self.select = ""
        self.is_chosen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.add(urljoin(self.address, given["href"]).partition("#")[0])
        elif tag == "form":
            self.open = ""
            if given.get("method") == "post":
                self.open = given.get("id") or f"form {len(self.forms)}"
                action = urljoin(self.address, given.get("action", "") or self.address)
                self.forms.setdefault(self.open, Sent(action)).action = action
        elif tag in ("input", "button", "select", "option") and "disabled" not in given:
            self.handle_field(tag, given)

    def handle_field(self, tag: str, given: Mapping[str, str]) -> None:
        name = given.get("form") or self.open
        if not name:
            return
        form = self.forms.setdefault(name, Sent(self.address))
        if tag == "button" and given.get("type") == "submit":
            form.buttons.append(dict(given))
        elif tag == "select":
            self.select, self.is_chosen = given.get("name", ""), False
        elif tag == "option" and self.select and not self.is_chosen:
            if self.select not in form.fields or "selected" in given:
                form.fields[self.select] = [given.get("value", "")]
            self.is_chosen = "selected" in given
        elif tag == "input" and given.get("name"):
            form.fields.setdefault(given["name"], []).append(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = ""
        elif tag == "select":
            self.select = ""


@pytest.fixture
def things(scene: Scene, admin: Any) -> list[dict[str, Any]]:
    """All that can stand on pages, on a server of the scene and on one of a group inside of Lab."""
    hidden = hidden_server(scene)
    here = everything_happened(scene, hidden, admin)
    segment = scene.eth0(scene.server1).segment
    assert segment
    east = ServerGroup.objects.create(name="East", parent=scene.group)
    own = make_server(east, segment, "east1", "10.77.1.11")
    container = make_container(own, "401", "eth0")
    network = here["network_id"]
    decide(Assign(network, own.pk, "eth0"), AddMember(network, scene.key(own, "401")))
    now = timezone.now()
    foreign = Change.objects.filter(reason="hush reason").first()
    assert foreign
    for server in (scene.server1, own):
        drifted(server, network_id=network)
        missed = {"followed": 0, "missed": 1, "reason": "It slept.", "since": now}
        Behind.objects.create(server=server, change=foreign, **missed)
        Measurement.objects.create(
            servers=[server.pk], change=foreign, state=MeasurementState.DONE, started_at=now, ended_at=now
        )
    under_way = planned(admin, Assign(network, hidden.pk, "hsh0"), servers=(hidden,))
    Change.objects.filter(pk=under_way.pk).update(state=ChangeState.APPLYING)
    mine = planned(admin, AddMember(network, scene.key(own, "401")), servers=(own,))
    Change.objects.filter(pk=mine.pk).update(state=ChangeState.APPLYING)
    for name, state in (("new1", ServerState.NEW), ("changed1", ServerState.HOST_KEY_CHANGED)):
        server = make_server(scene.group, segment, name, "10.77.1.20")
        PhysicalServer.objects.filter(pk=server.pk).update(state=state, state_reason="It does not answer.")
        HostKey.objects.create(
            server=server, key_type="x", base64="AA", sha256=f"SHA256:{name}", state=HostKeyState.PINNED
        )
    problem_check.check()
    there = {"group_id": east.pk, "server_id": own.pk, "container_id": container.pk, "change_id": mine.pk}
    waiting = {"server_id": PhysicalServer.objects.get(name="new1").pk}
    problems = [{"problem_id": pk} for pk in StandingProblem.objects.values_list("pk", flat=True)]
    assert len(problems) > 5
    return [here, here | there, here | waiting, *(here | problem for problem in problems)]


def shown(client: Client, things: list[dict[str, Any]]) -> Iterator[Offered]:
    """All pages that the reader may see, read."""
    addresses = [a for one in things for route in routes() if (a := route.address(one)) is not None]
    pair = f"/explain/?from=c:{things[0]['server_id']}:102&to=c:{things[1]['server_id']}:401&state=decided"
    for address in dict.fromkeys((*addresses, pair, "/networks/?sort=name")):
        if address.startswith(LEFT):
            continue
        response = client.get(address)
        if response.status_code == 200 and "text/html" in response.get("Content-Type", ""):
            page = Offered(address)
            page.feed(response.text)
            yield page


def faults_of(client: Client, things: list[dict[str, Any]]) -> list[str]:
    """What is offered and refused, each once."""
    links: dict[str, str] = {}
    forms: dict[str, tuple[Sent, dict[str, str], str]] = {}
    for page in shown(client, things):
        links |= {link: page.address for link in page.links if not urlsplit(link).path.startswith(LEFT)}
        for form in page.forms.values():
            for button in form.buttons:
                action = urljoin(page.address, button.get("formaction") or form.action)
                if not action.startswith(LEFT):
                    forms.setdefault(f"{action} {sorted(form.fields)} {button}", (form, button, page.address))
    faults = []
    for link, where in links.items():
        if (status := client.get(link).status_code) in REFUSED:
            faults.append(f"{where}: link to {link}: {status}")
    for form, button, where in forms.values():
        action = urljoin(where, button.get("formaction") or form.action)
        sent = form.fields | ({button["name"]: [button.get("value", "")]} if button.get("name") else {})
        with transaction.atomic():
            status = client.post(action, sent).status_code
            transaction.set_rollback(True)
        if status in REFUSED:
            faults.append(f"{where}: form to {action}: {status}")
    return faults


@pytest.mark.parametrize("roles", ["viewer and operator inside", "admin inside", "none"])
def test_nothing_is_offered_that_can_only_fail(
    roles: str, scene: Scene, things: list[dict[str, Any]], django_user_model: Any
) -> None:
    east = ServerGroup.objects.get(name="East")
    user = django_user_model.objects.create_user("user", password="x")
    if roles.startswith("viewer"):
        GroupRole.objects.create(user=user, group=scene.group, role=Role.VIEWER)
    if roles.endswith("inside"):
        role = Role.ADMIN if roles.startswith("admin") else Role.OPERATOR
        GroupRole.objects.create(user=user, group=east, role=role)
    assert faults_of(logged_in(user), things) == []


def test_who_may_is_offered_what_others_are_not(
    scene: Scene, things: list[dict[str, Any]], django_user_model: Any
) -> None:
    """That the walk finds nothing would be easy where nobody is offered anything."""
    seen = {}
    for name, role in (("vera", Role.VIEWER), ("otto", Role.OPERATOR), ("anna", Role.ADMIN)):
        client = logged_in(with_role(django_user_model, name, scene.group, role))
        pages = list(shown(client, things))
        seen[name] = {form.action for page in pages for form in page.forms.values() if form.buttons}
    only_otto, only_anna = seen["otto"] - seen["vera"], seen["anna"] - seen["otto"]
    for part in ("forward", "visibility/measure", "drift/repair", "members", "cancel"):
        assert any(f"/{part}/" in action for action in only_otto), part
    for part in ("host-key/read", "edit", "remove"):
        assert any(f"/{part}/" in action for action in only_anna), part
    assert Container.objects.filter(ctid="401").exists()
