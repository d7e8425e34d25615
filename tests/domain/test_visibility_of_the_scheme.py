"""The manual's scheme is the acceptance test of the model: every cell of proof/scheme.toml."""

from __future__ import annotations

import re

import pytest

from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.state import AddAddress, Assign, Desired
from networks.domain.visibility import Fix, HostKey, OtherHosts, Visibility, observed, tried, visibility
from proof.cells import LAYERS, read_cells
from tests.domain import built, scheme

CELLS = read_cells()
ENDS = sorted({origin for origin, _, _ in CELLS})


def key(name: str) -> HostKey:
    """The host that a name of the data file means."""
    if name == "other":
        return OtherHosts(scheme.SEGMENT)
    if name.startswith("server"):
        return ServerRef(int(name.removeprefix("server")))
    return ContainerKey(int(name[0]), name)


@pytest.fixture(scope="module", params=["drafted", "decided", "observed"])
def sight(request: pytest.FixtureRequest) -> Visibility:
    """The scheme as a draft on bare servers, as decided and applied, and as looks find it then."""
    if request.param == "drafted":
        return visibility(scheme.DESIRED, Desired(), scheme.inventory())
    found = scheme.inventory(built.LOOKS)
    if request.param == "decided":
        return visibility(built.DESIRED, built.DESIRED, found)
    return observed(found, built.DESIRED)


def test_every_pair_is_in_the_data_file_and_each_quote_is_the_manuals() -> None:
    assert len(ENDS) == 15
    assert len(CELLS) == 15 * 14 * len(LAYERS)
    assert all(cell.quote or cell.derivation for cell in CELLS.values())


def test_the_model_says_what_the_manual_says(sight: Visibility) -> None:
    wrong = []
    for cell in CELLS.values():
        a, b = key(cell.origin), key(cell.target)
        verdict = sight.reaches(a, b) if cell.layer == "ip" else sight.shares_layer2(a, b)
        quick = sight.answer(a, b) if cell.layer == "ip" else sight.layer2_answer(a, b)
        if (verdict.answer, quick) != (cell.answer, cell.answer):
            wrong.append((cell.origin, cell.target, cell.layer, verdict.text))
    assert wrong == []


def test_every_verdict_has_a_reason_and_every_no_its_first_broken_hop(sight: Visibility) -> None:
    for cell in CELLS.values():
        a, b = key(cell.origin), key(cell.target)
        verdict = sight.reaches(a, b) if cell.layer == "ip" else sight.shares_layer2(a, b)
        assert re.fullmatch(r"[A-Z].*\.", verdict.text), verdict.text
        assert verdict.hops
        if verdict.answer == "yes":
            assert verdict.broken is None
        else:
            assert verdict.broken is verdict.hops[-1]
            # Of a network that is only drafted there is no bridge yet to be looked at.
            is_made = sight.world.scene.after == sight.world.scene.before
            assert verdict.broken.evidence or not is_made, verdict.broken.text


def test_the_reasons_read_as_the_manual_tells_them() -> None:
    sight = visibility(built.DESIRED, built.DESIRED, scheme.inventory(built.LOOKS))

    def why(a: str, b: str) -> str:
        return sight.reaches(key(a), key(b)).text

    assert why("303", "other") == (
        "Container 303 (c303) does not reach other hosts: Virtual Network E on physical server server3 is "
        "local: it is bridged to no network adapter there. Container 302 (c302) stands where it reaches "
        "other hosts, but does not forward packets for others."
    )
    assert why("202", "other") == (
        "Container 202 (c202) reaches other hosts: Container 201 (c201) bridges its interfaces and they are "
        "joined by eth0 of physical server server2, on “physical network”, untagged."
    )
    assert why("102", "201") == (
        "Container 102 (c102) reaches Container 201 (c201): Virtual Network A is assigned to eth0 of "
        "physical server server1 and eth0 of physical server server2, on “physical network”, untagged."
    )
    assert why("other", "101") == (
        "Other hosts reach Container 101 (c101): Container 101 (c101) has a host-routed interface, so it "
        "sees and is seen by whoever can access vn-a or eth0 of physical server server1."
    )
    assert why("203", "server2").endswith("is local: it is bridged to no network adapter there.")
    assert why("205", "other") == (
        "Container 205 (c205) does not reach other hosts: Virtual Network D is isolated within VLAN 100 of "
        "“physical network”, apart from “physical network”, untagged."
    )


def test_components_have_names_and_members() -> None:
    sight = visibility(built.DESIRED, built.DESIRED, scheme.inventory(built.LOOKS))
    assert {c.name: [i.ctid for i in c.interfaces] for c in sight.components()} == {
        "Virtual Networks A and B, on “physical network”, untagged": ["102", "103", "201", "201", "202"],
        "Virtual Network C on physical server server2": ["203", "204"],
        "Virtual Network D, on VLAN 100 of “physical network”": ["205", "301"],
        "Virtual Network E on physical server server3": ["302", "303"],
    }
    lan = sight.components()[-1]
    assert lan.servers == (ServerRef(1), ServerRef(2), ServerRef(3)) and lan.others == (OtherHosts(1),)


def test_hosts_that_see_the_same_are_one_row() -> None:
    sight = visibility(built.DESIRED, built.DESIRED, scheme.inventory(built.LOOKS))
    rows = [list(group.members) for group in sight.groups(map(key, ENDS))]
    assert [key("102"), key("103"), key("202")] in rows
    assert [key("203"), key("204")] in rows and [key("205"), key("301")] in rows
    assert [key("303")] in rows and [key("302")] in rows


