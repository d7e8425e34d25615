"""Edits touch the networks that they change anything about but words."""

from __future__ import annotations

import pytest

from networks.domain.state import (
    AddAddress,
    AddMember,
    Assign,
    CreateNetwork,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Edit,
    RemoveMember,
    Unassign,
    apply_edits,
)
from networks.domain.touched import networks_touched
from tests.domain import scheme

F = "00000000-0000-4000-8000-00000000000f"
MEMBER = scheme.interface(3, "301")


@pytest.mark.parametrize(
    ("edits", "touched"),
    [
        ((CreateNetwork(F, "F"),), {F}),
        ((DescribeNetwork(scheme.D, "Storage"),), set()),
        ((Assign(scheme.A, 3, "eth0"),), {scheme.A}),
        ((Unassign(scheme.C, 2),), {scheme.C}),
        ((RemoveMember(MEMBER),), {scheme.D}),
        ((RemoveMember(MEMBER), AddMember(scheme.E, MEMBER)), {scheme.D, scheme.E}),
        ((AddAddress(MEMBER, "10.77.0.32/24"),), {scheme.D}),
        ((AddAddress(scheme.interface(1, "101"), "10.77.0.32/24"),), set()),
        ((DeleteVlan(3, "eth0.100"),), {scheme.D}),
        ((RemoveMember(MEMBER), DeleteNetwork(scheme.D)), {scheme.D}),
    ],
)
def test_edits_touch_the_networks_they_are_about(edits: tuple[Edit, ...], touched: set[str]) -> None:
    after = apply_edits(scheme.DESIRED, edits)
    assert networks_touched(edits, scheme.DESIRED, after) == touched
