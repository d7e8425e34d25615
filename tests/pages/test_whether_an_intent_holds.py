"""What the page of an intent says of it: that it holds, that it does not, or that this is not known."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from networks import problem_check
from networks.domain.state import Assign, CreateNetwork
from networks.models import Draft, Measurement, NetworkIntent, StandingProblem
from networks.services import drafts
from nodes.choices import Role
from nodes.models import Adapter, ContainerInterface, GroupRole, PhysicalServer, ServerGroup
from tests.domain.scheme import A, B, C
from tests.networks.changes import decide
from tests.networks.test_intents import measured
from tests.pages.conftest import logged_in
from tests.seeded import seed

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(db: None) -> Client:
    """The manual's scheme, applied, nothing measured, and a superuser without a draft."""
    seed()
    Draft.objects.all().delete()
    Measurement.objects.all().delete()
    return logged_in(User.objects.get(username="admin"))


def meant(network: str, kind: str, **ends: str) -> None:
    NetworkIntent.objects.create(network_id=network, kind=kind, **ends)


def page(client: Client, network: str, **query: Any) -> str:
    """Its intents, in words and with the titles of their icons, in one line."""
    text: str = client.get(reverse("networks:intent", args=[network]), query).content.decode()
    listed = text.partition('<ul class="problem-list">')[2].partition("</ul>")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", listed).split())


def link_of(problem: StandingProblem) -> str:
    return f'href="{reverse("networks:problem", args=[problem.pk])}"'


def standing() -> StandingProblem:
    return StandingProblem.objects.open().get(cause="breach")


def signs(client: Client, network: str) -> tuple[bool, bool, bool]:
    """Whether it says of any intent that it holds, does not hold, is not known."""
    text = page(client, network)
    return ("Holds" in text, "Does not hold" in text, "Not known" in text)


def test_what_is_known_to_hold_holds(client: Client) -> None:
    meant(C, "isolated")
    assert signs(client, C) == (True, False, False)


def test_what_depends_on_an_answer_that_is_unknown_is_not_known(client: Client) -> None:
    ContainerInterface.objects.filter(container__ctid="203").update(addresses_known=False, addresses_text="")
    meant(C, "together")
    assert signs(client, C) == (False, False, True)
    assert "203" in page(client, C).partition("Not known")[2]


def test_on_a_segment_that_nobody_has_named_isolation_is_not_known(client: Client) -> None:
    Adapter.objects.update(segment=None)
    meant(A, "isolated")
    assert signs(client, A) == (False, False, True)


def test_what_was_measured_otherwise_does_not_hold(client: Client) -> None:
    meant(C, "isolated")
    measured(("c:2:203", "o:1", "ip", "yes"))
    problem_check.check()
    assert signs(client, C) == (False, True, False)
    assert "As measured: Virtual Network C is meant never to reach other hosts" in page(client, C)
    assert link_of(standing()) in client.get(reverse("networks:intent", args=[C])).content.decode()


def test_what_was_observed_otherwise_does_not_hold(client: Client) -> None:
    """The draft that is shown holds it, and so does what is decided: the server was found otherwise."""
    meant(C, "together")
    ContainerInterface.objects.filter(container__ctid="203", ifname="eth0").update(bridge=None)
    problem_check.check()
    assert signs(client, C) == (False, True, False)
    assert "As observed: Members of Virtual Network C" in page(client, C)


def test_a_breach_that_is_decided_leads_to_its_problem(client: Client) -> None:
    meant(B, "isolated")
    assert signs(client, B) == (False, True, False)
    problem_check.check()
    assert link_of(standing()) in client.get(reverse("networks:intent", args=[B])).content.decode()
    assert page(client, B).count("is meant never to reach other hosts") == 1


def test_a_draft_that_mends_what_is_decided_is_said_to_and_the_breach_stands(client: Client) -> None:
    meant(C, "isolated")
    decide(Assign(C, 2, "eth1"))
    problem_check.check()
    drafts.stage(User.objects.get(username="admin"), [Assign(C, 2, None)])
    assert signs(client, C) == (False, True, False)
    assert "Your draft mends it" in page(client, C)


def test_no_draft_is_said_to_mend_what_was_only_measured(client: Client) -> None:
    meant(C, "isolated")
    measured(("c:2:203", "o:1", "ip", "yes"))
    problem_check.check()
    drafts.stage(User.objects.get(username="admin"), [Assign(B, 2, "eth1")])
    assert "Your draft mends it" not in page(client, C)


def test_each_intent_of_a_network_has_the_breach_that_is_its_own(client: Client) -> None:
    meant(C, "sees", source="c:2:203", target="c:2:204")
    meant(C, "sees", source="c:2:204", target="c:2:203")
    measured(("c:2:203", "c:2:204", "ip", "no"))
    problem_check.check()
    text = page(client, C)
    assert text.count("Does not hold") == text.count("Holds") == 1


def test_a_mended_one_holds(client: Client) -> None:
    meant(C, "isolated")
    measured(("c:2:203", "o:1", "ip", "yes"))
    problem_check.check()
    measured(("c:2:203", "o:1", "ip", "no"))
    problem_check.check()
    assert signs(client, C) == (True, False, False)


def test_of_a_breach_on_servers_that_she_may_not_see_a_reader_learns_only_that_it_is_there(
    client: Client, django_user_model: Any
) -> None:
    network = str(uuid.uuid4())
    PhysicalServer.objects.filter(pk=2).update(group=ServerGroup.objects.create(name="Elsewhere"))
    decide(CreateNetwork(network, "N"))
    meant(network, "sees", source="c:2:203", target="c:2:204")
    measured(("c:2:203", "c:2:204", "ip", "no"))
    problem_check.check()
    user = django_user_model.objects.create_user("ona", password="correct-horse-battery")
    GroupRole.objects.create(user=user, group=ServerGroup.objects.get(name="Lab"), role=Role.VIEWER)
    reader = logged_in(user)
    text = page(reader, network)
    assert "Does not hold" in text and "physical servers that you may not see" in text
    assert "As measured" not in text and "203" not in text and "server2" not in text
    assert link_of(standing()) not in reader.get(reverse("networks:intent", args=[network])).content.decode()


def test_as_of_then_nothing_is_said_of_problems_of_today(client: Client) -> None:
    meant(C, "isolated")
    measured(("c:2:203", "o:1", "ip", "yes"))
    problem_check.check()
    assert "Does not hold" not in page(client, C, as_of=1)


def test_more_intents_take_no_more_queries(client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            client.get(reverse("networks:intent", args=[C]))
        return len(found)

    meant(C, "isolated")
    queries()
    one = queries()
    meant(C, "together")
    meant(C, "sees", source="c:2:203", target="c:2:204")
    measured(("c:2:203", "c:2:204", "ip", "no"))
    problem_check.check()
    assert queries() == one
