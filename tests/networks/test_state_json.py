"""Desired states and edits survive being stored, and nothing else is taken for them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    Assign,
    CreateNetwork,
    DescribeNetwork,
    Desired,
    Edit,
    InterfaceKey,
    RemoveAddress,
    RemoveInterface,
    apply_edits,
)
from networks.state_json import UnreadableState, dump_desired, dump_edits, load_desired, load_edits

EDITS: tuple[Edit, ...] = (
    CreateNetwork("n1", "A", "the first"),
    DescribeNetwork("n1", "A", "the first"),
    Assign("n1", 1, "eth0"),
    Assign("n1", 2, None),
    AddMember("n1", InterfaceKey(1, "102", "eth0")),
    AddInterface(InterfaceKey(1, "102", "eth1"), "00:18:51:aa:bb:cc"),
    AddAddress(InterfaceKey(1, "102", "eth1"), "10.77.0.5/24"),
    RemoveAddress(InterfaceKey(1, "102", "eth1"), "10.77.0.6/24"),
    RemoveInterface(InterfaceKey(1, "102", "eth2")),
)


def test_it_gives_back_what_was_stored() -> None:
    assert load_edits(dump_edits(EDITS)) == EDITS
    state = apply_edits(Desired(), EDITS)
    assert load_desired(dump_desired(state)) == state


def test_it_tells_edits_of_one_shape_apart() -> None:
    kinds = [type(edit) for edit in load_edits(dump_edits(EDITS[:2]))]
    assert kinds == [CreateNetwork, DescribeNetwork]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '[{"edit": "Reboot"}]',
        '[{"edit": "Assign", "network": "n1"}]',
        '[{"edit": "Assign", "network": "n1", "server": "one"}]',
    ],
)
def test_it_refuses_what_is_no_list_of_edits(text: str) -> None:
    with pytest.raises(UnreadableState):
        load_edits(text)


@given(st.text(max_size=200))
def test_it_never_raises_anything_else(text: str) -> None:
    for load in (load_edits, load_desired):
        with contextlib.suppress(UnreadableState):
            load(text)
