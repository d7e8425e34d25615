"""Which server is said to have a switch port without a VLAN, by who hears whom; no healthy one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from networks.domain.inventory import (
    AdapterView,
    BridgeView,
    ContainerKey,
    ContainerView,
    InterfaceView,
    Inventory,
    ServerRef,
    ServerView,
)
from networks.domain.state import Assignment, Desired, InterfaceKey, Member, Network, VlanAdapter
from networks.domain.visibility import HostKey, Visibility, visibility
from networks.domain.wires import Wire
from networks.engine import trunks
from networks.engine.trunks import TrunkFinding, find_trunks
from networks.measure import Heard, Place, Witness
from networks.measure.plan import plan

VLAN = Wire(1, 100)
SUBNETS = {"D": "10.77.0", "E": "10.78.0"}


@pytest.fixture(autouse=True)
def no_head_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunks, "HEAD_START_S", 0)


def installation(count: int, spare: int = 0, joined: tuple[int, ...] = ()) -> Visibility:
    """Servers on one segment, each with a member of D on VLAN 100; the spare ones have nothing on it.

    Two containers of `joined` are in network E as well, which is on another segment.
    """
    numbers = range(1, count + 1)
    views = [
        InterfaceView(
            InterfaceKey(n, f"{n}01", ifname),
            addresses=(f"{SUBNETS[network]}.{n}/24",),
            addresses_known=True,
            bridge=f"vn-{network.lower()}",
        )
        for network, ifname, some in (("D", "eth0", numbers), ("E", "eth1", joined))
        for n in some
    ]
    bases = [
        AdapterView(n, name, segment=segment, segment_name=f"segment {segment}", up=True, carrier=True)
        for n in range(1, count + spare + 1)
        for segment, name in ((1, "eth0"), (2, "eth1"))
    ]
    tagged = [AdapterView(n, "eth0.100", "vlan", "eth0", 100, up=True, carrier=True) for n in numbers]
    state = Desired(
        networks=(Network("D", "D", bridge="vn-d"), Network("E", "E", bridge="vn-e")),
        assignments=(
            *(Assignment("D", n, "eth0.100") for n in numbers),
            *(Assignment("E", n, "eth1") for n in joined),
        ),
        members=tuple(Member("D" if v.key.ifname == "eth0" else "E", v.key) for v in views),
        vlans=tuple(VlanAdapter(n, "eth0.100", "eth0", 100) for n in numbers),
    )
    known = Inventory(
        servers=tuple(ServerView(n, f"server{n}") for n in range(1, count + spare + 1)),
        adapters=(*bases, *tagged),
        containers=tuple(ContainerView(n, f"{n}01", status="running") for n in numbers),
        interfaces=tuple(views),
        bridge_views=tuple(BridgeView(n, "vn-d", answers=False) for n in numbers),
    )
    return visibility(state, state, known)


@dataclass
class Switch:
    """Answers of servers on one switch: what it does not carry, who does not answer the panel, and so on.

    `lacking` servers have a port without the VLAN; `silent` ones are off; `mute` ones answer the panel only
    while it measures; of `numb` ones the member's interface is down. `islands` hear each other alone, and
    `joined` ones on the other segment.
    """

    lacking: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()
    mute: tuple[int, ...] = ()
    numb: tuple[int, ...] = ()
    islands: tuple[tuple[int, ...], ...] = ()
    joined: tuple[int, ...] = ()
    told: bool = True
    """Whether arping can tell."""

    def ask_all(
        self, places: Mapping[int, tuple[Place, ...]], witnesses: Mapping[int, tuple[Witness, ...]]
    ) -> tuple[dict[int, Mapping[str, Heard]], dict[int, str]]:
        heard: dict[int, Mapping[str, Heard]] = {}
        from_bridges = any(not place.ctid for some in places.values() for place in some)
        gone = {*self.silent, *(self.mute if from_bridges else ())}
        for server in sorted({*places, *witnesses} - gone):
            found: dict[str, Heard] = {}
            for place in places.get(server, ()):
                ears = found[place.ctid] = Heard(macs={mac(server)})
                for link, address in place.arps:
                    ears.arps[link or "eth0", address] = self.answer(server, place.ctid, address)
            if server in witnesses:
                found.setdefault("", Heard()).witness = "ready"
            heard[server] = found
        return heard, dict.fromkeys(gone, "It did not answer.")

    def answer(self, server: int, ctid: str, address: str) -> str | None:
        if not self.told and not ctid:
            return None
        if address.startswith("169.254."):
            return "" if server in self.lacking or not self._one_island(server, 0) else mac(99)
        other = int(address.rpartition(".")[2])
        deaf = {*self.silent, *self.numb} & ({server, other} if ctid else {other})
        if address.startswith(SUBNETS["E"]):
            deaf |= {server, other} - {*self.joined}
        else:
            deaf |= {server, other} & {*self.lacking} if server != other else set()
            deaf |= set() if self._one_island(server, other) else {other}
        return "" if deaf else mac(other)

    def _one_island(self, a: int, b: int) -> bool:
        """Whether the two are; the witness, 0, is on the first one."""
        first = self.islands[0] if self.islands else ()
        return not self.islands or (a in first) == (b in first or b == 0)


def mac(server: int) -> str:
    return f"0a:00:00:00:00:{server:02x}"


def found(sight: Visibility, switch: Switch, *hosts: HostKey) -> tuple[TrunkFinding, ...]:
    """What the finder says after a measurement of the members."""
    made = plan(sight, hosts or [key for key in sight.hosts() if isinstance(key, ContainerKey)])
    heard, _ = switch.ask_all(made.places(), {})
    return find_trunks(sight, made.cells(heard), switch.ask_all)


@pytest.mark.parametrize("lacking", [1, 2, 3])
def test_where_all_have_the_vlan_the_one_that_nobody_hears_is_named(lacking: int) -> None:
    """No server is left to be a witness; that the others hear each other is as good."""
    assert found(installation(3), Switch((lacking,))) == (TrunkFinding(VLAN, (lacking,)),)


def test_two_of_five_that_nobody_hears_are_both_named() -> None:
    assert found(installation(5), Switch((2, 5))) == (TrunkFinding(VLAN, (2, 5)),)


def test_of_two_that_do_not_hear_each_other_either_may_be_the_one() -> None:
    assert found(installation(2), Switch((2,))) == (TrunkFinding(VLAN, (), (1, 2)),)


def test_where_nobody_hears_anybody_all_are_doubtful() -> None:
    assert found(installation(3), Switch((1, 2, 3))) == (TrunkFinding(VLAN, (), (1, 2, 3)),)
    assert found(installation(3), Switch((1, 3))) == (TrunkFinding(VLAN, (), (1, 2, 3)),)


def test_all_that_hear_each_other_are_not_named() -> None:
    assert found(installation(3), Switch()) == ()


def test_a_witness_tells_which_of_two_it_is() -> None:
    assert found(installation(2, spare=1), Switch((2,))) == (TrunkFinding(VLAN, (2,)),)


def test_a_witness_that_all_hear_says_that_no_switch_port_lacks_the_vlan() -> None:
    """The pair is told as a disagreement, with its own cause."""
    assert found(installation(2, spare=1), Switch(numb=(2,))) == ()


@pytest.mark.parametrize("count", [2, 3])
def test_a_server_that_did_not_answer_the_panel_is_not_named(count: int) -> None:
    """Nobody hears its member, which may well be off with it."""
    for spare in (0, 1):
        assert found(installation(count, spare), Switch(silent=(2,))) == ()


def test_a_silent_server_keeps_nobody_from_naming_another() -> None:
    assert found(installation(4), Switch((3,), silent=(4,))) == (TrunkFinding(VLAN, (3,)),)


def test_a_server_that_answers_no_more_when_it_is_asked_again_is_not_named() -> None:
    for spare in (0, 1):
        assert found(installation(3, spare), Switch((3,), mute=(3,))) == ()


def test_a_member_that_hears_nobody_where_its_bridge_does_is_not_its_servers_port() -> None:
    assert found(installation(3), Switch(numb=(3,))) == ()


def test_an_arping_that_cannot_tell_names_nobody() -> None:
    assert found(installation(3), Switch((3,), told=False)) == ()
    assert found(installation(2, spare=1), Switch((2,), told=False)) == (TrunkFinding(VLAN, (), (1, 2)),)


@pytest.mark.parametrize("spare", [0, 1])
def test_no_port_is_named_where_the_vlan_breaks_between_two_switches(spare: int) -> None:
    """Everybody is heard by somebody: what does not carry it is between the switches."""
    assert found(installation(4, spare), Switch(islands=((1, 2), (3, 4)))) == ()


def test_who_is_heard_over_another_segment_may_still_lack_the_vlan() -> None:
    """1 and 2 hear each other in E, which says nothing of VLAN 100: nobody is certainly well on it."""
    sight = installation(3, joined=(1, 2))
    assert found(sight, Switch((2, 3), joined=(1, 2))) == (TrunkFinding(VLAN, (), (1, 2, 3)),)


def test_servers_themselves_are_asked_only_for_members_elsewhere() -> None:
    """A member of its own would answer whatever the switch does."""
    asked: dict[int, set[str]] = {}

    class Listening(Switch):
        def answer(self, server: int, ctid: str, address: str) -> str | None:
            if not ctid:
                asked.setdefault(server, set()).add(address)
            return super().answer(server, ctid, address)

    found(installation(3), Listening((3,)))
    assert asked == {1: {"10.77.0.2"}, 2: {"10.77.0.1"}, 3: {"10.77.0.1", "10.77.0.2"}}


def test_hosts_that_share_no_vlan_are_nothing_to_the_finder() -> None:
    sight = installation(2)
    assert found(sight, Switch(silent=(1, 2)), ServerRef(1), ServerRef(2)) == ()
