"""What is meant is asked once more at apply and at the decision: no new breach goes through unticked."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from networks.desired import head
from networks.domain.state import AddMember, Assign, CreateNetwork, DescribeNetwork, Edit
from networks.engine.decide import DecisionRefused
from networks.engine.decide import decide as decide_change
from networks.engine.runner import run_change
from networks.models import Change, NetworkIntent
from networks.services import changes
from networks.services.errors import Conflict
from networks.services.queueing import not_reviewed
from nodes.models import Adapter, PhysicalSegment
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene
from tests.networks.test_warnings_at_once import claimed

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"
LATER = "said since the review"


def local(scene: Scene) -> tuple[Edit, ...]:
    """Network A with container 102 in it, on no wire."""
    one = scene.server1
    return CreateNetwork(A, "A"), Assign(A, one.pk, None), AddMember(A, scene.key(one, "102"))


def on_the_lan(scene: Scene) -> Edit:
    return Assign(A, scene.server1.pk, "eth0")


def meant(kind: str = "isolated", **points: str) -> NetworkIntent:
    return NetworkIntent.objects.create(network_id=A, kind=kind, **points)


def asked(change: Change, *intents: NetworkIntent) -> Change:
    """The Change as a review left it that asked about those."""
    change.settled = {**change.settled, "intents": [row.pk for row in intents]}
    change.save(update_fields=["settled"])
    return change


def test_what_is_meant_since_the_review_is_asked_at_apply(scene: Scene, operator: Any) -> None:
    decide(*local(scene))
    change = planned(operator, on_the_lan(scene))
    meant()
    with pytest.raises(Conflict, match="Virtual Network A is meant never to reach other hosts") as refused:
        changes.apply_change(operator, change, ())
    assert LATER in str(refused.value) and str(refused.value).endswith("Review the draft again.")


def test_what_is_meant_since_it_was_applied_is_asked_at_the_decision(scene: Scene, operator: Any) -> None:
    decide(*local(scene))
    pair = claimed(planned(operator, on_the_lan(scene)))
    meant()
    with pytest.raises(DecisionRefused, match=f"(?s){LATER}.*is meant never to reach other hosts"):
        decide_change(*pair)
    assert head().number == 1


def test_the_change_refused_there_says_so_when_it_has_ended(scene: Scene, operator: Any) -> None:
    decide(*local(scene))
    change = planned(operator, on_the_lan(scene))
    Change.objects.filter(pk=change.pk).update(state="queued")
    meant()
    run_change(change.pk)
    change.refresh_from_db()
    assert LATER in change.result


def test_what_the_review_asked_was_ticked_there(scene: Scene, operator: Any) -> None:
    decide(*local(scene))
    pair = claimed(asked(planned(operator, on_the_lan(scene)), meant()))
    decide(CreateNetwork(B, "B"))
    decide_change(*pair)
    assert head().number == 3


def test_what_is_meant_since_and_breached_already_holds_nothing_back(scene: Scene, operator: Any) -> None:
    decide(*local(scene), on_the_lan(scene))
    change = planned(operator, DescribeNetwork(A, "A", "in other words"))
    meant()
    changes.apply_change(operator, change, ())
    assert head().number == 2


def test_what_is_meant_since_and_kept_holds_nothing_back(scene: Scene, operator: Any) -> None:
    decide(*local(scene))
    pair = claimed(planned(operator, on_the_lan(scene)))
    meant("together")
    decide_change(*pair)
    assert head().number == 2


def two_that_breach_together(scene: Scene) -> tuple[Edit, Edit]:
    """Network B leads through 201 to network A, and A to the wire."""
    two = scene.server2
    Adapter.objects.create(server=two, name="eth1", is_up=True, segment=scene.eth0(two).segment)
    decide(
        CreateNetwork(A, "A"),
        CreateNetwork(B, "B"),
        Assign(B, two.pk, None),
        Assign(A, two.pk, None),
        AddMember(A, scene.key(two, "201")),
        AddMember(A, scene.key(two, "202")),
    )
    inside = scene.server2.containers.get(ctid="201")
    inside.joined = [["eth0", "eth1"]]
    inside.save()
    return AddMember(B, scene.key(two, "201", "eth1")), Assign(B, two.pk, "eth1")


@pytest.mark.parametrize("first", [0, 1])
def test_two_changes_that_only_together_breach_it_do_not_both_pass(
    scene: Scene, operator: Any, first: int
) -> None:
    edits = two_that_breach_together(scene)
    intent = meant()
    change = asked(planned(operator, edits[1 - first]), intent)
    pair = claimed(asked(planned(operator, edits[1 - first]), intent))
    decide(edits[first])
    with pytest.raises(Conflict):
        changes.apply_change(operator, change, ())
    with pytest.raises(DecisionRefused, match="Virtual Network A is meant never to reach other hosts"):
        decide_change(*pair)


def test_what_the_other_breaches_by_itself_is_its_own(scene: Scene, operator: Any) -> None:
    decide(*local(scene), CreateNetwork(B, "B"), Assign(B, scene.server2.pk, None))
    pair = claimed(asked(planned(operator, AddMember(B, scene.key(scene.server2, "202"))), meant()))
    decide(on_the_lan(scene))
    decide_change(*pair)
    assert head().number == 3


def test_what_a_later_wave_mends_again_is_no_breach_of_the_first(scene: Scene, operator: Any) -> None:
    two = scene.server2
    decide(*local(scene), AddMember(A, scene.key(two, "202")), on_the_lan(scene), Assign(A, two.pk, "eth0"))
    Adapter.objects.create(
        server=two, name="eth1", is_up=True, segment=PhysicalSegment.objects.create(name="hall")
    )
    Adapter.objects.create(
        server=scene.server1, name="eth1", is_up=True, segment=PhysicalSegment.objects.get(name="hall")
    )
    away = Assign(A, scene.server1.pk, "eth1"), Assign(A, two.pk, "eth1")
    change = planned(operator, *away, servers=(scene.server1, two))
    change.operations.filter(server=two).update(wave=2)
    pair = claimed(change)
    meant("together")
    decide_change(*pair, 1)
    decide_change(*pair, 2)
    assert head().number == 3


def test_where_nothing_is_meant_it_costs_one_query(scene: Scene, operator: Any) -> None:
    decide(*local(scene))
    change, newest = planned(operator, on_the_lan(scene)), head()
    with CaptureQueriesContext(connection) as queries:
        assert not not_reviewed(change, newest, [on_the_lan(scene)], [on_the_lan(scene)])
    # The decisions of its waves, and what is meant.
    assert len(queries) == 2, [query["sql"] for query in queries]
    asked(change, meant("isolated"))
    with CaptureQueriesContext(connection) as queries:
        assert not not_reviewed(change, newest, [on_the_lan(scene)], [on_the_lan(scene)])
    assert len(queries) == 2, [query["sql"] for query in queries]
