"""Drift: what a look finds otherwise than decided, what may pass by itself, and how it is accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.domain.drift import BOOT_GRACE_S, Judgement, Memory, judge
from networks.domain.inventory import ServerView
from networks.domain.rules import review
from networks.domain.state import (
    AddMember,
    Assign,
    CreateVlan,
    DeleteVlan,
    Desired,
    Edit,
    InterfaceKey,
    RemoveMember,
    apply_edits,
)
from networks.domain.verify import mismatches
from nodes.facts import Bridge, Finding, Link, ServerFacts, Transaction, Vlan
from tests.domain import scheme
from tests.domain.built import (
    DESIRED,
    LOOKS,
    changed,
    plan_on,
    stopped,
    with_container,
    with_interface,
    with_link,
    without_link,
)
from tests.domain.scheme import A, B, D
from tests.domain.simulator import simulate


def settled(facts: ServerFacts, number: int) -> ServerFacts:
    """The look of a server that has been up for a day and whose own record says what was decided."""
    keeps = plan_on(number, LOOKS[number], DESIRED, DESIRED, LOOKS).host.keeps
    lines = ("txid 1", *(" ".join(keep.words()) for keep in keeps))
    links = tuple(replace(link, index=at) for at, link in enumerate(facts.links, 1))
    return replace(
        facts, uptime_s=86400.0, boot_id="b1", links=links, transaction=Transaction("1", "", lines)
    )


QUIET = {number: settled(LOOKS[number], number) for number in LOOKS}


def looked(number: int, *looks: ServerFacts, desired: Desired = DESIRED) -> Judgement:
    """The judgement after these looks, one after the other, on a server that was quiet before."""
    view = ServerView(number, f"server{number}")
    said = judge(view, desired, QUIET[number], Memory())
    for facts in looks:
        said = judge(view, desired, facts, said.memory)
    return said


def names(said: Judgement) -> list[tuple[str, str, str]]:
    return [(d.mismatch.link, d.mismatch.property, d.mismatch.observed) for d in said.drifts]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_hundred_looks_at_an_untouched_server_find_none(number: int) -> None:
    assert names(looked(number, *[QUIET[number]] * 100)) == []


def test_a_port_taken_out_by_hand_is_found_by_the_next_look() -> None:
    found = changed(QUIET[1], "veth102.0", master="")
    assert names(looked(1, found)) == [("veth102.0", "port", "in no bridge")]


def test_it_ends_when_the_port_is_back() -> None:
    assert names(looked(1, changed(QUIET[1], "veth102.0", master=""), QUIET[1])) == []


def test_a_container_that_is_being_restarted_does_not_drift() -> None:
    starting = changed(QUIET[1], "veth102.0", master="", index=77)
    started = changed(QUIET[1], "veth102.0", index=77)
    assert names(looked(1, stopped(QUIET[1], "102"), starting, started)) == []
    assert names(looked(1, without_link(QUIET[1], "veth102.0"), starting, started)) == []


def test_a_restarted_container_that_stays_out_of_its_bridge_does() -> None:
    out = changed(QUIET[1], "veth102.0", master="", index=77)
    assert names(looked(1, out)) == []
    assert names(looked(1, out, out)) == [("veth102.0", "port", "in no bridge")]


def test_a_running_container_without_its_port_drifts_at_the_second_look() -> None:
    gone = without_link(QUIET[1], "veth102.0")
    assert names(looked(1, gone)) == []
    assert names(looked(1, gone, gone)) == [("veth102.0", "port", "missing")]


def test_a_saved_configuration_that_differs_counts_at_the_second_look() -> None:
    other = with_interface(QUIET[1], "102", lambda i: replace(i, configured_bridge="vmbr0"))
    assert names(looked(1, other)) == []
    assert names(looked(1, other, other)) == [("veth102.0", "saved configuration", "bridge vmbr0")]
    assert judge(ServerView(1, ""), DESIRED, other, looked(1, other).memory, following=True).drifts == ()


def test_a_conf_file_that_is_half_written_says_nothing() -> None:
    broken = with_container(QUIET[1], "102", lambda c: replace(c, interfaces=()))
    broken = replace(broken, findings=(Finding("conf_broken", "half-written", "102"),))
    assert names(looked(1, broken, broken)) == []


def test_the_servers_own_record_must_say_what_was_decided() -> None:
    lines = tuple(line for line in QUIET[1].transaction.committed if "vn-a" not in line)
    wiped = replace(QUIET[1], transaction=Transaction("1", "", (*lines, "keep bridge vn-old -")))
    assert names(looked(1, wiped)) == [
        ("bridge vn-a eth0", "the server's record", "missing"),
        ("bridge vn-old -", "the server's record", "bridge vn-old -"),
    ]


@pytest.mark.parametrize(
    "facts",
    [
        replace(QUIET[1], uptime_s=BOOT_GRACE_S - 1, links=()),
        replace(QUIET[1], transaction=Transaction("1", "t2", ()), links=()),
        replace(QUIET[1], findings=(Finding("unreadable", "ip said nonsense"),), links=()),
        replace(QUIET[1], findings=(Finding("section_truncated", "cut off"),), containers=()),
    ],
)
def test_a_look_that_says_nothing_is_no_drift_and_says_why(facts: ServerFacts) -> None:
    said = looked(1, facts)
    assert said.drifts == () and said.unsure
    assert said.memory == looked(1).memory


def test_another_boot_forgets_what_was_remembered() -> None:
    gone = without_link(QUIET[1], "veth102.0")
    assert names(looked(1, gone, replace(gone, boot_id="b2"))) == []


def test_what_the_panel_does_not_manage_is_never_drift() -> None:
    facts = with_link(QUIET[1], Link("vmbr7", "bridge", bridge=Bridge(True, 15)))
    facts = with_link(facts, Link("tap9", "tap", master="vn-a"))
    facts = with_link(facts, Link("eth1", "nic", master="vmbr7", up=True))
    assert names(looked(1, facts)) == []


def test_an_adapter_in_somebody_elses_bridge_is_drift_and_not_adopted_silently() -> None:
    facts = with_link(QUIET[1], Link("br9", "bridge", up=True, bridge=Bridge(False, 0)))
    facts = changed(facts, "eth0", master="br9")
    said = looked(1, facts)
    assert ("eth0", "bridge", "in br9") in names(said)
    (drift,) = (d for d in said.drifts if d.mismatch.link == "eth0")
    assert not drift.adopt.edits and "did not make" in drift.adopt.why_not


def test_an_adapter_beside_another_in_a_networks_bridge_is_not_adopted_and_nobody_elses() -> None:
    """D of server 2 has its VLAN adapter; somebody put eth0 of A beside it."""
    said = looked(2, changed(QUIET[2], "eth0", master="vn-d"))
    (drift,) = (d for d in said.drifts if d.mismatch.link == "eth0")
    assert drift.adopt.why_not.startswith("A virtual network has one network adapter on a server")


def test_an_adapter_in_somebody_elses_bridge_does_not_stop_unrelated_edits() -> None:
    facts = with_link(QUIET[1], Link("br9", "bridge", up=True, bridge=Bridge(False, 0)))
    facts = changed(facts, "eth0", master="br9")
    without_103 = apply_edits(DESIRED, [RemoveMember(InterfaceKey(1, "103", "eth0"))])
    made = plan_on(1, facts, without_103, DESIRED, LOOKS)
    assert [step.words() for step in made.host.steps] == [("step", "port", "veth103.0", "-")]
    assert any("br9" in note for note in made.notes)


HANDS: dict[str, tuple[int, Callable[[ServerFacts], ServerFacts], tuple[Edit, ...]]] = {
    "a port in no bridge": (
        1, lambda f: changed(f, "veth102.0", master=""), (RemoveMember(InterfaceKey(1, "102", "eth0")),)
    ),
    "a port in another network": (
        2, lambda f: changed(f, "veth203.0", master="vn-b"),
        (RemoveMember(InterfaceKey(2, "203", "eth0")), AddMember(B, InterfaceKey(2, "203", "eth0"))),
    ),
    "an adapter out of its bridge": (
        1, lambda f: changed(f, "eth0", master=""), (Assign(A, 1, None),)
    ),
    "another adapter in its place": (
        1, lambda f: changed(changed(f, "eth0", master=""), "eth1", master="vn-a"), (Assign(A, 1, "eth1"),)
    ),
    "an adapter in another network": (
        2, lambda f: changed(f, "eth0", master="vn-b"), (Assign(A, 2, None), Assign(B, 2, "eth0"))
    ),
    "a VLAN with another id": (
        3, lambda f: changed(f, "eth0.100", vlan=Vlan("eth0", 7)),
        (DeleteVlan(3, "eth0.100"), CreateVlan(3, "eth0.100", "eth0", 7)),
    ),
    "a VLAN adapter that is gone": (
        3, lambda f: without_link(f, "eth0.100"), (Assign(D, 3, None), DeleteVlan(3, "eth0.100"))
    ),
    "a container that is gone": (
        1, lambda f: replace(f, containers=tuple(c for c in f.containers if c.ctid != "102")),
        (RemoveMember(InterfaceKey(1, "102", "eth0")),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HANDS)
def test_adopting_makes_desired_what_was_found(name: str) -> None:
    number, hand, expected = HANDS[name]
    found = hand(QUIET[number])
    edits = dict.fromkeys(e for d in looked(number, found, found).drifts for e in d.adopt.edits)
    assert tuple(edits) == expected
    after = apply_edits(DESIRED, edits)
    left = looked(number, found, found, desired=after).drifts
    assert {d.mismatch.property for d in left} <= {
        "saved configuration", "the server's record", "IPv6 of the server", "the server's ARP answers",
        "MAC address", "MAC pinning",
    }, "only what every Change brings after by itself"  # fmt: skip
    known = scheme.inventory({**LOOKS, number: found})
    problems = review(DESIRED, tuple(edits), known, found=True)
    assert [problem for problem in problems if problem.severity == "refuse"] == []


@pytest.mark.parametrize(
    "hand",
    [
        lambda f: changed(f, "vn-a", mtu=1400),
        lambda f: changed(f, "vn-a", mac_pinned=False),
        lambda f: changed(f, "vn-a", bridge=Bridge(True, 15, False)),
        lambda f: without_link(f, "vn-a"),
        lambda f: replace(f, transaction=Transaction("1", "", ())),
        lambda f: changed(f, "eth1", master="vn-a"),
    ],
)
def test_what_edits_cannot_say_says_why(hand: Callable[[ServerFacts], ServerFacts]) -> None:
    said = looked(1, hand(QUIET[1]))
    assert said.drifts
    assert all(bool(d.adopt.edits) != bool(d.adopt.why_not) for d in said.drifts)
    assert any(d.adopt.why_not for d in said.drifts)


REPAIRABLE = [
    lambda f: changed(f, "veth203.0", master=""),
    lambda f: changed(f, "veth204.0", master="vn-b"),
    lambda f: changed(f, "vn-a", mtu=1400),
    lambda f: changed(f, "vn-a", mac_pinned=False),
    lambda f: changed(f, "vn-c", ipv6_disabled=False, arp_ignore=0),
    lambda f: changed(f, "vn-c", bridge=Bridge(True, 15, False)),
    lambda f: changed(f, "vn-c", up=False),
    lambda f: with_interface(f, "205", lambda i: replace(i, configured_bridge="vmbr0")),
    lambda f: changed(f, "eth0.100", up=False),
]


@given(st.lists(st.sampled_from(REPAIRABLE), min_size=1, max_size=5))
def test_repairing_brings_the_server_back(hands: list[Callable[[ServerFacts], ServerFacts]]) -> None:
    facts = QUIET[2]
    for hand in hands:
        facts = hand(facts)
    assert looked(2, facts, facts).drifts
    made = plan_on(2, facts, DESIRED, DESIRED, LOOKS)
    assert not made.is_empty
    repaired = simulate(facts, made.host)
    assert mismatches(ServerView(2, "server2"), DESIRED, repaired) == ()
