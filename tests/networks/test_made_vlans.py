"""A VLAN adapter that a Change has made on its server already is decided, although it is seen there."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from networks.choices import ChangeState
from networks.desired import head
from networks.domain.state import Assign, CreateNetwork, CreateVlan, DeleteVlan
from networks.engine.decide import DecisionRefused, decide
from networks.engine.lease import claim
from networks.models import Assignment, Change
from nodes.choices import Origin
from nodes.models import Adapter
from nodes.sync import Timing, store
from tests.networks.changes import planned
from tests.networks.conftest import Scene
from tests.nodes import scene as nodes_scene

D = "6f1c3a1e-0000-4000-8000-000000000004"


def decided(user: Any, *edits: Any) -> None:
    change = planned(user, *edits)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
    lease = claim(change.pk)
    assert lease
    decide(lease, change)


def seen(scene: Scene, name: str, vid: int) -> Adapter:
    base = scene.eth0(scene.server1)
    return Adapter.objects.create(
        server=scene.server1, name=name, kind="vlan", base=base, vlan_id=vid, origin=Origin.PANEL
    )


def test_it_is_decided_with_the_network_on_it(scene: Scene, operator: Any) -> None:
    seen(scene, "eth0.5", 5)
    one = scene.server1.pk
    decided(operator, CreateNetwork(D, "D"), CreateVlan(one, "eth0.5", "eth0", 5), Assign(D, one, "eth0.5"))
    assert head().number == 1
    assert Assignment.objects.get().adapter == Adapter.objects.get(name="eth0.5")


def test_it_is_decided_before_any_look_has_seen_it(scene: Scene, operator: Any) -> None:
    one = scene.server1.pk
    decided(operator, CreateNetwork(D, "D"), CreateVlan(one, "eth0.5", "eth0", 5), Assign(D, one, "eth0.5"))
    row = Assignment.objects.get().adapter
    assert row and (row.name, row.vlan_id, row.base) == ("eth0.5", 5, scene.eth0(scene.server1))
    assert row.gone_at is not None
    look = nodes_scene.server((), nodes_scene.nic(), nodes_scene.vlan("eth0", 5))
    store(one, look, Timing(timezone.now()))
    row.refresh_from_db()
    assert row.gone_at is None and Adapter.objects.filter(name="eth0.5").count() == 1


def test_one_of_that_id_that_somebody_else_made_meanwhile_is_refused(scene: Scene, operator: Any) -> None:
    seen(scene, "storage", 5)
    with pytest.raises(DecisionRefused, match="taken by"):
        decided(operator, CreateVlan(scene.server1.pk, "eth0.5", "eth0", 5))


def test_a_deleted_one_cannot_be_assigned_before_a_look_has_missed_it(scene: Scene, operator: Any) -> None:
    one = scene.server1.pk
    seen(scene, "eth0.5", 5)
    decided(operator, CreateNetwork(D, "D"), CreateVlan(one, "eth0.5", "eth0", 5))

    decided(operator, DeleteVlan(one, "eth0.5"))

    with pytest.raises(DecisionRefused):
        decided(operator, Assign(D, one, "eth0.5"))
