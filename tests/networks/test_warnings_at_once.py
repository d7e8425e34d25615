"""Two Changes that only together cause a warning: the second is not decided until somebody has ticked it.

Rule 14 is about one server and what its next boot does; two Changes of one server do not both begin
(tests/networks/test_at_the_same_time.py), so that no two together cause it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from networks.choices import ChangeState
from networks.desired import head
from networks.domain.state import AddMember, Assign, CreateNetwork, CreateVlan, DescribeNetwork, Edit
from networks.engine.decide import DecisionRefused
from networks.engine.decide import decide as decide_change
from networks.engine.lease import Lease, claim
from networks.engine.runner import run_change
from networks.models import Change
from networks.services import changes
from networks.services.errors import Conflict
from nodes.models import Adapter, ContainerInterface, PhysicalSegment, PhysicalServer
from tests.networks.changes import at_once, decide, planned
from tests.networks.conftest import Scene
from tests.pages.conftest import logged_in

A = "6f1c3a1e-0000-4000-8000-000000000001"
B = "6f1c3a1e-0000-4000-8000-000000000002"
C = "6f1c3a1e-0000-4000-8000-000000000003"
Edits = tuple[Edit, ...]
Case = Callable[[Scene], tuple[Edits, Edits, Edits]]
"""What was decided, and two drafts of which neither brings a warning by itself."""
UNTICKED = "warnings that nobody has ticked"


def split(scene: Scene) -> tuple[Edits, Edits, Edits]:
    other = PhysicalSegment.objects.create(name="the other hall")
    Adapter.objects.filter(server=scene.server2).update(segment=other)
    return (CreateNetwork(A, "A"),), *on_both(scene, A, A)


def unknown_segment(scene: Scene) -> tuple[Edits, Edits, Edits]:
    Adapter.objects.filter(server=scene.server2).update(segment=None)
    return (CreateNetwork(A, "A"),), *on_both(scene, A, A)


def merged(scene: Scene) -> tuple[Edits, Edits, Edits]:
    return (CreateNetwork(A, "A"), CreateNetwork(B, "B")), *on_both(scene, A, B)


def on_both(scene: Scene, first: str, second: str) -> tuple[Edits, Edits]:
    one, two = scene.server1.pk, scene.server2.pk
    return (Assign(first, one, "eth0"),), (Assign(second, two, "eth0"),)


def same_address(scene: Scene) -> tuple[Edits, Edits, Edits]:
    """A and B are one network already, which was ticked; then a container comes into each."""
    ContainerInterface.objects.filter(container__ctid="202").update(addresses_text="10.77.0.102/24")
    first, second = on_both(scene, A, B)
    one, two = scene.key(scene.server1, "102"), scene.key(scene.server2, "202")
    before = (CreateNetwork(A, "A"), CreateNetwork(B, "B"), *first, *second)
    return before, (AddMember(A, one),), (AddMember(B, two),)


def subnets_differ(scene: Scene) -> tuple[Edits, Edits, Edits]:
    ContainerInterface.objects.filter(container__ctid="201").update(addresses_text="10.9.0.1/24")
    first, second = on_both(scene, A, A)
    one, two = scene.key(scene.server1, "102"), scene.key(scene.server2, "201")
    return (CreateNetwork(A, "A"), *first, *second), (AddMember(A, one),), (AddMember(A, two),)


def tag_leak(scene: Scene) -> tuple[Edits, Edits, Edits]:
    one = scene.server1
    PhysicalServer.objects.filter(pk=one.pk).update(filters_tags=False)
    before = (CreateNetwork(A, "A"), Assign(A, one.pk, "eth0"))
    return before, (AddMember(A, scene.key(one, "102")),), (CreateVlan(one.pk, "eth0.5", "eth0", 5),)


CASES: dict[str, Case] = {
    "10 a split network": split,
    "10 an unknown segment": unknown_segment,
    "11 two networks on one wire": merged,
    "12 one address twice": same_address,
    "12 subnets that differ": subnets_differ,
    "13 tags where containers are": tag_leak,
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def claimed(change: Change) -> tuple[Lease, Change]:
    """The Change as a worker has it that is about to decide."""
    Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
    lease = claim(change.pk)
    assert lease
    return lease, change


@cases
@pytest.mark.django_db(transaction=True)
def test_of_two_decisions_at_once_only_one_is_taken(scene: Scene, operator: Any, case: Case) -> None:
    before, one, other = case(scene)
    decide(*before)
    both = [claimed(planned(operator, *edits)) for edits in (one, other)]
    results = at_once(*(lambda pair=pair: decide_change(*pair) for pair in both))
    assert sorted(type(result).__name__ for result in results) == ["DecisionRefused", "NoneType"], results
    refused = next(result for result in results if result is not None)
    assert UNTICKED in str(refused) and "Review the draft again" in str(refused)
    assert head().number == 2


@cases
def test_what_was_reviewed_before_the_other_was_decided_is_not_applied(
    scene: Scene, operator: Any, case: Case
) -> None:
    before, one, other = case(scene)
    decide(*before)
    change = planned(operator, *other)
    decide(*one)
    same_things = "Another change of the same networks or servers"
    with pytest.raises(Conflict, match=f"{UNTICKED}|{same_things}"):
        changes.apply_change(operator, change, ())
    response = logged_in(operator).post(reverse("networks:apply_change", args=[change.pk]), follow=True)
    assert UNTICKED in response.text or same_things in response.text
    assert head().number == 2


def test_the_refused_change_ends_with_the_reason_and_goes_back_to_the_draft(
    scene: Scene, operator: Any
) -> None:
    before, one, other = merged(scene)
    decide(*before)
    change = planned(operator, *other)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.QUEUED)
    decide(*one)
    run_change(change.pk)
    page = logged_in(operator).get(reverse("networks:change", args=[change.pk])).text
    assert "Virtual Networks A and B are one network" in page and UNTICKED in page
    assert reverse("networks:mend_change", args=[change.pk]) in page


def test_a_warning_that_was_on_the_review_is_decided_whatever_else_was(scene: Scene, operator: Any) -> None:
    before, one, other = merged(scene)
    decide(*before, *one)
    pair = claimed(planned(operator, *other))
    decide(CreateNetwork(C, "C"), DescribeNetwork(A, "A", "renamed in words only"))
    decide_change(*pair)
    assert head().number == 3


def test_what_others_lessened_needs_no_new_tick(scene: Scene, operator: Any) -> None:
    """Three networks would be one on the wire; of those that were warned of one has gone by the decision."""
    before, one, other = merged(scene)
    Adapter.objects.create(server=scene.server1, name="eth1", segment=scene.eth0(scene.server1).segment)
    decide(*before, *one, CreateNetwork(C, "C"), Assign(C, scene.server1.pk, "eth1"))
    pair = claimed(planned(operator, *other))
    decide(Assign(C, scene.server1.pk, None))
    decide_change(*pair)
    assert head().number == 3


def test_a_servers_own_news_since_the_review_is_no_reason(scene: Scene, operator: Any) -> None:
    """A container without an address is warned of where the network is shown, not held back for."""
    decide(CreateNetwork(A, "A"), Assign(A, scene.server1.pk, "eth0"))
    pair = claimed(planned(operator, AddMember(A, scene.key(scene.server1, "102"))))
    decide(CreateNetwork(B, "B"))
    ContainerInterface.objects.filter(container__ctid="102").update(addresses_text="")
    decide_change(*pair)
    assert head().number == 3


@pytest.mark.parametrize("first", [0, 1])
def test_the_order_makes_no_difference(scene: Scene, operator: Any, first: int) -> None:
    before, *drafts = merged(scene)
    decide(*before)
    pair = claimed(planned(operator, *drafts[1 - first]))
    decide(*drafts[first])
    with pytest.raises(DecisionRefused, match=UNTICKED):
        decide_change(*pair)
