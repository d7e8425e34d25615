"""The manual's scheme is drawn as the manual draws it."""

from __future__ import annotations

from dataclasses import replace

from networks.domain.inventory import ContainerKey, InterfaceView, Inventory, NetworkRef, ServerRef
from networks.domain.rules import Problem
from networks.domain.state import (
    AdapterKey,
    AddInterface,
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    Desired,
    InterfaceKey,
    RemoveInterface,
    RemoveMember,
    apply_edits,
)
from networks.domain.topology.around import around
from networks.domain.topology.build import Kept, Seen, scene_of
from networks.domain.topology.layout import lay_out
from networks.domain.topology.observed import comparable_state, observed_state
from networks.domain.topology.picture import Picture
from networks.domain.topology.scene import Scene
from networks.domain.visibility import visibility
from tests.domain import built, scheme
from tests.domain.scheme import A, B, C, D, E, interface

ALL = frozenset({1, 2, 3})
F = "00000000-0000-4000-8000-00000000000f"


def found() -> Inventory:
    """The scheme as applied, with the host-routed interfaces as rows have them on both dialects."""
    known = scheme.inventory(built.LOOKS)
    routed = InterfaceView(InterfaceKey(1, "101", "venet0"), "host-routed", container_status="running")
    return replace(known, interfaces=(*known.interfaces, routed))


SEEN = Seen(own=frozenset(AdapterKey(n, "eth0") for n in ALL))


def drawn(
    after: Desired = built.DESIRED, kept: Kept | None = None, problems: tuple[Problem, ...] = ()
) -> Scene:
    return scene_of(built.DESIRED, after, found(), kept or Kept(ALL), SEEN, problems)


def picture(scene: Scene | None = None) -> Picture:
    return lay_out(scene or drawn())


def strips(of: Picture, band: str) -> list[tuple[int, int]]:
    return [(s.frame.x, s.frame.right) for s in of.strips if s.band.id == band]


def test_it_draws_the_scheme_without_a_crossing() -> None:
    assert picture().crossings == 0


def test_it_has_a_column_for_each_server_in_natural_order() -> None:
    shown = [shape.column.name for shape in picture().columns]
    assert shown == ["server1", "server2", "server3"]


def test_networks_a_and_d_run_through_two_servers_and_the_others_end_in_one() -> None:
    shown = picture()
    joined = {(b.band.name, b.is_broken) for b in shown.between}
    assert joined == {("A", False), ("D", False)}
    assert {band: len(strips(shown, band)) for band in (A, B, C, D, E)} == {A: 2, B: 1, C: 1, D: 2, E: 1}


def test_a_drops_to_eth0_and_d_to_the_vlan_adapters() -> None:
    drops = {(line.band.name, line.text) for line in picture().uprights if line.kind == "drop" and line.band}
    assert drops == {
        ("A", "A on eth0 of server1"),
        ("A", "A on eth0 of server2"),
        ("D", "D on eth0.100 of server2"),
        ("D", "D on eth0.100 of server3"),
    }


def test_a_drop_ends_on_its_socket() -> None:
    shown = picture()
    middles = {(s.server, s.socket.name): s.frame.middle for s in shown.sockets}
    xs = {line.text: line.x for line in shown.uprights if line.kind == "drop"}
    assert xs["D on eth0.100 of server3"] == middles[3, "eth0.100"]


def test_local_networks_say_so_on_their_band() -> None:
    labels = {strip.label for strip in picture().strips}
    assert labels == {"A", "B · local", "C · local", "D", "E · local"}


def test_the_untagged_line_is_above_the_vlan_line_and_other_hosts_are_on_it() -> None:
    lines = picture().lines
    assert [line.line.name for line in lines] == ["physical network, untagged", "physical network, VLAN 100"]
    assert lines[0].y < lines[1].y
    assert [line.hosts is not None for line in lines] == [True, False]


def test_a_bridge_inside_201_is_an_arc_between_its_two_dots() -> None:
    shown = picture()
    arcs = {box.box.key.ctid: len(box.arcs) for box in shown.boxes if box.arcs}
    assert arcs == {"201": 1}


def test_the_second_dot_of_201_leads_down_to_a() -> None:
    shown = picture()
    lead = next(line for line in shown.uprights if line.kind == "lead" and line.band and line.band.id == A)
    strip = next(s for s in shown.strips if s.band.id == A and s.frame.x <= lead.x <= s.frame.right)
    assert lead.y2 == strip.frame.y


def test_host_routed_interfaces_lead_to_their_servers_own_stack() -> None:
    shown = picture()
    stacks = [shape.stack for shape in shown.columns if shape.stack]
    routed = [line for line in shown.uprights if line.kind == "routed"]
    assert len(routed) == 2
    for line in routed:
        assert any(s.x <= line.x <= s.right and line.y2 == s.y for s in stacks)


