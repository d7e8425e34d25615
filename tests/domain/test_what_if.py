"""What depends on a container, an adapter or a server, in the manual's scheme."""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import AdapterView, ContainerKey, Inventory, ServerRef
from networks.domain.state import AdapterKey
from networks.domain.visibility import OtherHosts, Visibility, visibility
from networks.domain.what_if import Happening, happened, outcome
from networks.sight_page import sight_lines
from tests.domain import built, scheme

OTHERS = OtherHosts(scheme.SEGMENT)


def known() -> Inventory:
    return scheme.inventory(built.LOOKS)


def now() -> Visibility:
    return visibility(built.DESIRED, built.DESIRED, known())


def after(*happenings: Happening) -> Visibility:
    return visibility(built.DESIRED, built.DESIRED, happened(known(), happenings))


def test_202_depends_on_201() -> None:
    one, other = ContainerKey(2, "202"), ContainerKey(2, "201")
    assert now().answer(one, OTHERS) == "yes"
    assert after(other).answer(one, OTHERS) == "no"
    found = sight_lines(outcome(now(), [other]).beside)
    assert not found.gained
    assert any("202" in line and "no longer see" in line and "ther hosts" in line for line in found.lost)


def test_what_goes_with_the_stopped_container_is_told_apart() -> None:
    found = outcome(now(), [ContainerKey(2, "203")])
    assert not found.beside
    lines = sight_lines(found.with_it).lost
    assert any("203" in line and "204" in line for line in lines)


def test_a_pulled_vlan_adapter_cuts_the_two_containers_of_d_apart() -> None:
    found = outcome(now(), [AdapterKey(3, "eth0.100")])
    lines = sight_lines(found.beside).lost
    assert len(lines) == 1
    assert "205" in lines[0] and "301" in lines[0]
    assert after(AdapterKey(3, "eth0.100")).answer(ContainerKey(1, "102"), OTHERS) == "yes"


def test_a_pulled_nic_takes_its_vlans_along() -> None:
    there = after(AdapterKey(3, "eth0"))
    assert there.answer(ContainerKey(2, "205"), ContainerKey(3, "301")) == "no"
    assert there.answer(ContainerKey(3, "302"), OTHERS) == "no"
    assert there.answer(ContainerKey(3, "302"), ContainerKey(3, "303")) == "yes"


def test_a_lost_server_takes_its_containers_and_nothing_of_the_others() -> None:
    found = outcome(now(), [ServerRef(2)])
    beside = sight_lines(found.beside)
    assert not beside.lost and not beside.gained
    lost = " ".join(sight_lines(found.with_it).lost)
    for ctid in ("201", "202", "203", "204", "205"):
        assert ctid in lost
    there = after(ServerRef(2))
    assert there.answer(ContainerKey(1, "102"), ContainerKey(2, "201")) == "no"
    assert there.answer(ContainerKey(1, "102"), OTHERS) == "yes"


def test_what_is_not_there_changes_nothing() -> None:
    assert happened(known(), [ContainerKey(9, "1"), AdapterKey(1, "eth9"), ServerRef(9)]) == known()
    found = outcome(now(), [ContainerKey(2, "999")])
    assert not found.beside and not found.with_it


def test_two_things_at_once_are_one_outcome() -> None:
    found = outcome(now(), [ContainerKey(2, "201"), AdapterKey(2, "eth0.100")])
    lines = " ".join(sight_lines(found.beside).lost)
    assert "202" in lines and "205" in lines


BOND = AdapterKey(2, "eth0")
SLAVES = (AdapterKey(2, "eth8"), AdapterKey(2, "eth9"))


def on_a_bond(**second: bool | None) -> Visibility:
    """The scheme with server 2's eth0, which has VLAN 100, as a bond of two cards, the second one so."""
    adapters = (replace(a, kind="bond", bond_mode=1) if a.key == BOND else a for a in known().adapters)
    first = AdapterView(2, "eth8", bond="eth0", segment=scheme.SEGMENT, up=True, carrier=True)
    slaves = (first, replace(first, name="eth9", **second))
    return visibility(built.DESIRED, built.DESIRED, replace(known(), adapters=(*adapters, *slaves)))


def lost(sight: Visibility, *happenings: Happening) -> str:
    return " ".join(sight_lines(outcome(sight, happenings).beside).lost)


@pytest.mark.parametrize("slave", SLAVES)
def test_nothing_depends_on_one_cable_of_a_bond(slave: AdapterKey) -> None:
    found = outcome(on_a_bond(), [slave])
    assert not found.beside and not found.with_it


def test_a_bond_loses_its_signal_and_its_vlans_with_its_last_cable() -> None:
    text = lost(on_a_bond(), *SLAVES)
    assert "201" in text and "202" in text and "205" in text
    assert text == lost(on_a_bond(), BOND)


@pytest.mark.parametrize("second", [{"carrier": False}, {"up": False}, {"gone": True}])
def test_a_slave_without_a_signal_holds_no_bond(second: dict[str, bool]) -> None:
    assert lost(on_a_bond(**second), SLAVES[0]) == lost(on_a_bond(), BOND)


def test_a_slave_of_which_nothing_is_known_may_have_a_signal() -> None:
    assert not lost(on_a_bond(up=None, carrier=None), SLAVES[0])


def test_a_bond_on_another_server_keeps_its_signal() -> None:
    found = on_a_bond()
    adapters = (replace(a, server=1) if a.key in SLAVES else a for a in found.world.scene.inventory.adapters)
    elsewhere = replace(found.world.scene.inventory, adapters=tuple(adapters))
    sight = visibility(built.DESIRED, built.DESIRED, elsewhere)
    pulled = happened(sight.world.scene.inventory, [AdapterKey(1, "eth8"), AdapterKey(1, "eth9")])
    bond = pulled.adapter(BOND)
    assert bond is not None and bond.carrier is not False
