"""A new warning is not taken for another one about the same things that was there already."""

from __future__ import annotations

from dataclasses import replace

from networks.domain.rules import problems_of, review, unreviewed
from networks.domain.state import AddAddress
from tests.domain import built, scheme
from tests.domain.scheme import interface

ONE, OTHER = interface(1, "102"), interface(1, "103")
SHARED = "10.77.0.9/24"
FOUND = scheme.inventory(built.LOOKS)
DOUBLE = replace(
    FOUND,
    interfaces=tuple(
        replace(view, addresses=(SHARED,)) if view.key in (ONE, OTHER) else view for view in FOUND.interfaces
    ),
)
"""Two containers with one address of IPv4."""
SECOND = tuple(AddAddress(key, "fd77::9/64") for key in (ONE, OTHER))
"""A draft that gives both the same one of IPv6 as well."""


def test_a_second_address_that_a_draft_doubles_is_to_be_ticked() -> None:
    found = [p for p in review(built.DESIRED, SECOND, DOUBLE) if p.code == "duplicate-ip"]
    assert {"fd77::9" in p.text: p.existing for p in found} == {True: False, False: True}


def test_a_second_address_was_not_reviewed_with_the_first() -> None:
    first = problems_of(built.DESIRED, DOUBLE)
    second = review(built.DESIRED, SECOND, FOUND)
    assert ["fd77::9" in p.text for p in unreviewed(second, first) if p.code == "duplicate-ip"] == [True]
