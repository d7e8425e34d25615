"""What networks are meant to do, held against the manual's scheme."""

from __future__ import annotations

from dataclasses import replace

from networks.domain.intent import (
    Breach,
    Intent,
    Measured,
    breaches,
    breaches_measured,
    problems_of,
    weighed,
)
from networks.domain.inventory import ContainerKey, NetworkRef
from networks.domain.state import AddMember, Assign, Desired, RemoveMember, apply_edits
from networks.domain.visibility import OtherHosts, visibility
from networks.domain.what_if import happened
from tests.domain import built, scheme
from tests.domain.scheme import A, B, C, D, E, interface

OTHERS = OtherHosts(scheme.SEGMENT)
KNOWN = scheme.inventory(built.LOOKS)


def broken(*intents: Intent, state: Desired = built.DESIRED, known: object = KNOWN) -> tuple[Breach, ...]:
    sight = visibility(state, built.DESIRED, known)  # type: ignore[arg-type]
    return breaches(intents, sight, state)


def test_c_d_and_e_never_reach_other_hosts() -> None:
    assert not broken(*(Intent(network, "isolated") for network in (C, D, E)))


def test_b_reaches_other_hosts_through_201_and_the_breach_says_how() -> None:
    (found,) = broken(Intent(B, "isolated"))
    assert "Virtual Network B is meant never to reach other hosts, but" in found.text
    assert "202" in found.text and "201" in found.text
    assert NetworkRef(B) in found.subjects
    assert ContainerKey(2, "202") in found.subjects
    assert found.servers >= {2}


def test_a_is_open_so_its_isolation_is_breached() -> None:
    assert len(broken(Intent(A, "isolated"))) == 1


def test_members_of_every_network_of_the_scheme_see_each_other() -> None:
    assert not broken(*(Intent(network, "together") for network in (A, B, C, D, E)))


def test_a_network_that_is_cut_in_two_breaches_togetherness() -> None:
    cut = apply_edits(built.DESIRED, [Assign(D, 3, "eth1")])
    segments = tuple(replace(a, segment=2) if a.name == "eth1" else a for a in KNOWN.adapters)
    (found,) = broken(Intent(D, "together"), state=cut, known=replace(KNOWN, adapters=segments))
    assert "205" in found.text and "301" in found.text


def test_a_member_that_is_stopped_breaches_nothing() -> None:
    stopped = happened(KNOWN, [ContainerKey(2, "203")])
    assert not broken(Intent(C, "together"), known=stopped)


def test_one_that_must_see_another_is_breached_when_the_way_is_gone() -> None:
    intent = Intent(B, "sees", ContainerKey(2, "202"), OTHERS)
    assert not broken(intent)
    (found,) = broken(intent, known=happened(KNOWN, [ContainerKey(2, "201")]))
    assert "does not see" in found.text


def test_what_is_unknown_is_no_breach() -> None:
    unknown = tuple(replace(i, addresses=(), addresses_known=False) for i in KNOWN.interfaces)
    known = replace(KNOWN, interfaces=unknown)
    assert not broken(Intent(C, "together"), known=known)


def test_a_network_that_is_gone_is_meant_nothing_any_more() -> None:
    assert not broken(Intent("00000000-0000-4000-8000-000000000999", "isolated"))


def test_a_draft_has_to_own_up_only_to_what_it_breaches_itself() -> None:
    draft = apply_edits(built.DESIRED, [Assign(C, 2, "eth1")])
    intents = (Intent(C, "isolated"), Intent(A, "isolated"))
    problems = weighed(broken(*intents, state=draft), broken(*intents))
    assert [(p.code, p.severity, p.existing) for p in problems] == [
        ("breach", "warn", False),
        ("breach", "warn", True),
    ]


def test_a_draft_that_mends_a_breach_has_none() -> None:
    draft = apply_edits(built.DESIRED, [RemoveMember(interface(2, "201", "eth1"))])
    assert not broken(Intent(B, "isolated"), state=draft)
    again = apply_edits(draft, [AddMember(B, interface(2, "201", "eth1"))])
    assert problems_of(broken(Intent(B, "isolated"), state=again))


def test_what_302_reaches_by_its_host_routed_interface_was_not_measured_of_e() -> None:
    sight = visibility(built.DESIRED, built.DESIRED, KNOWN)
    routed: Measured = {(ContainerKey(3, "302"), OTHERS, "ip"): "yes"}
    assert breaches_measured([Intent(E, "isolated")], routed, sight, built.DESIRED) == ()
    seen: Measured = {(ContainerKey(3, "303"), OTHERS, "layer2"): "yes"}
    (breach,) = breaches_measured([Intent(E, "isolated")], seen, sight, built.DESIRED)
    assert "Container 303 (c303) reaches other hosts" in breach.text
