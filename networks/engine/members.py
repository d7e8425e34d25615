"""Whether the members of the networks that a wave has changed reach each other, asked before the decision.

Asked is only where the wave puts a network onto a server on whose wire it has members elsewhere, and only so
much that each such server is heard once. What cannot be asked is unknown and stands in nobody's way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import structlog
from django.db.models import Q

from networks.choices import IDLE_OPERATION_STATES, OperationState
from networks.desired import head
from networks.domain import words
from networks.domain.inventory import AdapterView, ContainerKey, Inventory
from networks.domain.state import (
    AdapterKey,
    AddMember,
    Assign,
    Desired,
    Edit,
    InterfaceKey,
    NetworkId,
    ServerId,
)
from networks.domain.wires import adapter_wanted, wire_of
from networks.engine.decide import settled, wave_edits
from networks.engine.measuring import WIDTH, ask, servers_by_key
from networks.inventory_rows import inventory
from networks.measure import Heard
from networks.measure.across import Deaf, Question, Voice, asked_again, deaf, jobs, questions
from networks.models import Change, Disagreement, Operation
from nodes.choices import ServerState
from nodes.crew import in_threads
from nodes.models import PhysicalServer

log = structlog.get_logger(__name__)

ROUND_S = 8.0
"""One of the two rounds of questions takes no longer: the dead-men wait."""
NEIGHBOURS = 2
"""So many servers that have the network already are asked beside those that the wave puts it on."""
MOST_TOLD = 3


class Members:
    """What is to be asked about a wave whose servers are all applied and verified, and the answers."""

    def __init__(self, change: Change, wave: int, operations: Sequence[Operation]) -> None:
        self.questions: tuple[Question, ...] = ()
        edits = wave_edits(change, wave)
        if change.is_found or not any(isinstance(e, Assign | AddMember) for e in edits):
            return
        if any(op.state in (OperationState.COMMITTED, OperationState.DONE) for op in operations):
            return  # too late to be taken back
        self.before = head().state
        self.after = settled(change, self.before, wave)
        here = {op.server_id for op in operations if op.server_id is not None}
        new = _newly_there(edits, self.before, self.after, here)
        if not new:
            return
        places = {
            network: servers | _neighbours(self.after, network, servers, change)
            for network, servers in new.items()
        }
        self.known = inventory(set().union(*places.values()), change.author)
        voices = [
            v for network, servers in places.items() for v in self._voices(network, servers, new[network])
        ]
        self.questions = questions(voices)

    def unheard(self) -> list[str]:
        """A sentence for each of the wave's servers that members elsewhere certainly do not hear."""
        ears = _hear(self.questions)
        again = asked_again(self.questions, ears)
        later = _hear(again) if again else {}
        found = deaf(self.questions, ears, again, later)
        log.info("members_asked", questions=len(self.questions), again=len(again), deaf=len(found))
        told: dict[frozenset[Voice], str] = {}
        for one in sorted(found, key=lambda d: not d.others):
            told.setdefault(frozenset((one.question.asker, one.question.target)), self._sentence(one))
        return list(told.values())[:MOST_TOLD]

    def _voices(
        self, network: NetworkId, servers: Iterable[ServerId], new: frozenset[ServerId]
    ) -> Iterator[Voice]:
        """For each server a member that can ask and be asked: running, with an IPv4 address of its own."""
        for server in servers:
            assignment = self.after.assignment(network, server)
            key = AdapterKey(server, (assignment and assignment.adapter) or "")
            view = adapter_wanted(key, self.before, self.after, self.known) if key.name else None
            wire = wire_of(view, self.known) if view else None
            if view is None or wire is None or self._is_silent(view):
                continue
            for member in sorted(self.after.members_of(network, server), key=lambda m: m.interface):
                if address := _address(member.interface, self.known):
                    yield Voice(network, wire, member.interface, address, server in new)
                    break

    def _is_silent(self, view: AdapterView) -> bool:
        """An adapter that was down or without a cable; a VLAN's is its base, as it may be made just now.

        The wave has switched it on a moment ago, and switch ports say nothing for some seconds after that.
        """
        base = self.known.adapter(AdapterKey(view.server, view.base)) if view.base else None
        return any(one is not None and (one.up is False or one.carrier is False) for one in (view, base))

    def _sentence(self, one: Deaf) -> str:
        asker, target = one.question.asker, one.question.target
        ends = [
            words.container(ContainerKey(v.server, v.interface.ctid), self.known) for v in (asker, target)
        ]
        who = words.server(one.server, self.known) if one.others else "one of the two servers"
        cause = f"the switch port of {who} does not carry VLAN {asker.wire.vid}"
        if not asker.wire.vid:
            cause = f"a cable or a switch port of {who} lets nothing through"
            cause += ", or its physical segment is not named as it is wired"
        return (
            f"{ends[0]} and {ends[1]} do not hear each other in {words.network(asker.network, self.after)}. "
            f"Most likely {cause}."
        )


