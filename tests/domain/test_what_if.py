"""What depends on a container, an adapter or a server, in the manual's scheme."""

from __future__ import annotations

from networks.domain.inventory import ContainerKey, Inventory, ServerRef
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
