"""A VLAN adapter on a bridge of others has no network adapter as its base: its segment is what people say."""

from __future__ import annotations

from dataclasses import replace

from networks.domain.inventory import AdapterView, ContainerKey, Inventory
from networks.domain.rules import problems_of
from networks.domain.state import Assign, apply_edits
from networks.domain.visibility import visibility
from tests.domain import built, scheme
from tests.domain.scheme import D

FOUND = scheme.inventory(built.LOOKS)
STATE = apply_edits(built.DESIRED, (Assign(D, 3, "br0.100"),))


def known(segment: int | None) -> Inventory:
    """br0.100 on server 3 as rows have it, which know bases that are adapters only."""
    name = scheme.SEGMENT_NAME if segment else ""
    vlan = AdapterView(
        3, "br0.100", "vlan", vid=100, segment=segment, segment_name=name, up=True, carrier=True
    )
    return replace(FOUND, adapters=(*(a for a in FOUND.adapters if (a.server, a.kind) != (3, "vlan")), vlan))


def test_where_it_leads_is_unknown_until_somebody_says_it() -> None:
    sight = visibility(STATE, STATE, known(None))
    assert sight.answer(ContainerKey(2, "205"), ContainerKey(3, "301")) == "unknown"
    assert "segment-unknown" in {p.code for p in problems_of(STATE, known(None))}


def test_what_people_say_is_its_wire() -> None:
    said = known(scheme.SEGMENT)
    sight = visibility(STATE, STATE, said)
    assert sight.answer(ContainerKey(2, "205"), ContainerKey(3, "301")) == "yes"
    assert "segment-unknown" not in {p.code for p in problems_of(STATE, said)}
