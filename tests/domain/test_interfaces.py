"""Errands: containers' own interfaces made, removed and given addresses. What is refused, what is planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from networks.domain.diff import describe
from networks.domain.errands import host_ifname, with_errands
from networks.domain.inventory import Inventory, ServerView
from networks.domain.rules import Problem, review
from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    CreateNetwork,
    Edit,
    InterfaceKey,
    RemoveAddress,
    RemoveInterface,
    RemoveMember,
    apply_edits,
)
from networks.domain.verify import mismatches
from networks.host.grammar import HostPlan
from tests.domain import built, scheme
from tests.domain.built import DESIRED, LOOKS, lines
from tests.domain.scheme import A, C, interface

FOUND = scheme.inventory(LOOKS)
NEW4 = interface(1, "102", "eth1")
NEW7 = interface(3, "301", "eth1")


def said(*edits: Edit, found: Inventory = FOUND) -> dict[str, Problem]:
    """What the rules say about edits of the built scheme, by code; what was wrong before is left out."""
    return {p.code: p for p in review(DESIRED, edits, found) if not p.existing}


def refused(*edits: Edit, found: Inventory = FOUND) -> set[str]:
    return {code for code, p in said(*edits, found=found).items() if p.severity == "refuse"}


def stopped(number: int, ctid: str) -> Inventory:
    return scheme.inventory({**LOOKS, number: built.stopped(LOOKS[number], ctid)})


# --- edits ---


def test_an_errand_and_its_opposite_are_nothing() -> None:
    eth0 = interface(1, "102")
    for there, back in (
        (AddInterface(NEW4), RemoveInterface(NEW4)),
        (AddAddress(eth0, "10.0.0.1/24"), RemoveAddress(eth0, "10.0.0.1/24")),
        (RemoveAddress(eth0, "10.0.0.1/24"), AddAddress(eth0, "10.0.0.1/24")),
    ):
        assert apply_edits(DESIRED, (there, back)) == DESIRED


def test_an_interface_takes_its_drafted_addresses_with_it() -> None:
    edits = (AddInterface(NEW4), AddAddress(NEW4, "10.0.0.1/24"), RemoveInterface(NEW4))
    assert apply_edits(DESIRED, edits) == DESIRED


def test_a_stored_state_has_no_errands() -> None:
    edits = (AddInterface(NEW4), RemoveInterface(interface(1, "103")), AddAddress(NEW4, "10.0.0.1/24"))
    assert apply_edits(DESIRED, edits).without_errands() == DESIRED


def test_they_are_told_in_the_manuals_words() -> None:
    edits = (
        AddInterface(NEW4),
        AddInterface(NEW7, "00:18:51:aa:bb:cc"),
        AddAddress(NEW4, "10.77.0.5/24"),
        RemoveAddress(interface(3, "301"), "10.77.0.31/24"),
        RemoveInterface(interface(1, "103")),
    )
    assert describe(edits, DESIRED, FOUND) == (
        "Add network adapter eth1 to Container 102 (c102) on physical server server1.",
        "Add network adapter eth1 with MAC address 00:18:51:aa:bb:cc to Container 301 (c301) on physical "
        "server server3.",
        "Give eth1 of Container 102 (c102) on physical server server1 the IP address 10.77.0.5/24.",
        "Take the IP address 10.77.0.31/24 from eth0 of Container 301 (c301) on physical server server3.",
        "Remove network adapter eth0 from Container 103 (c103) on physical server server1.",
    )


# --- rules ---


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("eth0", "interface-exists"),
        ("", "interface-name-unfit"),
        ("-x", "interface-name-unfit"),
        ("eth 1", "interface-name-unfit"),
        ("eth1;id", "interface-name-unfit"),
        ("eth1,,,,br0", "interface-name-unfit"),
        ("all", "interface-name-unfit"),
        ("lo", "interface-name-unfit"),
        ("venet0", "interface-name-unfit"),
        ("venet7", "interface-name-unfit"),
        ("sixteen-letters-", "interface-name-unfit"),
        ("é", "interface-name-unfit"),
        ("web", "host-name-taken"),  # no digits: veth102.0, which is eth0's
        ("lan0", "host-name-taken"),
    ],
)
def test_a_new_interface_needs_a_name_of_its_own(name: str, code: str) -> None:
    assert refused(AddInterface(interface(1, "102", name))) == {code}


def test_a_good_name_is_taken() -> None:
    assert refused(AddInterface(NEW4)) == refused(AddInterface(NEW7)) == set()
    assert refused(AddInterface(interface(3, "301", "web"))) == set()  # 7+ names the host side by its MAC


def test_the_name_on_the_server_must_fit_as_well() -> None:
    long = "1234567890"
    facts = replace(LOOKS[1], containers=(scheme.container(long, "4", ()),))
    found = scheme.inventory({**LOOKS, 1: facts})
    problem = said(AddInterface(InterfaceKey(1, long, "eth10")), found=found)["interface-name-unfit"]
    assert "veth1234567890.10" in problem.text


def test_two_new_ones_must_not_want_one_name() -> None:
    assert refused(AddInterface(NEW4), AddInterface(interface(1, "102", "lan1"))) == {"host-name-taken"}
    assert refused(AddInterface(NEW7), AddInterface(NEW7, "00:18:51:aa:bb:cc")) == {"interface-exists"}


@pytest.mark.parametrize("mac", ["01:00:5e:00:00:01", "00:18:51:AA:bb:cc", "00:18:51", "x", "$(id)"])
def test_a_mac_address_is_that_of_one_interface(mac: str) -> None:
    assert refused(AddInterface(NEW4, mac)) == {"mac-unfit"}


def test_the_container_must_be_there() -> None:
    assert refused(AddInterface(interface(1, "999", "eth1"))) == {"container-gone"}
    assert "no-such-server" in refused(AddInterface(interface(9, "102", "eth1")))


def test_nothing_is_done_without_a_vzctl_that_the_panel_speaks() -> None:
    found = scheme.inventory({**LOOKS, 1: replace(LOOKS[1], vzctl_dialect=None)})
    assert refused(AddInterface(NEW4), found=found) == {"no-vzctl"}


def test_windows_servers_are_only_shown() -> None:
    found = replace(FOUND, servers=(*FOUND.servers, ServerView(8, "winnie", os="windows")))
    assert refused(AddInterface(interface(8, "1", "eth1")), found=found) == {"windows-server"}


def test_a_host_routed_interface_is_not_removed() -> None:
    assert refused(RemoveInterface(interface(3, "302", "venet0"))) == {"host-routed-stays"}
    assert refused(RemoveInterface(interface(1, "101", "venet0"))) == {"host-routed-stays"}


def test_what_is_not_there_is_not_removed() -> None:
    assert refused(RemoveInterface(interface(1, "102", "eth5"))) == {"interface-gone"}


def test_a_member_leaves_its_network_first_or_in_the_same_draft() -> None:
    member = interface(1, "102")
    problem = said(RemoveInterface(member))["interface-in-network"]
    assert "Virtual Network A" in problem.text and member in problem.subjects
    assert refused(RemoveMember(member), RemoveInterface(member)) == set()


def test_removing_and_adding_one_interface_are_two_changes() -> None:
    member = interface(1, "102")
    edits = (RemoveMember(member), RemoveInterface(member), AddInterface(member))
    assert refused(*edits) == {"interface-exists"}


def test_a_new_interface_may_be_a_member_at_once() -> None:
    assert refused(AddInterface(NEW4), AddMember(A, NEW4)) == set()
    assert refused(AddMember(A, NEW4)) == {"interface-gone"}


def test_the_other_rules_see_new_interfaces_and_addresses() -> None:
    """A drafted double of an address is found before it is made, and must be ticked."""
    clash = AddAddress(NEW4, "10.77.0.103/24")
    assert "duplicate-ip" in said(AddInterface(NEW4), AddMember(A, NEW4), clash)
    assert "duplicate-ip" in said(AddAddress(interface(1, "102"), "10.77.0.103/24"))
    found = with_errands(FOUND, apply_edits(DESIRED, (AddInterface(NEW4), clash)))
    view = found.interface(NEW4)
    assert view is not None and view.addresses == ("10.77.0.103/24",) and view.host_ifname == "veth102.1"


@pytest.mark.parametrize(
    "address",
    ["10.77.0.5", "10.77.0.5/33", "010.77.0.5/24", "10.77.0.5/255.255.255.0", "224.0.0.1/24", "0.0.0.0/0",
     "127.0.0.1/8", "10.77.0.0/24", "10.77.0.255/24", "FD77::5/64", "fe80::1%eth0/64", "x", "", "1;id/24"],
)  # fmt: skip
def test_an_address_is_one_that_an_interface_can_have(address: str) -> None:
    assert refused(AddAddress(interface(3, "301"), address)) == {"address-unfit"}


@pytest.mark.parametrize("address", ["10.77.0.5/24", "10.77.0.4/31", "192.0.2.1/32", "fd77::5/64"])
def test_a_good_address_is_taken(address: str) -> None:
    assert refused(AddAddress(interface(3, "301"), address)) == set()


def test_addresses_meet_what_is_there() -> None:
    eth0 = interface(3, "301")
    assert refused(AddAddress(eth0, "10.77.0.31/16")) == {"address-there"}
    assert refused(RemoveAddress(eth0, "10.77.0.99/24")) == {"address-not-there"}
    assert refused(AddAddress(interface(3, "301", "eth7"), "10.0.0.1/24")) == {"interface-gone"}
    edits = (RemoveMember(eth0), RemoveInterface(eth0), AddAddress(eth0, "10.0.0.1/24"))
    assert refused(*edits) == {"interface-gone"}


def test_vzctl_4_needs_a_running_guest_for_an_address() -> None:
    edit = AddAddress(interface(1, "102"), "10.77.0.5/24")
    running, halted = said(edit), said(edit, found=stopped(1, "102"))
    assert running["address-may-not-last"].severity == "warn"
    assert halted["address-needs-guest"].severity == "refuse"
    assert "keeps no addresses" in halted["address-needs-guest"].text
    assert "address-may-not-last" not in halted


def test_vzctl_7_keeps_addresses_of_stopped_containers_too() -> None:
    edit = AddAddress(interface(3, "301"), "10.77.0.5/24")
    assert refused(edit, found=stopped(3, "301")) == set()
    assert "address-may-not-last" not in said(edit)


def test_host_routed_addresses_are_vzctls_in_both_dialects() -> None:
    for venet in (
        interface(1, "101", "venet0"),
        interface(3, "302", "venet0"),
        interface(1, "102", "venet0"),
    ):
        assert refused(AddAddress(venet, "10.77.0.150/32")) == set()
        assert "address-may-not-last" not in said(AddAddress(venet, "10.77.0.150/32"))


# --- plans ---


def test_vzctl_4_is_told_the_name_on_the_server() -> None:
    edits = (AddInterface(NEW4), AddMember(A, NEW4), AddAddress(NEW4, "10.77.0.5/24"))
    assert lines(built.change(1, *edits)) == [
        "netif_add 4 102 eth1 - veth102.1 vn-a",
        "ipadd 4 102 eth1 10.77.0.5/24",
    ]


def test_vzctl_7_chooses_it_itself() -> None:
    edits = (CreateNetwork("f", "Fee"), AddInterface(NEW7, "00:18:51:aa:bb:cc"), AddMember("f", NEW7))
    assert lines(built.change(3, *edits)) == [
        "step bridge vn-fee -",
        "netif_add 7 301 eth1 00:18:51:aa:bb:cc - vn-fee",
    ]


def test_an_interface_in_no_network_is_made_without_a_bridge() -> None:
    assert lines(built.change(1, AddInterface(NEW4))) == ["netif_add 4 102 eth1 - veth102.1 -"]


def test_a_removed_interface_leaves_its_bridge_inside_the_transaction() -> None:
    key = interface(2, "203")
    made = built.change(2, RemoveMember(key), RemoveInterface(key))
    assert lines(made) == ["step port veth203.0 -", "netif_del 4 203 eth0"]
    assert built.change(2, RemoveMember(key)).host.saves and not made.host.saves


def test_of_a_container_that_is_not_there_a_note_is_left() -> None:
    made = built.change(1, AddInterface(interface(1, "999", "eth1")))
    assert made.host.errands == () and "999 is not on this server" in made.notes[0]


def test_an_interface_that_is_not_saved_goes_by_itself() -> None:
    facts = built.with_interface(LOOKS[2], "203", lambda i: replace(i, saved=False))
    key = interface(2, "203")
    made = built.change(2, RemoveMember(key), RemoveInterface(key), facts=facts)
    assert made.host.errands == () and any("next restart" in note for note in made.notes)


def test_what_vzctl_makes_after_the_commit_does_not_fail_the_verification() -> None:
    after = built.named(apply_edits(DESIRED, (AddInterface(NEW4), AddMember(C, NEW4))), FOUND)
    view = FOUND.server(1)
    assert view is not None
    assert {m.property for m in mismatches(view, after, LOOKS[1]) if m.subject == NEW4} == {
        "saved configuration"
    }


def test_a_plan_with_errands_reads_back() -> None:
    made = built.change(1, AddInterface(NEW4), AddMember(A, NEW4), AddAddress(NEW4, "fd77::5/64"))
    assert isinstance(made.host, HostPlan) and made.host.render().endswith("end\n") and not made.is_empty


@pytest.mark.parametrize(
    ("ctid", "ifname", "host"),
    [("101", "eth0", "veth101.0"), ("101", "eth10", "veth101.10"), ("7", "web", "veth7.0")],
)
def test_vzctl_4_names_host_sides_by_digits(ctid: str, ifname: str, host: str) -> None:
    assert host_ifname("4", ctid, ifname) == host
    assert host_ifname("7", ctid, ifname) == host_ifname(None, ctid, ifname) == ""
