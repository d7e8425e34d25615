"""What the model knows beyond the manual's scheme: what does not run, what is not known, what is not ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.inventory import (
    AdapterView,
    BridgeView,
    ContainerKey,
    Inventory,
    RouteView,
    RoutingView,
    ServerRef,
)
from networks.domain.state import (
    AdapterKey,
    AddAddress,
    AddInterface,
    AddMember,
    Assign,
    CreateVlan,
    DeleteVlan,
    Desired,
    RemoveAddress,
    RemoveMember,
    Unassign,
    apply_edits,
)
from networks.domain.visibility import HostKey, OtherHosts, Visibility, observed, visibility
from tests.domain import built, scheme
from tests.domain.scheme import A, D, interface

OTHER = OtherHosts(scheme.SEGMENT)
FOUND = scheme.inventory(built.LOOKS)


def ct(ctid: str) -> ContainerKey:
    return ContainerKey(int(ctid[0]), ctid)


def sight(found: Inventory = FOUND, desired: Desired = built.DESIRED) -> Visibility:
    return visibility(desired, desired, found)


def with_adapter(key: AdapterKey, **fields: object) -> Inventory:
    return replace(FOUND, adapters=tuple(replace(a, **fields) if a.key == key else a for a in FOUND.adapters))


def with_container(key: ContainerKey, found: Inventory = FOUND, **fields: object) -> Inventory:
    return replace(
        found, containers=tuple(replace(c, **fields) if c.key == key else c for c in found.containers)
    )


def with_interface(ctid: str, ifname: str = "eth0", found: Inventory = FOUND, **fields: object) -> Inventory:
    key = interface(int(ctid[0]), ctid, ifname)
    return replace(
        found, interfaces=tuple(replace(i, **fields) if i.key == key else i for i in found.interfaces)
    )


def shown(seen: Visibility, a: HostKey, b: HostKey) -> list[tuple[int, str, str, str]]:
    """What shows that the first hop does not hold: server, container, command, what the last look found."""
    broken = seen.reaches(a, b).broken
    assert broken is not None
    return [(e.server, e.ctid, e.command, e.shows) for e in broken.evidence]


def with_routing(server: int, **fields: object) -> Inventory:
    return replace(
        FOUND,
        servers=tuple(
            replace(s, routing=replace(s.routing, **fields)) if s.id == server and s.routing else s
            for s in FOUND.servers
        ),
    )


def test_networks_on_other_wires_are_shown_by_their_adapters_and_vlan_ids() -> None:
    tagged = (2, "", "ip -d link show dev eth0.100", "eth0.100: master vn-d, vlan id 100")
    # Of the wire of other hosts, the adapter of the same server is shown.
    untagged = (2, "", "ip -d link show dev eth0", "eth0: master vn-a, no vlan id")
    assert shown(sight(), ct("205"), OTHER) == [tagged, untagged]
    assert shown(sight(), OTHER, ct("205")) == [untagged, tagged]
    moved = sight().with_edits([CreateVlan(3, "eth0.200", "eth0", 200), Assign(D, 3, "eth0.200")])
    assert shown(moved, ct("205"), ct("301")) == [
        tagged,
        (3, "", "ip -d link show dev eth0.200", "eth0.200 is not there yet"),
    ]


def test_an_address_that_two_machines_have_is_shown_at_both() -> None:
    twice = sight(with_interface("103", addresses=("10.77.0.201/24",)))
    command, shows = "ip addr show to 10.77.0.201", "inet 10.77.0.201/24"
    assert shown(twice, ct("102"), ct("201")) == [(1, "103", command, shows), (2, "201", command, shows)]


def test_who_does_not_forward_or_does_not_answer_is_shown() -> None:
    quiet = sight(with_routing(1, forwards=frozenset()))
    for a, b in ((ct("101"), ct("102")), (ct("102"), ct("101"))):
        assert shown(quiet, a, b) == [(1, "", "cat /proc/sys/net/ipv4/ip_forward", "0")]
    silent = sight(with_routing(1, proxies=()))
    assert shown(silent, ct("201"), ct("101")) == [
        (2, "201", "ip route", "only its own subnets"),
        (1, "", "vzlist -a -o ctid,ip 101", "10.77.0.101"),
        (1, "", "ip neigh show proxy", "nothing for 10.77.0.101"),
    ]


def test_a_router_that_is_not_there_is_what_nobody_answers_for() -> None:
    lost = RoutingView(frozenset(), (RouteView("default", "10.77.0.99", "eth0"),))
    other = with_interface("204", addresses=("10.88.0.4/24",))
    seen = sight(with_container(ct("203"), other, routing=lost))
    verdict = seen.reaches(ct("203"), ct("204"))
    assert verdict.answer == "no" and "nobody answers for 10.77.0.99" in verdict.text
    assert shown(seen, ct("203"), ct("204")) == [(2, "203", "ip route", "default via 10.77.0.99 dev eth0")]


def test_who_is_on_no_layer_2_network_is_shown_what_it_has_instead() -> None:
    verdict = sight().shares_layer2(ct("101"), ct("102"))
    assert verdict.broken is not None and verdict.broken.evidence[0].shows == "10.77.0.101"
    bare = sight(with_container(ct("101"), host_routed=()))
    assert shown(bare, ct("101"), ct("102")) == [(1, "", "vzlist -a -o ctid,ip 101", "-")]


def test_202_depends_on_201() -> None:
    stopped = sight(with_container(ct("201"), status="stopped"))
    verdict = stopped.reaches(ct("202"), OTHER)
    assert verdict.answer == "no"
    assert verdict.broken is not None
    assert (
        verdict.broken.text
        == "Container 201 (c201) on physical server server2, which bridges its interfaces, is stopped."
    )
    assert ("On the server: vzctl start 201",) in [fix.steps for fix in verdict.fixes]
    assert stopped.reaches(ct("202"), ct("201")).text.endswith("is stopped.")
    lost = sight().difference(stopped).lost
    assert any(ct("202") in s.first.members and OTHER in s.second.members for s in lost)


@pytest.mark.parametrize("state", [{"up": False}, {"carrier": False}])
def test_an_adapter_that_is_down_cuts_its_server_off(state: dict[str, bool]) -> None:
    down = sight(with_adapter(AdapterKey(1, "eth0"), **state))
    verdict = down.reaches(ct("102"), ct("201"))
    assert verdict.answer == "no" and verdict.broken is not None
    assert verdict.broken.subject == AdapterKey(1, "eth0")
    assert verdict.fixes[0].text == "Bring eth0 of physical server server1 up"
    assert down.answer(ct("102"), ct("103")) == "yes"
    assert down.answer(ct("102"), ServerRef(1)) == "yes"


def test_a_vlan_adapter_is_down_with_its_base() -> None:
    assert sight(with_adapter(AdapterKey(3, "eth0"), carrier=False)).answer(ct("205"), ct("301")) == "no"


def test_an_adapter_that_a_draft_assigns_is_switched_on_by_it() -> None:
    found = scheme.inventory(built.fresh_looks())
    down = replace(
        found,
        adapters=tuple(
            replace(a, up=False) if a.key == AdapterKey(3, "eth0.100") else a for a in found.adapters
        ),
    )
    assert visibility(scheme.DESIRED, Desired(), down).answer(ct("205"), ct("301")) == "yes"


def test_an_unknown_segment_makes_unknown_and_never_no() -> None:
    unknown = sight(with_adapter(AdapterKey(1, "eth0"), segment=None, segment_name=""))
    verdict = unknown.reaches(ct("102"), ct("201"))
    assert verdict.answer == "unknown"
    assert verdict.fixes[0].text == "Say on which physical segment eth0 of physical server server1 is"
    assert unknown.shares_layer2(ct("102"), ct("201")).answer == "unknown"
    # What has no wire at all is certain, and so is another VLAN id.
    assert unknown.answer(ct("102"), ct("203")) == "no"
    assert unknown.answer(ct("102"), ct("205")) == "no"


def test_different_segments_are_a_no() -> None:
    split = sight(with_adapter(AdapterKey(1, "eth0"), segment=7, segment_name="lab"))
    verdict = split.reaches(ct("102"), ct("201"))
    assert verdict.answer == "no" and "isolated within “lab”, untagged" in verdict.text


def test_an_unknown_address_makes_unknown_where_something_joins_the_two() -> None:
    blind = sight(with_interface("103", addresses_known=False, addresses=()))
    assert blind.answer(ct("102"), ct("103")) == "unknown"
    assert blind.layer2_answer(ct("102"), ct("103")) == "yes"
    assert blind.answer(ct("203"), ct("103")) == "no"


def test_a_container_without_an_address_is_silent_and_told_so() -> None:
    verdict = sight(with_interface("103", addresses=())).reaches(ct("102"), ct("103"))
    assert verdict.answer == "no" and "has no IP address" in verdict.text


def test_subnets_that_do_not_match_are_a_no_on_one_wire() -> None:
    other = sight(with_interface("103", addresses=("192.168.7.3/24",)))
    assert other.layer2_answer(ct("102"), ct("103")) == "yes"
    assert other.answer(ct("103"), ct("102")) == "no"
    fix = other.reaches(ct("103"), ct("102")).fixes[0]
    assert "compatible" in fix.steps[0]
    assert fix.text == "Give eth0 of Container 103 (c103) the address 10.77.0.3/24"
    assert other.with_edits(fix.edits).answer(ct("103"), ct("102")) == "yes"


def test_an_address_is_proposed_that_nobody_has_and_no_router_is_at() -> None:
    """Of a subnet of eight, six are hosts': two are the ends that routers mostly have, three are known."""

    def proposed(found: Inventory) -> list[str]:
        fixes = sight(found).reaches(ct("103"), ct("102")).fixes
        return [edit.address for fix in fixes for edit in fix.edits if isinstance(edit, AddAddress)]

    small = with_interface("103", addresses=("192.168.7.3/24",))
    small = with_interface("102", found=small, addresses=("10.9.0.2/29",))
    assert proposed(small)[0] == "10.9.0.3/29"
    # A stopped container somewhere else, a router that a server names, and what a server answers for.
    small = with_interface("204", found=small, addresses=("10.9.0.5/29",), container_status="stopped")
    small = with_routes(2, small, RouteView("10.0.0.0/8", "10.9.0.3", "eth0"))
    assert proposed(small)[0] == "10.9.0.4/29"
    assert proposed(with_container(ct("204"), small, host_routed=("10.9.0.4",)))[0] == "10.77.0.3/32"


