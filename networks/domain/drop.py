"""Taking one edit out of a draft: what cannot stay without it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DescribeNetwork,
    Edit,
    RemoveMember,
)


def needing(edits: Sequence[Edit], dropped: Sequence[Edit]) -> tuple[Edit, ...]:
    """Those of `edits`, in their order, that make no sense once `dropped` are taken out.

    What is put on a network, a VLAN adapter or a container interface that the draft makes goes with it, and a
    move goes whole: an interface does not leave one network because it was to join another.
    """
    gone: dict[Edit, None] = dict.fromkeys(dropped)
    waiting = list(dropped)
    while waiting:
        one = waiting.pop()
        for edit in edits:
            if edit not in gone and _needs(edit, one):
                gone[edit] = None
                waiting.append(edit)
    return tuple(edit for edit in edits if edit in gone and edit not in dropped)


def _needs(edit: Edit, other: Edit) -> bool:
    match other, edit:
        case CreateNetwork(id=id), Assign(network=network) | AddMember(network=network):
            return network == id
        case CreateNetwork(id=id), DescribeNetwork(id=described):
            return described == id
        case CreateVlan(server=server, name=name), Assign(server=where, adapter=adapter):
            return (where, adapter) == (server, name)
        case AddInterface(interface=new), AddMember(interface=key) | AddAddress(interface=key):
            return key == new
        case RemoveMember(interface=left), AddMember(interface=key):
            return key == left
        case AddMember(interface=joined), RemoveMember(interface=key):
            return key == joined
    return False
