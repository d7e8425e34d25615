"""Taking an edit out of a draft takes out what needs it, and nothing else."""

from __future__ import annotations

import random

import pytest

from networks.domain.drop import needing
from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DescribeNetwork,
    Edit,
    RemoveMember,
    Unassign,
)
from tests.domain import strategies
from tests.domain.scheme import EDITS, A, D, interface

KEY = interface(2, "202")


@pytest.mark.parametrize(
    ("dropped", "along"),
    [
        (
            CreateNetwork(D, "D"),
            {
                Assign(D, 2, "eth0.100"),
                Assign(D, 3, "eth0.100"),
                AddMember(D, interface(2, "205")),
                AddMember(D, interface(3, "301")),
            },
        ),
        (CreateVlan(3, "eth0.100", "eth0", 100), {Assign(D, 3, "eth0.100")}),
        (Assign(A, 1, "eth0"), set()),
        (AddMember(A, interface(1, "102")), set()),
    ],
)
def test_what_stands_on_it_goes_along(dropped: Edit, along: set[Edit]) -> None:
    assert set(needing(EDITS, [dropped])) == along


def test_a_move_goes_whole_from_either_side() -> None:
    leaves, joins = RemoveMember(KEY), AddMember(A, KEY)
    assert needing((leaves, joins), [leaves]) == (joins,)
    assert needing((leaves, joins), [joins]) == (leaves,)


def test_it_follows_what_goes_along() -> None:
    new, leaves, joins = CreateNetwork("n", "N"), RemoveMember(KEY), AddMember("n", KEY)
    assert needing((leaves, new, joins), [new]) == (leaves, joins)


def test_a_new_interface_takes_its_address_and_its_network_along() -> None:
    made, joins, address = AddInterface(KEY), AddMember(A, KEY), AddAddress(KEY, "10.0.0.1/24")
    assert set(needing((made, joins, address), [made])) == {joins, address}


def test_what_only_makes_room_stays() -> None:
    edits = (Unassign(A, 1), Assign(D, 1, "eth0"), DescribeNetwork(A, "AA"), DeleteNetwork("x"))
    assert needing(edits, [edits[0]]) == ()


def test_dropping_all_that_is_named_leaves_nothing_that_needs_it() -> None:
    for seed in range(100):
        rng = random.Random(seed)  # noqa: S311
        edits = tuple(dict.fromkeys(strategies.any_edits(rng)))
        if not edits:
            continue
        chosen = rng.choice(edits)
        along = needing(edits, [chosen])
        left = tuple(edit for edit in edits if edit != chosen and edit not in along)
        assert needing((*left, chosen, *along), (chosen, *along)) == ()