def test_what_the_draft_changes_is_marked() -> None:
    edits = [
        RemoveMember(interface(1, "103")),
        RemoveMember(interface(2, "203")),
        CreateNetwork(F, "F"),
        CreateVlan(1, "eth0.7", "eth0", 7),
        Assign(F, 1, "eth0.7"),
        AddMember(F, interface(1, "103")),
        Assign(D, 3, "eth0"),
    ]
    scene = drawn(apply_edits(built.DESIRED, edits))
    dots = {d.key.ctid: (d.mark, d.was) for c in scene.columns for b in c.boxes for d in b.dots if d.mark}
    assert dots == {"103": ("new", "A"), "203": ("removed", "C")}
    assert {s.name: s.mark for s in scene.columns[0].sockets} == {"eth0": "", "eth0.7": "new", "eth1": ""}
    piece = scene.columns[2].piece(D)
    assert piece is not None
    assert (piece.socket, piece.was, piece.mark) == ("eth0", "eth0.100", "changed")
    kinds = [line.kind for line in picture(scene).uprights if line.band and line.band.id == D]
    assert sorted(kinds) == ["drop", "drop", "ghost"]


def test_an_interface_that_the_draft_makes_is_drawn_as_new_and_one_that_goes_as_removed() -> None:
    new = interface(1, "103", "eth1")
    edits = [AddInterface(new), AddMember(E, new), RemoveInterface(interface(2, "203"))]
    scene = drawn(apply_edits(built.DESIRED, edits))
    dots = {d.key: (d.band, d.mark) for c in scene.columns for b in c.boxes for d in b.dots if d.mark}
    assert dots == {new: (E, "new"), interface(2, "203"): (C, "removed")}


def test_a_network_on_two_wires_is_broken_between_the_servers() -> None:
    shown = picture(drawn(apply_edits(built.DESIRED, [Assign(D, 3, "eth1")])))
    broken = [part for part in shown.between if part.is_broken]
    assert [part.text for part in broken] == ["D on server2 does not reach D on server3."]


def test_a_problem_sits_where_it_happens() -> None:
    problems = (
        Problem("x", "warn", "At the dot.", (NetworkRef(A), interface(1, "102"))),
        Problem("y", "warn", "At the socket.", (NetworkRef(A), AdapterKey(2, "eth0"))),
        Problem("z", "refuse", "At the band.", (NetworkRef(E),)),
        Problem("s", "warn", "At the server.", (ServerRef(3),)),
    )
    shown = picture(drawn(problems=problems))
    assert sorted(sign.text for sign in shown.signs) == [
        "At the band.",
        "At the dot.",
        "At the server.",
        "At the socket.",
    ]
    box = next(b for b in shown.boxes if b.box.key.ctid == "102")
    sign = next(s for s in shown.signs if s.text == "At the dot.")
    assert box.frame.x <= sign.x <= box.frame.right


def test_what_was_found_after_applying_is_what_was_desired() -> None:
    seen = observed_state(built.DESIRED, found())
    assert set(seen.members) == set(built.DESIRED.members)
    assert {(a.network, a.server, a.adapter) for a in seen.assignments if a.adapter} == {
        (a.network, a.server, a.adapter) for a in built.DESIRED.assignments if a.adapter
    }


def test_what_was_found_compares_with_what_was_decided() -> None:
    known = found()
    decided = visibility(built.DESIRED, built.DESIRED, known)
    seen = comparable_state(built.DESIRED, known)
    assert set(seen.vlans) == set(built.DESIRED.vlans) and not any(a.bridge for a in seen.assignments)
    assert not visibility(seen, built.DESIRED, known).difference(decided)
    moved = tuple(
        replace(i, bridge="") if i.key in (interface(2, "203"), interface(1, "103")) else i
        for i in known.interfaces
    )
    known = replace(known, interfaces=moved)
    assert len(comparable_state(built.DESIRED, known).members) == len(built.DESIRED.members) - 2
    assert len(comparable_state(built.DESIRED, known, [2]).members) == len(built.DESIRED.members) - 1


def test_a_bridge_of_somebody_else_is_drawn_as_one() -> None:
    known = found()
    moved = tuple(replace(i, bridge="vmbr0") if i.key == interface(2, "203") else i for i in known.interfaces)
    without = apply_edits(built.DESIRED, [RemoveMember(interface(2, "203"))])
    scene = scene_of(without, without, replace(known, interfaces=moved), Kept(ALL), SEEN)
    assert [band.name for band in scene.bands if band.kind == "foreign"] == ["vmbr0"]
    assert any(strip.label.startswith("vmbr0") for strip in picture(scene).strips)


def test_the_neighbourhood_of_a_container_grows_by_steps() -> None:
    start = ContainerKey(2, "202")

    def ctids(hops: int) -> set[str]:
        kept = around(start, hops, built.DESIRED, visible=ALL)
        assert kept.containers is not None
        return {key.ctid for key in kept.containers}

    assert ctids(0) == {"202"}
    assert ctids(1) == {"201", "202"}
    assert ctids(2) == {"201", "202", "102", "103"}
    assert ctids(3) == ctids(2)


def test_the_neighbourhood_never_leaves_what_the_user_may_see() -> None:
    kept = around(NetworkRef(A), 2, built.DESIRED, visible=frozenset({2}))
    assert kept.servers == {2}
    assert kept.containers is not None
    assert {key.server for key in kept.containers} == {2}
    scene = drawn(kept=kept)
    assert scene.band(A).elsewhere == 1  # type: ignore[union-attr]
    assert "server1" not in repr(picture(scene))


def test_a_server_alone_is_drawn_whole() -> None:
    kept = around(ServerRef(2), 0, built.DESIRED, visible=ALL)
    scene = drawn(kept=kept)
    assert [box.key.ctid for box in scene.columns[0].boxes] == ["201", "202", "203", "204", "205"]