def test_no_address_is_given_where_the_panel_cannot_set_one() -> None:
    """A bridge inside has the addresses of 201; of server 1 it is not known how vzctl there is spoken to."""
    other = sight(with_interface("202", addresses=("192.168.7.3/24",)))
    joined = [fix for fix in other.reaches(ct("201"), ct("202")).fixes if not fix.edits]
    assert joined[0].text == "Give Container 201 (c201) an address of 192.168.7.0/24"
    mute = with_interface("103", addresses=("192.168.7.3/24",))
    mute = replace(mute, servers=tuple(replace(s, dialect=None) for s in mute.servers))
    fixes = sight(mute).reaches(ct("103"), ct("102")).fixes
    assert fixes and all(not fix.edits for fix in fixes)


def test_one_address_twice_is_unknown_for_whoever_asks_for_it() -> None:
    twice = sight(with_interface("103", addresses=("10.77.0.201/24",)))
    verdict = twice.reaches(ct("102"), ct("201"))
    assert verdict.answer == "unknown" and "More than one machine answers" in str(verdict.broken)
    assert "its own IP address" in verdict.fixes[0].text


def with_routes(server: int, found: Inventory, *routes: RouteView) -> Inventory:
    """The server with routes before its own."""
    return replace(
        found,
        servers=tuple(
            replace(s, routing=replace(s.routing, routes=(*routes, *s.routing.routes)))
            if s.id == server and s.routing
            else s
            for s in found.servers
        ),
    )


