"""In a large installation a page looks at servers that networks join to it in all states that it compares."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from networks.choices import ChangeState, OperationState
from networks.domain.inventory import ContainerKey
from networks.domain.state import AddMember, Assign, CreateNetwork, Edit, RemoveMember, Unassign
from networks.models import Change, Draft, Operation
from networks.services import drafts, sight
from networks.state_json import dump_edits
from nodes.models import PhysicalServer
from tests.domain import scheme
from tests.networks.changes import decide
from tests.pages.conftest import logged_in
from tests.seeded import seed

pytestmark = pytest.mark.django_db
APART = RemoveMember(scheme.interface(2, "205")), Unassign(scheme.D, 2)
"""Network D leaves server2: 301 is on a server about which nothing is to be done."""
TOGETHER = Assign(scheme.D, 2, "eth0.100"), AddMember(scheme.D, scheme.interface(2, "205"))
ONE, OTHER = (
    "Container 205 (c205) on physical server server2",
    "Container 301 (c301) on physical server server3",
)
NEW = "00000000-0000-4000-8000-0000000000ff"


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> User:
    """The manual's scheme, applied, with too many servers to be looked at whole."""
    seed()
    Draft.objects.all().delete()
    monkeypatch.setattr(sight, "SMALL", 0)
    return User.objects.get(username="admin")


def reviewed(author: User, *edits: Edit, servers: tuple[int, ...]) -> str:
    """What the review's page says of a Change with something to do on those servers."""
    change = Change.objects.create(
        author=author, edits=dump_edits(edits), base=1, state=ChangeState.PLANNED, summary="Something."
    )
    for server in PhysicalServer.objects.filter(pk__in=servers):
        Operation.objects.create(
            change=change, server=server, server_name=server.name, state=OperationState.PLANNED
        )
    page = logged_in(author).get(reverse("networks:change", args=[change.pk])).content.decode()
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_the_review_names_those_who_lose_sight_of_a_server_that_the_network_leaves(admin: User) -> None:
    page = reviewed(admin, *APART, servers=(2,))
    assert f"{ONE} no longer sees {OTHER}" in page
    assert "Nobody gains or loses sight of anybody." not in page


def test_the_review_names_those_who_come_to_see_a_server_that_the_network_comes_to(admin: User) -> None:
    decide(*APART)
    page = reviewed(admin, *TOGETHER, servers=(2,))
    assert f"{ONE} comes to see {OTHER}" in page


def test_the_review_looks_at_servers_where_nothing_is_to_be_done_any_more(admin: User) -> None:
    page = reviewed(admin, CreateNetwork(NEW, "New"), *APART, servers=())
    assert f"{ONE} no longer sees {OTHER}" in page


def test_what_is_decided_is_looked_at_by_what_is_decided(admin: User) -> None:
    drafts.stage(admin, APART)
    a, b = ContainerKey(2, "205"), ContainerKey(3, "301")
    assert sight.sight(admin, [2], "decided").visibility.answer(a, b) == "yes"
    assert sight.sight(admin, [2], "observed").visibility.answer(a, b) == "yes"
    assert sight.sight(admin, [2, 3], "draft").visibility.answer(a, b) == "no"
