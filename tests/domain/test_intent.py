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
from networks.domain.inventory import ContainerKey, Inventory, NetworkRef
from networks.domain.state import AddMember, Assign, CreateNetwork, Desired, RemoveMember, apply_edits
from networks.domain.visibility import OtherHosts, Visibility, visibility
from networks.domain.what_if import happened
from tests.domain import built, scheme
from tests.domain.scheme import A, B, C, D, E, interface

OTHERS = OtherHosts(scheme.SEGMENT)
KNOWN = scheme.inventory(built.LOOKS)


def broken(*intents: Intent, state: Desired = built.DESIRED, known: object = KNOWN) -> tuple[Breach, ...]:
    sight = visibility(state, built.DESIRED, known)  # type: ignore[arg-type]
    return breaches(intents, sight, state)


def seen(state: Desired, known: Inventory = KNOWN) -> tuple[Visibility, Desired]:
    return visibility(state, built.DESIRED, known), state


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
    problems = weighed(intents, seen(draft), seen(built.DESIRED))
    assert [(p.code, p.severity, p.existing) for p in problems] == [
        ("breach", "warn", False),
        ("breach", "warn", True),
    ]


def test_who_is_heard_by_other_hosts_reaches_them_whatever_its_subnet() -> None:
    draft = apply_edits(built.DESIRED, [Assign(E, 3, "eth0")])
    (found,) = broken(Intent(E, "isolated"), state=draft)
    assert "Container 303 (c303) reaches other hosts at layer 2" in found.text
    assert "share a layer-2 network" in found.text


def test_whether_frames_reach_other_hosts_is_no_breach_while_it_is_unknown() -> None:
    draft = apply_edits(built.DESIRED, [Assign(E, 3, "eth1")])
    nowhere = tuple(replace(a, segment=None) if a.name == "eth1" else a for a in KNOWN.adapters)
    assert broken(Intent(E, "isolated"), state=draft)
    assert not broken(Intent(E, "isolated"), state=draft, known=replace(KNOWN, adapters=nowhere))


def test_that_members_reach_one_more_segment_is_a_new_breach() -> None:
    two = tuple(replace(a, segment=2) if a.name == "eth1" else a for a in KNOWN.adapters)
    known = replace(KNOWN, adapters=two)
    before = apply_edits(built.DESIRED, [Assign(E, 3, "eth0")])
    bridging = tuple(
        replace(c, joined=(("eth0", "eth1"),)) if c.key == ContainerKey(3, "302") else c
        for c in known.containers
    )
    second = replace(
        next(i for i in known.interfaces if i.key == interface(3, "303")), key=interface(3, "302", "eth1")
    )
    known = replace(known, containers=bridging, interfaces=(*known.interfaces, second))
    draft = apply_edits(
        before, [CreateNetwork("f", "F"), Assign("f", 3, "eth1"), AddMember("f", interface(3, "302", "eth1"))]
    )
    new, old = weighed([Intent(E, "isolated")], seen(draft, known), seen(before, known))
    assert (new.existing, old.existing) == (False, True)
    assert new.subjects == old.subjects


def test_a_sixth_pair_is_a_new_breach_and_is_told_by_itself() -> None:
    on_the_lan = apply_edits(built.DESIRED, [Assign(E, 3, "eth0")])
    ctids = [f"90{number}" for number in range(7)]
    known = joined_by({ctid: f"10.90.{ctid[-1]}.1/24" for ctid in ctids})
    before = apply_edits(on_the_lan, [AddMember(E, interface(3, ctid)) for ctid in ctids[:6]])
    draft = apply_edits(before, [AddMember(E, interface(3, ctids[6]))])
    new, old = weighed([Intent(E, "isolated")], seen(draft, known), seen(before, known))
    assert not new.existing and "Container 906 reaches other hosts" in new.text and "905" not in new.text
    assert old.existing and "and 3 more" in old.text and "906" not in old.text


def test_a_member_that_sees_the_same_as_another_is_a_new_breach_and_the_other_is_not() -> None:
    on_the_lan = apply_edits(built.DESIRED, [Assign(E, 3, "eth0")])
    known = joined_by({"302.5": "10.77.5.99/24"})
    draft = apply_edits(on_the_lan, [AddMember(E, interface(3, "302.5"))])
    intent = [Intent(E, "isolated")]
    new, old = weighed(intent, seen(draft, known), seen(on_the_lan, known))
    assert not new.existing and "302.5" in new.text and "302.5" not in old.text
    left = apply_edits(draft, [RemoveMember(interface(3, "303"))])
    assert all(p.existing for p in weighed(intent, seen(left, known), seen(draft, known)))


def test_members_that_are_apart_already_stay_so_whoever_leaves() -> None:
    known = joined_by({"900": "10.90.0.1/24", "901": "10.90.1.1/24"})
    before = apply_edits(built.DESIRED, [AddMember(E, interface(3, ctid)) for ctid in ("900", "901")])
    left = apply_edits(before, [RemoveMember(interface(3, "303"))])
    together = [Intent(E, "together")]
    assert {p.existing for p in weighed(together, seen(before, known), seen(built.DESIRED, known))} == {False}
    assert {p.existing for p in weighed(together, seen(left, known), seen(before, known))} == {True}


def test_what_is_breached_in_one_of_two_states_is_not_new() -> None:
    draft = apply_edits(built.DESIRED, [Assign(C, 2, "eth1"), Assign(E, 3, "eth0")])
    one, other = (apply_edits(built.DESIRED, [edit]) for edit in (Assign(C, 2, "eth1"), Assign(E, 3, "eth0")))
    intents = [Intent(C, "isolated"), Intent(E, "isolated")]
    assert [p.existing for p in weighed(intents, seen(draft), seen(one))] == [True, False]
    assert [p.existing for p in weighed(intents, seen(draft), seen(one), seen(other))] == [True, True]


def joined_by(addresses: dict[str, str]) -> Inventory:
    """What is known, and more containers like 303 on its server, each with an address of its own."""
    view = next(i for i in KNOWN.interfaces if i.key == interface(3, "303"))
    like = next(c for c in KNOWN.containers if c.key == ContainerKey(3, "303"))
    more = [
        replace(view, key=interface(3, ctid), addresses=(address,), mac=f"02:00:00:00:{number:02}:99")
        for number, (ctid, address) in enumerate(addresses.items())
    ]
    return replace(
        KNOWN,
        interfaces=(*KNOWN.interfaces, *more),
        containers=(*KNOWN.containers, *(replace(like, ctid=ctid, name="") for ctid in addresses)),
    )


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


def test_a_member_whose_first_interface_there_is_off_may_reach_out_by_the_second() -> None:
    first, second = interface(1, "102"), interface(1, "102", "eth1")
    view = KNOWN.interface(first)
    assert view is not None
    off = (replace(c, off=("eth0",)) if c.key == ContainerKey(1, "102") else c for c in KNOWN.containers)
    twice = (*KNOWN.interfaces, replace(view, key=second, mac="00:18:51:00:66:01"))
    known = replace(KNOWN, containers=tuple(off), interfaces=twice)
    alone = (RemoveMember(interface(1, "103")), RemoveMember(interface(2, "201")), AddMember(A, second))
    (found,) = broken(Intent(A, "isolated"), state=apply_edits(built.DESIRED, alone), known=known)
    assert found.pairs == ((second, OTHERS),)