def test_a_difference_names_who_gains_and_who_loses_sight_of_whom() -> None:
    nothing = visibility(Desired(), Desired(), scheme.inventory())
    all_of_it = visibility(scheme.DESIRED, Desired(), scheme.inventory())
    gained = nothing.difference(all_of_it)
    assert not gained.lost and not gained.unclear
    said = {(s.first.name, s.second.name) for s in gained.gained}
    assert ("Containers 203 and 204", "Containers 203 and 204") in said
    assert ("Containers 102, 103 and 202", "Other hosts on “physical network”") in said
    lost = all_of_it.difference(nothing)
    assert not lost.gained and len(lost.lost) == len(gained.gained)
    assert not all_of_it.difference(all_of_it)


def test_303_is_offered_the_ways_out_that_there_are() -> None:
    sight = visibility(built.DESIRED, built.DESIRED, scheme.inventory(built.LOOKS))
    fixes = sight.reaches(key("303"), key("other")).fixes
    assert [fix.text for fix in fixes] == [
        "Assign Virtual Network E to eth0 of physical server server3",
        "Assign Virtual Network E to eth1 of physical server server3",
        "Give Container 303 (c303) the host-routed address 10.77.0.33",
        "Make Container 302 (c302) a router for Container 303 (c303)",
    ]
    assert fixes[0].edits == (Assign(scheme.E, 3, "eth0"),)
    assert fixes[2].edits == (AddAddress(scheme.interface(3, "303", "venet0"), "10.77.0.33/32"),)
    assert any("ip route add default via 10.77.5.32" in step for step in fixes[3].steps)
    assert any("-s 10.77.5.0/24 -o venet0 -j MASQUERADE" in step for step in fixes[3].steps)


def test_a_fix_is_tried_before_it_is_offered_as_one() -> None:
    """E on eth0 puts 303 on the wire, but its address is of another subnet: half a fix is told as half."""
    sight = visibility(built.DESIRED, built.DESIRED, scheme.inventory(built.LOOKS))
    fix = sight.reaches(key("303"), key("other")).fixes[0]
    after = sight.with_edits(fix.edits)
    assert after.shares_layer2(key("303"), key("other")).answer == "yes"
    verdict = after.reaches(key("303"), key("other"))
    assert verdict.answer == "no" and "has no route to 10.77.0.1" in verdict.text
    assert verdict.fixes[0].text == "Give eth0 of Container 303 (c303) the address 10.77.0.33/24"


def trials(a: str, b: str) -> dict[str, tuple[Fix, str, str]]:
    """The fixes for a pair by their texts, with what each comes to."""
    sight = visibility(built.DESIRED, built.DESIRED, scheme.inventory(built.LOOKS))
    found = tried(sight, key(a), key(b), sight.reaches(key(a), key(b)))
    assert all(trial.effect is not None for trial in found)
    return {t.fix.text: (t.fix, t.effect.answer, t.effect.text) for t in found if t.effect}


def test_half_a_fix_is_offered_with_what_makes_it_a_whole_one() -> None:
    found = trials("303", "other")
    assert [(text, answer) for text, (_, answer, _) in found.items()] == [
        ("Assign Virtual Network E to eth0 of physical server server3", "no"),
        (
            "Assign Virtual Network E to eth0 of physical server server3, and give eth0 of Container 303 "
            "(c303) the address 10.77.0.33/24",
            "yes",
        ),
        ("Assign Virtual Network E to eth1 of physical server server3", "no"),
        (
            "Assign Virtual Network E to eth1 of physical server server3, and give eth0 of Container 303 "
            "(c303) the address 10.77.0.33/24",
            "yes",
        ),
        ("Give Container 303 (c303) the host-routed address 10.77.0.33", "yes"),
        ("Make Container 302 (c302) a router for Container 303 (c303)", "yes"),
    ]
    both, _, effect = list(found.values())[1]
    assert both.edits == (
        Assign(scheme.E, 3, "eth0"),
        AddAddress(scheme.interface(3, "303"), "10.77.0.33/24"),
    )
    assert both.steps[-1] == (
        "Make sure that nobody else has 10.77.0.33: it is only known not to be used by what the panel sees."
    )
    assert effect.startswith(
        "Container 303 (c303) reaches other hosts: Virtual Network E is assigned to eth0"
    )


def test_what_a_router_would_come_to_is_predicted_with_its_masquerading_and_without() -> None:
    router = "Make Container 302 (c302) a router for Container 303 (c303)"
    assert trials("303", "other")[router][2] == (
        "Container 303 (c303) reaches other hosts: Container 302 (c302) forwards its packets and masquerades "
        "them, so that the answers come back to Container 302 (c302)."
    )
    # Who asks from outside finds no address of the container behind the router.
    assert trials("other", "303")[router][1:] == (
        "unknown",
        "Whether other hosts reach Container 303 (c303) is unknown: whether other hosts have a route to "
        "10.77.5.33 is not known.",
    )


def test_a_host_routed_address_that_its_own_subnet_hides_is_told_as_not_enough() -> None:
    """203 has an address of 10.77.0.0/24 on local network C: its kernel asks there, whatever venet0 could."""
    _, answer, text = trials("203", "other")["Give Container 203 (c203) the host-routed address 10.77.0.253"]
    assert answer == "no" and "nobody answers for 10.77.0.1" in text
