"""Warnings say no more than is known: of masks that differ, of what nobody could read."""

from __future__ import annotations

from dataclasses import replace

from networks.domain.inventory import ContainerKey, InterfaceView, Inventory, NetworkRef
from networks.domain.rules import Problem, problems_of
from networks.domain.state import Edit, apply_edits
from networks.domain.visibility import visibility
from tests.domain import built, scheme
from tests.domain.scheme import C, interface

FOUND = scheme.inventory(built.LOOKS)


def with_interface(view: InterfaceView) -> Inventory:
    return replace(FOUND, interfaces=tuple(view if i.key == view.key else i for i in FOUND.interfaces))


def of(ctid: str) -> InterfaceView:
    view = FOUND.interface(interface(int(ctid[0]), ctid))
    assert view is not None
    return view


def warned(found: Inventory, code: str, *edits: Edit) -> list[Problem]:
    state = apply_edits(built.DESIRED, edits)
    return [p for p in problems_of(state, found) if p.code.startswith(code)]


def test_members_that_take_their_subnet_for_wider_or_narrower_may_reach_each_other() -> None:
    wider = with_interface(replace(of("204"), addresses=("10.77.0.204/16",)))
    sight = visibility(built.DESIRED, built.DESIRED, wider)
    assert sight.answer(ContainerKey(2, "203"), ContainerKey(2, "204")) == "yes"
    (problem,) = warned(wider, "subnets-differ")
    assert problem.text == (
        "Members of Virtual Network C are in different subnets (10.77.0.0/24: eth0 of Container 203 (c203); "
        "10.77.0.0/16: eth0 of Container 204 (c204)) and may not all reach each other directly: each has to "
        "be in the other's subnet."
    )
    assert problem.subjects == (NetworkRef(C), interface(2, "203"), interface(2, "204"))


def test_a_running_container_that_nobody_could_look_into_is_not_called_stopped() -> None:
    (problem,) = warned(
        with_interface(replace(of("203"), addresses=(), addresses_known=False)), "address-unknown"
    )
    assert problem.text == (
        "In Virtual Network C, eth0 of Container 203 (c203) may have IP addresses, which nobody could read."
    )