def test_a_container_routes_for_its_neighbour_where_routes_and_forwarding_were_seen() -> None:
    """303 gets out through 302 once 302 forwards, 303 uses it and the way back was seen: all three."""
    out, home = RouteView("default", "", "venet0"), RouteView("10.77.5.0/24", "10.77.0.32", "venet0")
    forwards = with_container(ct("302"), routing=RoutingView(frozenset({4}), (out,)))
    uses = with_container(
        ct("303"), forwards, routing=RoutingView(frozenset(), (RouteView("default", "10.77.5.32", "eth0"),))
    )
    assert sight(with_routes(3, forwards, home)).answer(ct("303"), ServerRef(3)) == "no"
    # Without a way back that was seen, the answer goes to the servers' own router, which nobody knows.
    assert sight(uses).answer(ct("303"), ServerRef(3)) == "unknown"
    verdict = sight(with_routes(3, uses, home)).reaches(ct("303"), ServerRef(3))
    assert verdict.answer == "yes" and "Container 302" in verdict.text


def test_a_server_that_does_not_forward_keeps_its_host_routed_containers_in() -> None:
    quiet = replace(
        FOUND,
        servers=tuple(
            replace(s, routing=replace(s.routing, forwards=frozenset())) if s.id == 1 and s.routing else s
            for s in FOUND.servers
        ),
    )
    assert sight(quiet).answer(ct("101"), ServerRef(1)) == "yes"
    assert sight(quiet).answer(ct("102"), ct("101")) == "no"


