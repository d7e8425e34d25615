"""Who is asked whether members on different servers hear each other, and which server that tells of."""

from __future__ import annotations

import pytest

from networks.domain.state import InterfaceKey
from networks.domain.wires import Wire
from networks.measure.across import Deaf, Ears, Question, Voice, asked_again, deaf, jobs, questions
from networks.measure.answers import Heard

VLAN = Wire(1, 100)


def voice(server: int, is_new: bool = True, wire: Wire = VLAN, network: str = "D") -> Voice:
    return Voice(network, wire, InterfaceKey(server, f"{server}01", "eth0"), f"10.77.0.{server}", is_new)


def heard(asked: tuple[Question, ...], *broken: int, stopped: tuple[int, ...] = ()) -> Ears:
    """What is heard where the wire does not get to some servers, and members of others do not run."""
    ears: dict[int, dict[str, Heard]] = {}
    for server, places in jobs(asked).items():
        for place in places:
            found = ears.setdefault(server, {})[place.ctid] = Heard()
            for link, address in () if server in stopped else place.arps:
                ends = {server, int(address.rpartition(".")[2])}
                found.arps[link, address] = "" if ends & {*broken, *stopped} else "0a:00:00:00:00:01"
    return ears


def found(voices: list[Voice], *broken: int, stopped: tuple[int, ...] = ()) -> list[tuple[int, bool]]:
    first = questions(voices)
    ears = heard(first, *broken, stopped=stopped)
    again = asked_again(first, ears)
    return [
        (one.server, one.others) for one in deaf(first, ears, again, heard(again, *broken, stopped=stopped))
    ]


def test_one_server_asks_for_a_few_and_every_new_one_is_asked_for() -> None:
    asked = questions([voice(n) for n in range(1, 51)])
    assert len(jobs(asked)) == 9
    assert all(len(place.arps) <= 6 for places in jobs(asked).values() for place in places)
    assert {v.server for q in asked for v in (q.asker, q.target)} == set(range(1, 51))


@pytest.mark.parametrize(
    "voices",
    [
        [voice(1)],
        [voice(1), voice(2, wire=Wire(1))],
        [voice(1), voice(2, network="C")],
        [voice(1, False), voice(2, False)],
    ],
    ids=["alone", "on another wire", "in another network", "nothing new"],
)
def test_nothing_is_asked_of_those_that_need_not_hear_each_other(voices: list[Voice]) -> None:
    assert questions(voices) == ()


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_of_three_servers_the_one_that_is_not_heard_is_named(broken: int) -> None:
    """Also where it is the one that asks the others: these then ask each other."""
    assert found([voice(1), voice(2), voice(3)], broken) == [(broken, True)]


def test_of_two_servers_either_may_be_the_one() -> None:
    assert found([voice(1), voice(2)], 2) == [(1, False), (2, False)]


def test_all_that_hear_each_other_are_asked_once() -> None:
    voices = [voice(1), voice(2), voice(3)]
    first = questions(voices)
    assert asked_again(first, heard(first)) == () and found(voices) == []


def test_a_server_that_hears_one_of_the_others_is_well() -> None:
    """The other one is not new: what ails it is not this change's."""
    assert found([voice(1), voice(2, False), voice(3, False)], 3) == []


def test_a_container_that_has_stopped_says_nothing_of_its_server() -> None:
    assert found([voice(1), voice(2)], stopped=(2,)) == []


def test_what_was_heard_the_second_time_was_heard() -> None:
    first = questions([voice(1), voice(2)])
    ears = heard(first, 2)
    again = asked_again(first, ears)
    assert deaf(first, ears, again, heard(again)) == ()
    assert deaf(first, ears, again, {}) == (), "unknown is not deaf"
    both = deaf(first, ears, again, heard(again, 2))
    assert both == (Deaf(first[0], 1, False), Deaf(first[0], 2, False))
