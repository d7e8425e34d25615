"""One member has only IPv4 addresses and another only IPv6 ones: warned of, and said to be the reason."""

from __future__ import annotations

from dataclasses import replace

from networks.domain.inventory import ContainerKey, Inventory, NetworkRef, ServerRef
from networks.domain.rules import Problem, problems_of
from networks.domain.state import AddAddress
from networks.domain.visibility import OtherHosts, Visibility, visibility
from tests.domain import built, scheme
from tests.domain.scheme import A, C, interface

FOUND = scheme.inventory(built.LOOKS)
C102, C103, C203, C204 = (ContainerKey(int(ctid[0]), ctid) for ctid in ("102", "103", "203", "204"))


def with_addresses(
    *addresses: str, ctid: str = "204", found: Inventory = FOUND, known: bool = True
) -> Inventory:
    key = interface(int(ctid[0]), ctid)
    return replace(
        found,
        interfaces=tuple(
            replace(i, addresses=addresses, addresses_known=known) if i.key == key else i
            for i in found.interfaces
        ),
    )


def sight(found: Inventory) -> Visibility:
    return visibility(built.DESIRED, built.DESIRED, found)


def warned(found: Inventory) -> list[Problem]:
    return [p for p in problems_of(built.DESIRED, found) if p.code.startswith("subnets-differ")]


SIX = with_addresses("fd77::204/64")
"""203 of C has 10.77.0.203/24."""


def test_explain_names_which_version_each_has() -> None:
    verdict = sight(SIX).reaches(C203, C204)
    assert verdict.answer == "no"
    assert verdict.text == (
        "Container 203 (c203) does not reach Container 204 (c204): Container 203 (c203) on physical server "
        "server2 has only IPv4 addresses and Container 204 (c204) on physical server server2 only IPv6 ones, "
        "so they have no IP version in common."
    )
    assert verdict.broken is not None
    assert [(e.server, e.ctid, e.command, e.shows) for e in verdict.broken.evidence] == [
        (2, "203", "ip addr", "10.77.0.203/24"),
        (2, "204", "ip addr", "fd77::204/64"),
    ]
    back = sight(SIX).reaches(C204, C203)
    assert "server2 has only IPv6 addresses and Container 203 (c203) on" in back.text


def test_an_interface_that_is_asked_about_is_named_itself() -> None:
    verdict = sight(SIX).reaches(C203, interface(2, "204"))
    assert "and eth0 of Container 204 (c204) on physical server server2 only IPv6 ones" in verdict.text


def test_a_server_that_has_no_version_in_common_is_named_as_well() -> None:
    six = with_addresses("fd77::103/64", ctid="103")
    four = replace(
        six,
        bridge_views=tuple(
            replace(b, addresses=tuple(a for a in b.addresses if ":" not in a)) if b.server == 1 else b
            for b in six.bridge_views
        ),
    )
    text = sight(four).reaches(ServerRef(1), C103).text
    assert "Physical server server1 has only IPv4 addresses and Container 103" in text


def test_other_hosts_have_every_version() -> None:
    six = sight(with_addresses("fd77::103/64", ctid="103"))
    assert six.answer(C103, OtherHosts(scheme.SEGMENT)) == "yes"


def test_one_version_in_common_is_enough() -> None:
    both = with_addresses("10.77.0.204/24", "fd77::204/64")
    assert sight(both).answer(C203, C204) == "yes"
    assert sight(with_addresses("fd77::203/64", ctid="203", found=both)).answer(C203, C204) == "yes"
    assert not warned(both)


def test_addresses_that_are_not_all_known_make_unknown_and_never_no() -> None:
    """102 with a second interface whose addresses nobody could read: they may be IPv6 as well."""
    (view,) = (i for i in FOUND.interfaces if i.key == interface(1, "102"))
    second = replace(view, key=interface(1, "102", "eth1"), addresses=(), addresses_known=False, bridge="")
    found = with_addresses("fd77::103/64", ctid="103")
    blind = replace(found, interfaces=(*found.interfaces, second))
    verdict = sight(blind).reaches(C102, C103)
    assert verdict.answer == "unknown"
    assert "The IP address of Container 102 (c102) on physical server server1 is not known." in str(
        verdict.broken
    )


def test_who_has_only_ipv6_is_offered_an_ipv4_address() -> None:
    seen = sight(SIX)
    for a, b in ((C203, C204), (C204, C203)):
        fix = seen.reaches(a, b).fixes[0]
        (edit,) = fix.edits
        assert isinstance(edit, AddAddress) and edit.interface == interface(2, "204")
        assert seen.with_edits(fix.edits).answer(a, b) == "yes"


def test_it_warns_of_members_without_a_version_in_common() -> None:
    (problem,) = warned(SIX)
    assert (problem.code, problem.severity) == ("subnets-differ", "warn")
    assert problem.text == (
        "Members of Virtual Network C have no IP version in common (only IPv4: eth0 of Container 203 (c203); "
        "only IPv6: eth0 of Container 204 (c204)) and cannot talk to each other directly."
    )
    assert problem.subjects == (NetworkRef(C), interface(2, "203"), interface(2, "204"))


def test_it_warns_though_a_third_member_has_both_versions() -> None:
    both = with_addresses("10.77.0.103/24", "fd77::103/64", ctid="103")
    (problem,) = warned(with_addresses("fd77::102/64", ctid="102", found=both))
    assert problem.subjects == (NetworkRef(A), interface(1, "102"), interface(2, "201"))


def test_it_does_not_warn_of_addresses_that_are_not_known() -> None:
    assert not warned(with_addresses("fd77::204/64", known=False))
    assert not warned(with_addresses("fe80::204/64"))