def test_a_host_routed_address_that_its_server_does_not_answer_for_is_not_seen() -> None:
    silent = replace(
        FOUND,
        servers=tuple(
            replace(s, routing=replace(s.routing, proxies=())) if s.id == 1 and s.routing else s
            for s in FOUND.servers
        ),
    )
    verdict = sight(silent).reaches(ct("201"), ct("101"))
    assert verdict.answer == "no" and "Nobody answers for 10.77.0.101" in str(verdict.broken)


def test_the_panels_local_bridges_hide_the_server_and_a_plain_one_does_not() -> None:
    assert sight().layer2_answer(ct("203"), ServerRef(2)) == "no"
    link = "veth203.0"
    plain = replace(
        with_interface("203", bridge="br7", host_ifname=link),
        bridge_views=(*FOUND.bridge_views, BridgeView(2, "br7", (), (), answers=True)),
    )
    without = apply_edits(built.DESIRED, (RemoveMember(interface(2, "203")),))
    seen = visibility(without, without, plain)
    assert seen.layer2_answer(ct("203"), ServerRef(2)) == "yes"
    # The server answers ARP, but sends what it has to say by its own route: no ping comes back.
    assert seen.answer(ct("203"), ServerRef(2)) != "yes"


def test_foreign_ports_and_bridges_are_counted_and_named() -> None:
    found = replace(
        with_interface("203", bridge="virbr0"),
        bridge_views=(*FOUND.bridge_views, BridgeView(2, "virbr0", (), ("tap0", "tap1"))),
    )
    without = apply_edits(built.DESIRED, (RemoveMember(interface(2, "203")),))
    component = visibility(without, without, found).component_of(interface(2, "203"))
    assert component is not None and component.foreign_ports == 2
    assert component.name == "Bridge virbr0 of physical server server2"


def test_an_interface_in_no_network_is_offered_the_networks_that_reach() -> None:
    without = apply_edits(built.DESIRED, (RemoveMember(interface(1, "103")),))
    verdict = visibility(without, built.DESIRED, FOUND).reaches(ct("103"), ct("102"))
    assert "is in no Virtual Network" in verdict.text
    assert (AddMember(scheme.A, interface(1, "103")),) in [fix.edits for fix in verdict.fixes]


def test_an_interface_alone_may_see_less_than_its_container() -> None:
    assert sight().answer(ct("302"), OTHER) == "yes"
    assert sight().answer(interface(3, "302", "eth0"), OTHER) == "no"
    assert sight().answer(interface(3, "302", "eth0"), ct("303")) == "yes"


def test_a_reader_is_told_nothing_of_what_she_may_not_see() -> None:
    hidden = sight(replace(FOUND, hidden=frozenset({3})))
    verdict = hidden.reaches(ct("205"), ct("301"))
    texts = [verdict.text, *(hop.text for hop in verdict.hops), *(c.name for c in hidden.components())]
    assert not any("server3" in text or "301" in text for text in texts)


def test_a_draft_that_moves_the_servers_address_keeps_it_on_the_wire() -> None:
    free = apply_edits(built.DESIRED, (Assign(scheme.A, 1, "eth1"),))
    moved = visibility(free, built.DESIRED, FOUND)
    assert moved.answer(ServerRef(1), ServerRef(2)) == "yes"
    gone = apply_edits(built.DESIRED, (Assign(scheme.A, 1, None),))
    assert visibility(gone, built.DESIRED, FOUND).answer(ServerRef(1), ServerRef(2)) == "yes"
    assert visibility(gone, built.DESIRED, FOUND).answer(ServerRef(1), ct("102")) == "no"


def test_what_was_observed_is_named_by_the_networks_whose_bridges_they_are() -> None:
    names = {component.name for component in observed(FOUND, built.DESIRED).components()}
    assert "Virtual Network C" in names
    host: HostKey = ct("203")
    assert "Virtual Network C" in observed(FOUND, built.DESIRED).reaches(host, OTHER).text


