"""The rules on top of the newest desired: in forms, at the review, and once more when it is stored."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import islice

from django.contrib.auth.models import User
from django.db.models import Min, Q

from networks.domain.intent import Intent
from networks.domain.inventory import Inventory, NetworkRef
from networks.domain.rules import Problem, review, unreviewed
from networks.domain.rules import problems_of as rules_of
from networks.domain.state import (
    AdapterKey,
    AddMember,
    Assign,
    CreateNetwork,
    CreateVlan,
    DeleteNetwork,
    DeleteVlan,
    DescribeNetwork,
    Desired,
    Edit,
    RemoveMember,
    Unassign,
    apply_edits,
)
from networks.intents import breached_by, servers_meant, stored
from networks.inventory_rows import inventory, servers_named
from networks.models import Assignment
from networks.services.drafts import check_allowed
from networks.slices import Drafted, of_area
from nodes.models import Adapter
from nodes.querysets import AnyUser, named_on

AT_ONCE = frozenset(
    {
        "host-routed",
        "interface-gone",
        "interface-taken",
        "adapter-taken",
        "adapter-gone",
        "bridge-shared",
        "bond-slave",
        "bond-mode",
        "windows-server",
        "no-such-server",
        "vlan-id-range",
        "vlan-id-taken",
        "vlan-name-unfit",
        "vlan-name-taken",
        "vlan-on-vlan",
        "vlan-on-slave",
        "vlan-base-gone",
    }
)
"""Codes of refusals that one field of a form decides, whatever else the draft still lacks."""
Wire = tuple[int, int | None]
"""A physical segment and a VLAN id, or none for untagged."""
UNKNOWN: Wire = (0, None)
MOST_NEIGHBOURS = 20
"""So many other networks on its wires are looked at for one network: a warning names five."""


def problems(
    newest: Desired,
    edits: Iterable[Edit],
    user: AnyUser | None = None,
    *,
    found: bool = False,
    known: Inventory | None = None,
) -> tuple[Problem, ...]:
    """What the rules say about the edits on top of that state, and which intents they breach.

    From the stored inventory, refusals first. `found`: the edits only write down what is so already. `known`:
    what rules ask about for both states, if the caller has read it.
    """
    edits = tuple(edits)
    after = apply_edits(newest, edits)
    known = known or _known((newest, after), user)
    return (
        *review(newest, edits, known, found=found),
        *breached_since(newest, after, stored(), user),
    )


def breached_since(
    before: Desired,
    after: Desired,
    intents: Collection[Intent],
    user: AnyUser | None = None,
    *,
    reviewed: Desired | None = None,
    made: Collection[AdapterKey] = (),
) -> tuple[Problem, ...]:
    """What `after` breaches, as warnings; what `before` or `reviewed` does too is marked as `existing`.

    No query where nothing is meant.
    """
    if not intents or before == after:
        return ()
    states = (before, after) if reviewed is None else (before, after, reviewed)
    # Who sees whom depends on every container of the servers, not only on those that rules ask about.
    known = _without(made, inventory(servers_named(*states) | servers_meant(intents), user))
    return breached_by(before, after, known, intents, reviewed)


def _known(
    states: Collection[Desired], user: AnyUser | None = None, made: Collection[AdapterKey] = ()
) -> Inventory:
    return _without(made, inventory(servers_named(*states), user, about=states))


def _without(made: Collection[AdapterKey], known: Inventory) -> Inventory:
    if not made:
        return known
    return replace(known, adapters=tuple(a for a in known.adapters if a.key not in made))


def refusals(
    newest: Desired,
    edits: Iterable[Edit],
    user: AnyUser | None = None,
    *,
    made: Collection[AdapterKey] = (),
    found: bool = False,
) -> tuple[Problem, ...]:
    """Only what forbids the edits.

    `made`: VLAN adapters that the edits have made on their servers already, before they are decided; that
    they are seen there is no reason to refuse them.
    """
    edits = tuple(edits)
    known = _known((newest, apply_edits(newest, edits)), user, made)
    return tuple(p for p in review(newest, edits, known, found=found) if p.severity == "refuse")


def warnings_since(
    newest: Desired,
    edits: Iterable[Edit],
    reviewed: tuple[Desired, Iterable[Edit]],
    user: AnyUser | None = None,
    *,
    made: Collection[AdapterKey] = (),
    found: bool = False,
) -> tuple[Problem, ...]:
    """Warnings that the edits bring on `newest`, but did not where they were reviewed.

    `reviewed`: the state that the review looked at, and the edits on top of it to compare with. Both are
    judged by what is known now: only what was decided since makes the difference, not what servers look like.
    """
    edits, (base, before) = tuple(edits), reviewed
    before = tuple(before)
    states = (newest, apply_edits(newest, edits), base, apply_edits(base, before))
    known = _known(states, user, made)
    return unreviewed(
        review(newest, edits, known, found=found),
        review(base, before, known, found=found),
    )


def added_refusals(
    part: Drafted, new: Iterable[Edit], server_ids: Collection[int], user: AnyUser
) -> tuple[Problem, ...]:
    """What the rules refuse because of `new` edits on top of a part of the draft, for forms to say at once.

    Of other servers only the names are known, so what the draft does there is not judged here.
    """
    new = tuple(new)
    after = apply_edits(part.drafted, new)
    known = inventory(server_ids, user, named=servers_named(part.decided, after), about=(part.drafted, after))
    before = set(review(part.decided, part.edits, known))
    found = review(part.decided, (*part.edits, *new), known)
    return tuple(p for p in found if p.severity == "refuse" and p not in before)


def refused_at_once(new: Collection[Edit], user: User) -> tuple[Problem, ...]:
    """Refusals of `new` edits that one field of a form decides; the rest waits for the draft as a whole.

    NotAllowed if an edit needs a role that the user lacks: a refusal tells what is on the server.
    """
    if not new:
        return ()
    check_allowed(user, new)
    servers, networks = named_by(new)
    found = added_refusals(of_area(servers, networks, user), new, servers, user)
    return tuple(problem for problem in found if problem.code in AT_ONCE)


def named_by(edits: Iterable[Edit]) -> tuple[frozenset[int], frozenset[str]]:
    """Servers and networks that the edits name."""
    servers: set[int] = set()
    networks: set[str] = set()
    for edit in edits:
        match edit:
            case Assign(network=network, server=server) | Unassign(network=network, server=server):
                servers.add(server)
                networks.add(network)
            case AddMember(network=network, interface=interface):
                servers.add(interface.server)
                networks.add(network)
            case RemoveMember(interface=interface):
                servers.add(interface.server)
            case CreateVlan(server=server) | DeleteVlan(server=server):
                servers.add(server)
            case CreateNetwork(id=network) | DescribeNetwork(id=network) | DeleteNetwork(id=network):
                networks.add(network)
    return frozenset(servers), frozenset(networks)


def problems_of(network_id: str, user: AnyUser, part: Drafted) -> tuple[Problem, ...]:
    """What is wrong with one network as the user's draft has it: shown wherever the network is shown.

    `part` is what slices.of_network has of it. Judged with all that is on its servers, and with the networks
    that share a wire with it elsewhere.
    """
    servers = part.decided.servers_of(network_id) | part.drafted.servers_of(network_id)
    neighbours = _on_the_same_wires(part, network_id)
    servers |= set(neighbours.values())
    area = of_area(servers, {network_id, *neighbours}, user)
    known = inventory(servers, user, named=servers_named(area.drafted), about=(area.drafted,))
    return tuple(
        problem
        for problem in rules_of(area.drafted, known)
        if not problem.subjects or NetworkRef(network_id) in problem.subjects
    )


def _on_the_same_wires(part: Drafted, network_id: str) -> dict[str, int]:
    """For each other network on a wire of this one a server that shows it, up to MOST_NEIGHBOURS.

    Those that are only drafted so included.
    """
    mine = {AdapterKey(a.server, a.adapter) for a in part.drafted.assignments_of(network_id) if a.adapter}
    theirs = {
        AdapterKey(edit.server, edit.adapter): edit.network
        for edit in part.edits
        if isinstance(edit, Assign) and edit.adapter and edit.network != network_id
    }
    wires = _wires_of({*mine, *theirs}, part.edits)
    wanted = {wire for key, wire in wires.items() if key in mine}
    condition = Q(pk__in=[])
    for segment, vid in wanted:
        on_base = "adapter__segment" if vid is None else "adapter__base__segment"
        condition |= Q(**{on_base: segment, "adapter__vlan_id": vid})
    others = Assignment.objects.filter(condition).exclude(network_id=uuid.UUID(network_id)).order_by()
    found = others.values_list("network").annotate(server=Min("server"))[:MOST_NEIGHBOURS]
    drafted = ((network, key.server) for key, network in theirs.items() if wires.get(key, UNKNOWN) in wanted)
    return dict(islice({**{str(n): server for n, server in found}, **dict(drafted)}.items(), MOST_NEIGHBOURS))


def _wires_of(keys: Collection[AdapterKey], edits: Iterable[Edit]) -> dict[AdapterKey, Wire]:
    """The wires of those adapters that are on a known segment, VLAN adapters that the edits make included.

    One query.
    """
    made = {AdapterKey(e.server, e.name): e for e in edits if isinstance(e, CreateVlan)}
    asked = {AdapterKey(key.server, made[key].base) if key in made else key for key in keys}
    there = named_on({(key.server, key.name) for key in asked}, name="name")
    rows = Adapter.objects.filter(there, gone_at=None).select_related("segment", "base__segment")
    seen = {AdapterKey(row.server_id, row.name): row for row in rows}
    found: dict[AdapterKey, Wire] = {}
    for key in keys:
        new = made.get(key)
        row = seen.get(AdapterKey(key.server, new.base) if new else key)
        if row is not None and row.wire is not None:
            found[key] = (row.wire.pk, new.vid if new else row.vlan_id)
    return found
