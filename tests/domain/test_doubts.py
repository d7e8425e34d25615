"""Where it is not known whether an intent holds, held against the manual's scheme."""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.doubts import doubt
from networks.domain.intent import Intent, breaches
from networks.domain.inventory import ContainerKey, Inventory
from networks.domain.visibility import OtherHosts, visibility
from networks.domain.what_if import happened
from tests.domain import built, scheme
from tests.domain.scheme import A, B, C, D, E

OTHERS = OtherHosts(scheme.SEGMENT)
KNOWN = scheme.inventory(built.LOOKS)
NO_ADDRESSES = replace(
    KNOWN, interfaces=tuple(replace(i, addresses=(), addresses_known=False) for i in KNOWN.interfaces)
)
UNNAMED = replace(KNOWN, adapters=tuple(replace(a, segment=None) for a in KNOWN.adapters))
"""No physical segment has a name, so that no other hosts are known of."""


def told(intent: Intent, known: Inventory = KNOWN) -> str:
    sight = visibility(built.DESIRED, built.DESIRED, known)
    assert not breaches([intent], sight, built.DESIRED)
    return doubt(intent, sight, built.DESIRED)


def test_of_what_holds_in_the_scheme_nothing_is_in_doubt() -> None:
    for network in (C, D, E):
        assert told(Intent(network, "isolated")) == ""
    for network in (A, B, C, D, E):
        assert told(Intent(network, "together")) == ""
    assert told(Intent(B, "sees", ContainerKey(2, "202"), OTHERS)) == ""


def test_members_whose_addresses_nobody_could_read_may_not_see_each_other() -> None:
    text = told(Intent(C, "together"), NO_ADDRESSES)
    assert "203" in text and "is not known" in text


def test_one_that_must_see_another_is_in_doubt_with_its_answer() -> None:
    intent = Intent(C, "sees", ContainerKey(2, "203"), ContainerKey(2, "204"))
    assert "is not known" in told(intent, NO_ADDRESSES)


def status(key: ContainerKey, status: str) -> Inventory:
    return replace(
        KNOWN,
        containers=tuple(replace(c, status=status) if c.key == key else c for c in KNOWN.containers),
    )


def test_a_member_of_which_nobody_knows_whether_it_runs_is_a_doubt_and_a_stopped_one_is_none() -> None:
    key = ContainerKey(2, "203")
    assert "runs is not known" in told(Intent(C, "together"), status(key, "unknown"))
    assert told(Intent(C, "together"), happened(KNOWN, [key])) == ""


def test_one_adapter_on_a_segment_without_a_name_may_lead_to_other_hosts() -> None:
    adapters = tuple(replace(a, segment=None) if a.server == 2 else a for a in KNOWN.adapters)
    inside = tuple(replace(c, joined=()) for c in KNOWN.containers)
    known = replace(KNOWN, adapters=adapters, containers=inside)
    assert told(Intent(C, "isolated"), known) == ""
    assert told(Intent(D, "isolated"), known) == ""


@pytest.mark.parametrize(
    ("network", "is_in_doubt"), [(A, True), (B, True), (C, False), (D, False), (E, False)]
)
def test_where_no_segment_has_a_name_what_leads_to_one_may_reach_others(
    network: str, is_in_doubt: bool
) -> None:
    assert ("nobody has named" in told(Intent(network, "isolated"), UNNAMED)) == is_in_doubt


def test_a_network_that_the_state_does_not_have_is_left() -> None:
    gone = Intent("00000000-0000-4000-8000-0000000000ff", "together")
    assert told(gone) == ""
