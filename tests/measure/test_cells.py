"""From answers to cells: who was seen by whom, and what differs from the prediction."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import AddMember, InterfaceKey, apply_edits
from networks.domain.visibility import HostKey, OtherHosts, Visibility, visibility
from networks.measure import Heard
from networks.measure.plan import MOST_TARGETS, MeasuredCell, Plan, heard_in_all, plan, unseen
from tests.domain import built, scheme

MACS = {"102": "00:18:51:00:66:00", "103": "00:18:51:00:67:00"}
OTHER = OtherHosts(scheme.SEGMENT)


def ct(ctid: str) -> ContainerKey:
    return ContainerKey(int(ctid[0]), ctid)


def cell(cells: tuple[MeasuredCell, ...], a: HostKey, b: HostKey, layer: str) -> MeasuredCell:
    return next(c for c in cells if (c.origin, c.target, c.layer) == (a, b, layer))


def made(sight: Visibility) -> Plan:
    return plan(sight, [ct("101"), ct("102"), ct("103"), ServerRef(1), OTHER])


def test_each_place_is_asked_for_every_other_and_for_the_gateway(sight: Visibility) -> None:
    (places,) = made(sight).places().values()
    by_ctid = {place.ctid: place for place in places}
    assert set(by_ctid) == {"", "101", "102", "103"}
    assert "10.77.0.1" in by_ctid["102"].pings and "10.77.0.102" not in by_ctid["102"].pings
    assert ("vn-a", "10.77.0.102") in by_ctid[""].arps
    assert all(link == "" for link, _ in by_ctid["102"].arps)


def test_those_expected_to_answer_are_asked_first(sight: Visibility) -> None:
    """Several are asked at a time: one that is silent would have those beside it wait for its two seconds."""
    among = [ct("202"), ct("103"), ct("301"), ct("101"), ct("302"), ct("102"), ServerRef(3)]
    measured = plan(sight, among)
    (place,) = (p for p in measured.places()[1] if p.ctid == "102")
    hosts = {address: key for key in among for address in measured.addresses(key)}
    answers = [sight.answer(ct("102"), hosts[address]) for address in place.pings]
    assert set(answers) == {"yes", "no"} and answers == sorted(answers, key=lambda a: a != "yes")


def heard() -> dict[str, Heard]:
    """Server 1: 102 hears 103, the server answers for 101, the other host answers to 102."""
    return {
        "102": Heard(
            macs={MACS["102"]},
            pings={"10.77.0.103": True, "10.77.0.101": True, "10.77.0.11": False, "10.77.0.1": True},
            arps={
                ("eth0", "10.77.0.103"): MACS["103"],
                ("eth0", "10.77.0.101"): "02:00:00:00:00:01",
                ("eth0", "10.77.0.11"): "",
                ("eth0", "10.77.0.1"): "02:00:00:00:00:fe",
            },
        ),
        "103": Heard(macs={MACS["103"]}, missing={"ping", "arping"}),
        "101": Heard(macs={"00:00:5e:00:53:01"}, pings={"10.77.0.102": True}),
        "": Heard(macs={"02:00:00:00:00:01"}),
    }


def test_who_answers_itself_is_on_one_layer_2_network(sight: Visibility) -> None:
    cells = made(sight).cells({1: heard()})
    assert cell(cells, ct("102"), ct("103"), "layer2").measured == "yes"
    assert cell(cells, ct("102"), OTHER, "layer2").measured == "yes"
    # The server answers for 101 with its own hardware address (proxy ARP): a ping, but no common network.
    assert cell(cells, ct("102"), ct("101"), "layer2").measured == "no"
    assert cell(cells, ct("102"), ct("101"), "ip").measured == "yes"
    # 101 has no link to send an ARP request on.
    assert cell(cells, ct("101"), ct("102"), "layer2").measured == "no"


def test_a_missing_tool_and_a_silent_server_are_unknown_and_never_no(sight: Visibility) -> None:
    cells = made(sight).cells({1: heard()})
    assert cell(cells, ct("103"), ct("102"), "ip").measured == "unknown"
    assert cell(cells, ct("103"), ct("102"), "layer2").measured == "unknown"
    nothing = made(sight).cells({})
    assert {c.measured for c in nothing} == {"unknown"} and not any(c.differs for c in nothing)


def test_what_differs_is_what_both_know(sight: Visibility) -> None:
    cells = made(sight).cells({1: heard()})
    differing = {(c.origin, c.target, c.layer) for c in cells if c.differs}
    assert differing == {(ct("102"), ServerRef(1), "ip"), (ct("102"), ServerRef(1), "layer2")}


def test_what_was_not_seen_is_tried_once_more_and_one_answer_is_enough(sight: Visibility) -> None:
    made_plan = made(sight)
    first = {1: heard()}
    missed = unseen(made_plan.cells(first))
    assert (ct("102"), ServerRef(1)) in missed and (ct("102"), ct("103")) not in missed
    (places,) = made_plan.places(missed).values()
    by_ctid = {place.ctid: place for place in places}
    assert by_ctid["102"].pings == ("10.77.0.11",)
    # What was lost without an answer is asked again as well, what was heard is not.
    assert "10.77.0.102" not in by_ctid["101"].pings and "10.77.0.103" in by_ctid["101"].pings
    mac = "02:00:00:00:00:01"
    again = {1: {"102": Heard(pings={"10.77.0.11": True}, arps={("eth0", "10.77.0.11"): mac})}}
    assert not any(c.differs for c in made_plan.cells(heard_in_all(first, again)))
    worse = {1: {"102": Heard(pings={"10.77.0.103": False}, arps={("eth0", "10.77.0.103"): ""})}}
    cells = made_plan.cells(heard_in_all(first, worse))
    assert cell(cells, ct("102"), ct("103"), "ip").measured == "yes"
    assert cell(cells, ct("102"), ct("103"), "layer2").measured == "yes"


def test_many_hosts_are_tried_by_members_of_their_groups(sight: Visibility) -> None:
    import networks.measure.plan as module

    everybody = list(sight.hosts())
    assert len(plan(sight, everybody).targets) == len(everybody)
    most, module.MOST_TARGETS = module.MOST_TARGETS, 12
    try:
        few = plan(sight, everybody).targets
    finally:
        module.MOST_TARGETS = most
    assert len(few) == 12 and {ct("203"), ct("303")} <= set(few)
    assert {ct("205"), ct("301")} & set(few)


def many(ways: dict[int, str], each: int) -> tuple[Visibility, list[HostKey]]:
    """The scheme with more containers: so many copies of one on each of those servers, in its network."""
    found, state, keys = scheme.inventory(built.LOOKS), built.DESIRED, list[HostKey]()
    for server, ctid in ways.items():
        like = found.container(ContainerKey(server, ctid))
        own = found.interface(InterfaceKey(server, ctid, "eth0"))
        assert like is not None and own is not None
        (member,) = state.memberships(own.key)
        for number in range(each):
            key = InterfaceKey(server, f"{server}8{number:02}", "eth0")
            address = f"10.77.0.{100 * (server - 1) + number + 110 - 100 * (server > 2)}/24"
            found = replace(
                found,
                containers=(*found.containers, replace(like, ctid=key.ctid)),
                interfaces=(
                    *found.interfaces,
                    replace(own, key=key, addresses=(address,), mac=f"0a:00:00:00:0{server}:{number:02x}"),
                ),
            )
            state = apply_edits(state, (AddMember(member.network, key),))
            keys.append(ContainerKey(server, key.ctid))
    return visibility(state, state, found), keys


def test_of_a_large_network_each_server_has_a_member_tried() -> None:
    sight, keys = many({2: "205", 3: "301"}, 13)
    assert len(sight.groups(keys)) == 1 and len(keys) > MOST_TARGETS
    made_plan = plan(sight, keys)
    servers = [key.server for key in made_plan.origins if isinstance(key, ContainerKey)]
    assert servers == [2, 3, 2, 3] and made_plan.left_out == 0


def test_of_a_large_group_on_one_server_two_are_tried() -> None:
    sight, keys = many({2: "203"}, 30)
    assert len(plan(sight, keys).targets) == 2


def test_more_groups_than_may_be_tried_are_counted_and_each_tried_group_has_one(sight: Visibility) -> None:
    import networks.measure.plan as module

    everybody = list(sight.hosts())
    groups = sight.groups(everybody)
    most, module.MOST_TARGETS = module.MOST_TARGETS, 4
    try:
        made_plan = plan(sight, everybody)
    finally:
        module.MOST_TARGETS = most
    assert made_plan.left_out == len(groups) - 4 > 0
    of = {key: number for number, group in enumerate(groups) for key in group.members}
    assert set(Counter(of[key] for key in made_plan.targets).values()) == {1} and len(made_plan.targets) == 4
