"""A Change tells in sentences what was done where: who may not see one of those places does not see it."""

from __future__ import annotations

import importlib
import uuid
from typing import Any

import pytest
from django.apps import apps

from networks.change_trail import record_change
from networks.choices import ChangeState, OperationState
from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan, InterfaceKey
from networks.models import Change, ChangeServer
from networks.services.changes import apply_change, hidden_changes, start_repair, start_review
from networks.services.drafts import stage
from networks.services.errors import Conflict
from networks.services.queueing import told_as
from networks.views.subjects import result_for
from nodes.models import PhysicalServer, ServerGroup
from nodes.services.servers import remove_server
from tests.networks.changes import planned
from tests.networks.conftest import Scene, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def hidden(scene: Scene) -> PhysicalServer:
    """A server in a group where nobody but superusers has a role."""
    segment = scene.eth0(scene.server1).segment
    assert segment
    return make_server(ServerGroup.objects.create(name="Secret"), segment, "secret1", "10.77.9.1")


def ended(change: Change) -> Change:
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE)
    return change


def edits_about(server: PhysicalServer) -> list[Any]:
    network = str(uuid.uuid4())
    return [
        Assign(network, server.pk, "eth0"),
        AddMember(network, InterfaceKey(server.pk, "102", "eth0")),
        CreateVlan(server.pk, "eth0.7", "eth0", 7),
    ]


def test_edits_hide_it_where_no_command_was_needed(
    admin: Any, viewer: Any, operator: Any, scene: Scene, hidden: PhysicalServer
) -> None:
    for edit in edits_about(hidden):
        ended(planned(admin, edit, servers=(scene.server1,)))
    for edit in edits_about(scene.server2):
        ended(planned(admin, edit, servers=(scene.server1,)))
    assert Change.objects.visible_to(viewer).count() == 3
    assert hidden_changes(operator) == 3
    assert Change.objects.visible_to(admin).count() == 6


def test_it_stays_hidden_when_the_server_has_been_removed(
    admin: Any, viewer: Any, scene: Scene, hidden: PhysicalServer
) -> None:
    ended(planned(admin, Assign(str(uuid.uuid4()), hidden.pk, "eth0"), servers=(scene.server1,)))
    remove_server(admin, hidden)
    assert not PhysicalServer.objects.filter(name="secret1").exists()
    assert not Change.objects.visible_to(viewer).exists()


def test_a_review_and_a_repair_name_their_servers(operator: Any, scene: Scene) -> None:
    network = str(uuid.uuid4())
    stage(operator, [CreateNetwork(network, "N"), Assign(network, scene.server2.pk, "eth0")])
    assert set(start_review(operator).named.values_list("server", flat=True)) == {scene.server2.pk}
    repair = start_repair(operator, [scene.server1.pk])
    assert set(repair.named.values_list("server", flat=True)) == {scene.server1.pk}


def test_changes_of_before_get_their_servers(admin: Any, scene: Scene, hidden: PhysicalServer) -> None:
    edits = edits_about(hidden)
    change = planned(admin, *edits, Assign(edits[0].network, 999_999, "eth0"))
    Change.objects.filter(pk=change.pk).update(repairs=[scene.server1.pk])
    broken = planned(admin, CreateNetwork(str(uuid.uuid4()), "B"))
    Change.objects.filter(pk=broken.pk).update(edits="not JSON")
    ChangeServer.objects.all().delete()
    module = importlib.import_module("networks.migrations.0009_servers_of_changes")
    module.name_servers(apps, None)
    named = set(change.named.values_list("server", flat=True))
    assert named == {hidden.pk, scene.server1.pk, None}
    assert not broken.named.exists()


def test_the_audit_line_names_all_its_servers(admin: Any, scene: Scene, hidden: PhysicalServer) -> None:
    from trust.models import Entry

    change = planned(admin, Assign(str(uuid.uuid4()), hidden.pk, "eth0"), servers=(scene.server1,))
    record_change("applied", change, "")
    assert Entry.objects.latest("number").server_names == ["secret1", "server1"]


def test_what_is_in_the_way_is_not_told_to_whom_it_is_hidden(
    admin: Any, operator: Any, scene: Scene, hidden: PhysicalServer
) -> None:
    foreign = planned(admin, Assign(str(uuid.uuid4()), hidden.pk, "eth0"), servers=(scene.server1,))
    Change.objects.filter(pk=foreign.pk).update(
        state=ChangeState.APPLYING, summary="Assign A to eth0 on physical server secret1."
    )
    foreign.operations.update(state=OperationState.QUEUED)
    mine = planned(operator, servers=(scene.server1,))
    with pytest.raises(Conflict) as caught:
        apply_change(operator, mine, ())
    assert "server1" in str(caught.value) and "secret1" not in str(caught.value)


def test_how_it_ended_is_told_to_its_author_and_to_who_sees_all(
    admin: Any, viewer: Any, operator: Any, scene: Scene, hidden: PhysicalServer
) -> None:
    """The words may name servers that the Change does not: neighbours that did not hear."""
    change = planned(operator, servers=(scene.server1,))
    change.result = "Container 7 on physical server secret1 does not hear."
    assert result_for(change, operator) == result_for(change, admin) == change.result
    assert "secret1" not in result_for(change, viewer)
    assert result_for(Change(author=operator), viewer) == ""


def test_what_is_under_way_is_named_only_to_who_may_see_it(
    admin: Any, operator: Any, scene: Scene, hidden: PhysicalServer
) -> None:
    change = planned(admin, Assign(str(uuid.uuid4()), hidden.pk, "eth0"), servers=(scene.server1,))
    assert told_as(change, operator) == told_as(change, None) == "Another change"
    assert told_as(change, admin) == f"“{change}”"