def test_a_drafted_interface_is_seen_with_the_address_that_it_will_have() -> None:
    new = interface(2, "203", "eth1")
    # A subnet of its own: 203 has one of 10.77.0.0/24 in C already, which its kernel would take.
    addresses = (AddAddress(new, "10.88.0.203/24"), AddAddress(interface(1, "102"), "10.88.0.102/24"))
    edits = (AddInterface(new), AddMember(scheme.A, new), *addresses)
    before = sight()
    after = visibility(apply_edits(built.DESIRED, edits), built.DESIRED, FOUND)
    assert (before.answer(ct("203"), ct("102")), after.answer(ct("203"), ct("102"))) == ("no", "yes")


def test_a_drafted_host_routed_address_is_routed_and_answered_for() -> None:
    address = AddAddress(interface(3, "303", "venet0"), "10.77.0.33/32")
    after = sight().with_edits([address])
    assert sight().answer(ct("303"), OTHER) == "no"
    for other in (OTHER, ct("102"), ServerRef(3)):
        assert after.answer(ct("303"), other) == after.answer(other, ct("303")) == "yes"
    text = after.reaches(ct("303"), OTHER).text
    assert "Container 303 (c303) has a host-routed interface" in text


def test_a_stopped_container_is_not_answered_for_whatever_addresses_are_drafted() -> None:
    address = AddAddress(interface(3, "303", "venet0"), "10.77.0.33/32")
    after = sight(with_container(ct("303"), status="stopped")).with_edits([address])
    server = after.world.scene.inventory.server(3)
    assert server is not None and server.routing is not None
    assert ("10.77.0.33", "") not in server.routing.proxies
    assert after.answer(OTHER, ct("303")) == "no"


def test_a_host_routed_address_that_a_draft_takes_away_is_not_answered_for_any_more() -> None:
    after = sight().with_edits([RemoveAddress(interface(1, "101", "venet0"), "10.77.0.101/32")])
    assert sight().answer(ct("102"), ct("101")) == "yes"
    assert after.answer(ct("102"), ct("101")) == after.answer(ct("101"), OTHER) == "no"


def test_an_interface_that_is_switched_off_inside_hears_nobody() -> None:
    """Seed 101: a second interface in a network, which nobody had switched on in the guest."""
    off = sight(with_container(ct("103"), off=("eth0",)))
    assert off.layer2_answer(ct("102"), ct("103")) == off.answer(ct("103"), ct("102")) == "no"
    verdict = off.reaches(ct("103"), OTHER)
    assert verdict.broken is not None
    assert verdict.broken.text == (
        "eth0 of Container 103 (c103) on physical server server1 is switched off inside the Container."
    )
    assert verdict.broken.evidence[0].ctid == "103"
    assert next(fix.text for fix in verdict.fixes) == (
        "Switch eth0 of Container 103 (c103) on physical server server1 on"
    )


def test_a_bridge_inside_ends_at_an_interface_that_is_switched_off() -> None:
    off = sight(with_container(ct("201"), off=("eth1",)))
    assert off.answer(ct("201"), OTHER) == "yes"
    assert off.answer(ct("202"), OTHER) == off.answer(ct("202"), ct("201")) == "no"


def test_a_server_with_one_hardware_address_on_two_joined_bridges_is_not_known_to_hear() -> None:
    """Seed 104: 201 joins A on eth0, which has the server's address, and D on its VLAN adapter."""
    edits = (
        RemoveMember(interface(2, "201", "eth1")),
        AddMember(D, interface(2, "201", "eth1")),
    )
    joined = sight(desired=apply_edits(built.DESIRED, edits))
    assert joined.answer(ct("205"), ct("102")) == "yes"
    for other in (ct("205"), ct("301")):
        assert joined.answer(ServerRef(2), other) == joined.answer(other, ServerRef(2)) == "unknown"
        assert joined.layer2_answer(ServerRef(2), other) == "unknown"
    verdict = joined.shares_layer2(ServerRef(2), ct("205"))
    assert verdict.answer == "unknown" and "one hardware address in two segments" in verdict.text
    # 201 stands on both; server 1 has no bridge inside.
    assert joined.answer(ct("201"), ServerRef(2)) == joined.answer(ct("205"), ServerRef(1)) == "yes"


