"""Containers on a bridge of others can send into the VLANs of its adapter, unless it filters them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import Inventory
from networks.domain.rules import problems_of
from networks.domain.state import AddMember, Assign, Edit, RemoveMember, apply_edits
from tests.domain import built, scheme
from tests.domain.scheme import A, interface

FOUND = scheme.inventory(built.LOOKS)


def warned(found: Inventory, *edits: Edit) -> list[str]:
    state = apply_edits(built.DESIRED, edits)
    return [p.text for p in problems_of(state, found) if p.code == "tag-leak"]


@pytest.mark.parametrize("adapter", ["eth0", None])
def test_a_bridge_of_others_that_passes_tagged_frames_is_told_of(adapter: str | None) -> None:
    """303 on br0 of server 3, which holds eth0 and filters nothing, could send into VLAN 100, that of D."""
    moved = (RemoveMember(interface(3, "303")), AddMember(A, interface(3, "303")), Assign(A, 3, adapter))
    assert warned(FOUND, *moved) == (
        [
            "Containers of Virtual Network A on eth0 of physical server server3 can send frames of its VLAN "
            "adapters (eth0.100): bridge br0, which the panel did not make, passes them."
        ]
        if adapter
        else []
    )
    filtering = tuple(replace(b, filters_tags=True) if b.name == "br0" else b for b in FOUND.bridge_views)
    assert not warned(replace(FOUND, bridge_views=filtering), *moved)