def _newly_there(
    edits: Iterable[Edit], before: Desired, after: Desired, here: set[ServerId]
) -> dict[NetworkId, frozenset[ServerId]]:
    """Servers of the wave on whose wire its edits put a network that has members there and elsewhere."""
    found: dict[NetworkId, set[ServerId]] = {}
    for edit in edits:
        match edit:
            case Assign(network, server, adapter) if adapter and server in here:
                found.setdefault(network, set()).add(server)
            case AddMember(network, key) if key.server in here and not before.members_of(network, key.server):
                found.setdefault(network, set()).add(key.server)
    wide: dict[NetworkId, frozenset[ServerId]] = {}
    for network, servers in found.items():
        with_members = {member.interface.server for member in after.members_of(network)}
        if len(with_members) > 1 and (new := servers & with_members):
            wide[network] = frozenset(new)
    return wide


def _neighbours(
    after: Desired, network: NetworkId, new: frozenset[ServerId], change: Change
) -> frozenset[ServerId]:
    """A few other servers with members, of which nothing is known that would keep them from answering."""
    others = {member.interface.server for member in after.members_of(network)} - new
    if not others:
        return frozenset()
    busy = Q(operations__in=Operation.objects.exclude(state__in=IDLE_OPERATION_STATES))
    left_out = Q(operations__in=change.operations.all())
    rows = PhysicalServer.objects.filter(pk__in=others, is_enabled=True, state=ServerState.OK, behind=None)
    known_deaf = {
        server
        for servers, networks in Disagreement.objects.filter(gone_at=None).values_list("servers", "networks")
        if not networks or network in networks
        for server in servers
    }
    well = rows.exclude(busy | left_out).exclude(pk__in=known_deaf)
    # Others at the next try: two that hear nobody, unknown as yet, must not stop all that join.
    well = well.order_by("?")
    return frozenset(well.values_list("pk", flat=True)[:NEIGHBOURS])


def _address(key: InterfaceKey, known: Inventory) -> str:
    """The interface's IPv4 address, if it is one that can ask and be asked now; else ""."""
    view, container = known.interface(key), known.container(ContainerKey(key.server, key.ctid))
    if view is None or view.gone or container is None or container.status != "running":
        return ""
    if view.mode != "bridged" or not view.addresses_known or key.ifname in container.off:
        return ""
    if any(key.ifname in group for group in container.joined):
        return ""  # a bridge inside asks and answers for it
    return next((text.partition("/")[0] for text in view.addresses if ":" not in text), "")


def _hear(asked: Sequence[Question]) -> dict[ServerId, Mapping[str, Heard]]:
    """What the servers heard; of one that could not be asked, nothing. One command a server."""
    todo = sorted(jobs(asked).items())
    known = servers_by_key([server for server, _ in todo])
    answers = in_threads(lambda one: ask(known.get(one[0]), one[1], (), ROUND_S), todo, WIDTH, "members")
    return {
        server: answer
        for (server, _), answer in zip(todo, answers, strict=True)
        if not isinstance(answer, str)
    }