def test_a_container_behind_a_bridge_that_takes_its_own_echo_is_not_known_to_hear_answers() -> None:
    """Seed 133: 201 joins VLAN 100 to the LAN, and server 3's br0, not ours, has no VLAN adapter for it."""
    edits = (
        RemoveMember(interface(2, "201", "eth1")),
        AddMember(D, interface(2, "201", "eth1")),
        RemoveMember(interface(3, "303")),
        AddMember(A, interface(3, "303")),
        Assign(A, 3, "eth0"),
    )
    joined = sight(desired=apply_edits(built.DESIRED, edits))
    assert joined.layer2_answer(ct("303"), ct("205")) == "yes", "VLAN 100 has an adapter on server 3"
    without = apply_edits(built.DESIRED, (*edits, Unassign(D, 3), DeleteVlan(3, "eth0.100")))
    joined = visibility(without, without, with_adapter(AdapterKey(3, "eth0.100"), gone=True))
    assert joined.layer2_answer(ct("303"), ct("205")) == "unknown"
    assert "comes back to" in joined.shares_layer2(ct("303"), ct("205")).text
    # The draft that takes the adapter away, or makes it, says so already.
    decided = apply_edits(built.DESIRED, edits)
    assert visibility(without, decided, FOUND).layer2_answer(ct("303"), ct("205")) == "unknown"
    made = apply_edits(without, (CreateVlan(3, "eth0.100", "eth0", 100),))
    drafted = visibility(made, without, with_adapter(AdapterKey(3, "eth0.100"), gone=True))
    assert drafted.layer2_answer(ct("303"), ct("205")) == "yes"
    # Whoever asks 303 has just been heard from; and the bridge of server 1 is ours, and filters tags.
    assert joined.layer2_answer(ct("205"), ct("303")) == joined.layer2_answer(ct("102"), ct("205")) == "yes"


def test_a_server_listens_on_an_adapter_that_is_in_no_bridge() -> None:
    """Seed 109: a VLAN adapter of server 1 that no network is assigned to."""
    vlan = AdapterView(1, "eth0.100", "vlan", base="eth0", vid=100, up=True, carrier=True)
    desired = apply_edits(built.DESIRED, (CreateVlan(1, "eth0.100", "eth0", 100),))
    heard = sight(replace(FOUND, adapters=(*FOUND.adapters, vlan)), desired)
    assert (
        heard.layer2_answer(ct("205"), ServerRef(1)) == heard.layer2_answer(ServerRef(1), ct("301")) == "yes"
    )
    assert heard.answer(ct("205"), ServerRef(1)) == heard.answer(ServerRef(1), ct("205")) == "no"
    assert heard.answer(ct("205"), ct("102")) == "no"
    down = sight(replace(FOUND, adapters=(*FOUND.adapters, replace(vlan, up=False))), desired)
    assert down.layer2_answer(ct("205"), ServerRef(1)) == "no"


@pytest.mark.parametrize("name", ["a", "z"])
def test_a_server_speaks_from_where_it_has_an_address(name: str) -> None:
    """Its eth1 is on the same segment as br0, which has its address, in a bridge that has none."""
    adapters = with_adapter(AdapterKey(3, "eth1"), bridge=name).adapters
    views = sorted((*FOUND.bridge_views, BridgeView(3, name, answers=True)), key=lambda view: view.name)
    host = sight(replace(FOUND, adapters=adapters, bridge_views=tuple(views))).host(ServerRef(3))
    assert host is not None
    assert [port.links[0] for port in host.ports if port.segment == host.ports[0].segment] == ["br0", name]


def test_it_will_listen_on_one_that_the_draft_makes() -> None:
    made = apply_edits(built.DESIRED, (CreateVlan(1, "eth0.100", "eth0", 100),))
    heard = visibility(made, built.DESIRED, FOUND)
    assert sight().layer2_answer(ct("205"), ServerRef(1)) == "no"
    assert heard.layer2_answer(ct("205"), ServerRef(1)) == "yes"
    down = visibility(made, built.DESIRED, with_adapter(AdapterKey(1, "eth0"), carrier=False))
    assert down.layer2_answer(ct("205"), ServerRef(1)) == "no"
    # As soon as a network has it, that answers nothing: isolation is made.
    used = apply_edits(made, (Assign(A, 1, "eth0.100"),))
    assert visibility(used, built.DESIRED, FOUND).layer2_answer(ct("205"), ServerRef(1)) == "no"
