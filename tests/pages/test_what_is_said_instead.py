"""Where a button is missing because of a role, the page says which role it takes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from networks.choices import ChangeState
from networks.domain.state import AddMember, Assign, CreateNetwork
from networks.models import Behind, Change, StandingProblem
from networks.problem_check import check
from networks.services.errors import Conflict
from networks.services.forward import bring_forward
from nodes.choices import Role
from nodes.models import ContainerInterface, GroupRole, PhysicalServer, ServerGroup
from tests.networks.changes import decide, drifted, planned
from tests.networks.conftest import Scene, make_server, with_role
from tests.pages.conftest import logged_in

pytestmark = pytest.mark.django_db
A = "6f1c3a1e-0000-4000-8000-00000000000a"


@pytest.fixture
def hidden(scene: Scene) -> PhysicalServer:
    """A server that nobody of the cast may see."""
    segment = scene.eth0(scene.server1).segment
    assert segment
    return make_server(ServerGroup.objects.create(name="Secret"), segment, "hidden1", "10.77.9.1")


@pytest.fixture
def mixed(scene: Scene, django_user_model: Any) -> Client:
    """Who may look at server1, and operate server2."""
    other = ServerGroup.objects.create(name="Other")
    PhysicalServer.objects.filter(pk=scene.server2.pk).update(group=other)
    user = with_role(django_user_model, "mia", scene.group, Role.VIEWER)
    GroupRole.objects.create(user=user, group=other, role=Role.OPERATOR)
    return logged_in(user)


def text_of(client: Client, name: str, *args: Any, **query: str) -> str:
    return client.get(reverse(name, args=args), query).text


def test_measuring(scene: Scene, mixed: Client) -> None:
    PhysicalServer.objects.update(containers_count=2)
    one, two = (text_of(mixed, "networks:server_visibility", s.pk) for s in (scene.server1, scene.server2))
    assert "To measure you need the operator role on server1." in one and "Measure now" not in one
    assert "To measure" not in two and "Measure now" in two
    PhysicalServer.objects.update(is_enabled=False)
    off = text_of(mixed, "networks:server_visibility", scene.server2.pk)
    assert "No physical server of it can be asked." in off and "Measure now" not in off


def test_a_way_out_of_what_is_explained(scene: Scene, mixed: Client, operator: Any) -> None:
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(scene.server1, "102")))
    asked = {"from": "102 on server1", "to": "other hosts", "state": "decided"}
    lacking = "To put this into a draft you need the operator role there."
    text = text_of(mixed, "networks:explain", **asked)
    assert "Assign Virtual Network A to eth0 of physical server server1" in text
    assert lacking in text and "Add to draft" not in text
    mine = text_of(logged_in(operator), "networks:explain", **asked)
    assert lacking not in mine and "Add to draft" in mine
    found = text_of(logged_in(operator), "networks:explain", **asked | {"state": "observed"})
    assert "A draft is about what is decided" in found and "Add to draft" not in found


def test_a_way_out_of_a_problem(scene: Scene, mixed: Client) -> None:
    key = scene.key(scene.server1, "102")
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), AddMember(A, key))
    ContainerInterface.objects.filter(container__ctid="102").update(gone_at=timezone.now())
    check()
    problem = StandingProblem.objects.open().get(cause="interface-gone")
    text = text_of(mixed, "networks:problem", problem.pk)
    assert "To put this into a draft you need the operator role there." in text
    assert "Add to draft" not in text


def test_drift_and_problems_are_ticked_where_she_is_operator(scene: Scene, mixed: Client) -> None:
    here, there = drifted(scene.server1), drifted(scene.server2)
    text = text_of(mixed, "networks:drift")
    assert f'name="drift" value="{there.pk}"' in text and f'value="{here.pk}"' not in text
    assert "Repair" in text
    only_here = text_of(mixed, "networks:server_drift", scene.server1.pk)
    assert "To repair or adopt it you need the operator role on its server." in only_here
    assert 'type="submit">' not in only_here.split("<tbody", 1)[1].split("</form>")[0]
    PhysicalServer.objects.update(state="unreachable")
    check()
    rows = {
        row.text.split(":")[0]: row.pk for row in StandingProblem.objects.filter(cause="server-unreachable")
    }
    text = text_of(mixed, "networks:problems", cause="server-unreachable")
    assert f'name="problem" value="{rows["server2"]}"' in text
    assert f'name="problem" value="{rows["server1"]}"' not in text and "Acknowledge ticked ones" in text


def test_the_members_and_cells_of_other_servers_are_not_to_be_changed(scene: Scene, mixed: Client) -> None:
    keys = scene.key(scene.server1, "102"), scene.key(scene.server2, "202")
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"), *(AddMember(A, key) for key in keys))
    text = text_of(mixed, "networks:configure", A)
    assert "Take 202 eth0 out" in text and "Take 102 eth0 out" not in text
    assert 'aria-label="A on server2"' in text and 'aria-label="A on server1"' not in text
    detail = text_of(mixed, "networks:detail", A)
    assert reverse("networks:configure_on_server", args=[scene.server2.pk, A]) in detail
    assert reverse("networks:configure_on_server", args=[scene.server1.pk, A]) not in detail


def test_a_viewer_is_led_to_no_page_where_she_can_do_nothing(scene: Scene, as_viewer: Client) -> None:
    grid = text_of(as_viewer, "networks:group_grid", scene.group.pk)
    assert "No virtual networks yet" in grid and reverse("networks:create") not in grid
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(scene.server1, "102")))
    configure = reverse("networks:configure", args=[A])
    assert configure not in text_of(as_viewer, "networks:detail", A)
    assert (
        "You need the operator role on a server to assign the network there." in as_viewer.get(configure).text
    )
    ContainerInterface.objects.filter(container__ctid="102").update(gone_at=timezone.now())
    check()
    problems = text_of(as_viewer, "networks:problems")
    assert configure not in problems and "Open the network" in problems


def test_a_change_that_one_may_not_see_is_told_of_and_not_linked(
    scene: Scene, hidden: PhysicalServer, as_viewer: Client, admin: Any
) -> None:
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(scene.server1, "102")))
    edits = Assign(A, scene.server1.pk, "eth0"), Assign(A, hidden.pk, "eth0")
    change = planned(admin, *edits, servers=(scene.server1, hidden))
    Change.objects.filter(pk=change.pk).update(state=ChangeState.APPLYING)
    there = reverse("networks:change", args=[change.pk])
    for page in (("networks:list",), ("networks:server_networks", scene.server1.pk)):
        text = text_of(as_viewer, *page)
        assert "change under way" in text and there not in text
        assert there in text_of(logged_in(admin), *page)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.BEHIND)
    change.operations.filter(server=scene.server1).update(state="behind")
    now = timezone.now()
    Behind.objects.create(
        server=scene.server1, change=change, followed=0, missed=1, reason="It slept.", since=now
    )
    check()
    for page in (("nodes:server", scene.server1.pk), ("networks:changes",), ("networks:problems",)):
        assert there not in text_of(as_viewer, *page), page
        assert there in text_of(logged_in(admin), *page), page
    assert "Open the server" in text_of(as_viewer, "networks:problems")


def test_a_change_is_taken_back_by_who_may_operate_its_servers(
    scene: Scene, as_viewer: Client, as_operator: Client, admin: Any
) -> None:
    change = planned(admin, Assign(A, scene.server1.pk, "eth0"), servers=(scene.server1,))
    Change.objects.filter(pk=change.pk).update(state=ChangeState.APPLYING)
    assert "Cancel and take back" in text_of(as_operator, "networks:change", change.pk)
    assert "Cancel and take back" not in text_of(as_viewer, "networks:change", change.pk)


def test_another_ones_review_asks_for_no_ticks(scene: Scene, operator: Any, as_admin: Client) -> None:
    warning = {"key": "rule-0", "severity": "warn", "text": "No address.", "hint": "", "subjects": []}
    edit = Assign(A, scene.server1.pk, "eth0")
    change = planned(operator, edit, servers=(scene.server1,), problems=[warning])
    text = text_of(as_admin, "networks:change", change.pk)
    assert "No address." in text and 'name="tick"' not in text and "Tick each" not in text
    assert "What was asked for" in text and "your draft" not in text
    operator.group_roles.all().delete()
    mine = text_of(logged_in(operator), "networks:change", change.pk)
    assert "What you asked for" in mine and "To apply it you need the operator role" in mine
    assert "apply-form" not in mine.replace('form="apply-form"', "")


def test_the_panels_own_try_is_not_shown_while_it_is_planned(scene: Scene, operator: Any) -> None:
    """Found in review: "Bring forward" led an operator to a page that was not there for her."""
    own = Change.objects.create(
        base=0, repairs=[scene.server1.pk], is_automatic=True, state=ChangeState.PLANNING
    )
    missed = {"followed": 0, "missed": 1, "reason": "It slept.", "since": timezone.now()}
    Behind.objects.create(server=scene.server1, attempt=own, **missed)
    with pytest.raises(Conflict, match="planning that for server1 by itself"):
        bring_forward(operator, scene.server1)
    Change.objects.update(state=ChangeState.APPLYING)
    assert bring_forward(operator, scene.server1) == own
    assert "Review" not in text_of(logged_in(operator), "networks:change", own.pk).split("<title>")[1][:20]


def test_a_group_at_the_top_is_removed_by_superusers(
    scene: Scene, django_user_model: Any, admin: Any
) -> None:
    anna = logged_in(with_role(django_user_model, "anna", scene.group, Role.ADMIN))
    remove = reverse("nodes:remove_group", args=[scene.group.pk])
    assert remove not in text_of(anna, "nodes:group", scene.group.pk)
    assert "This needs a superuser." in anna.get(remove).text
    assert remove in text_of(logged_in(admin), "nodes:group", scene.group.pk)
    viewer = logged_in(with_role(django_user_model, "vera", scene.group, Role.VIEWER))
    edit = viewer.get(reverse("nodes:edit_group", args=[scene.group.pk])).text
    assert "This needs the admin role in its server group." in edit


def test_who_has_no_role_is_told_so(alice: Any, admin: Any) -> None:
    said = "You have no role in a server group yet"
    assert said in text_of(logged_in(alice), "home") and said not in text_of(logged_in(admin), "home")


def test_a_fix_that_the_draft_has_already_is_taken_without_a_complaint(
    scene: Scene, operator: Any, as_operator: Client
) -> None:
    """Found in review: looked at as decided, it was refused because of the reader's own draft."""
    decide(CreateNetwork(A, "A"), AddMember(A, scene.key(scene.server1, "102")))
    asked = {"from": "102 on server1", "to": "other hosts", "state": "decided"}
    text = text_of(as_operator, "networks:explain", **asked)
    form = next(f for f in text.split("<form")[1:] if reverse("networks:take_fix") in f)
    fields = {
        part.split('"')[0]: part.split('value="')[1].split('"')[0]
        for part in form.split("</form>")[0].split('name="')[1:]
        if "value=" in part
    }
    for _ in range(2):
        answer = as_operator.post(reverse("networks:take_fix"), fields)
        assert answer["Location"] == reverse("networks:draft")
