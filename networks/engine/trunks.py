"""The trunk finder: which server's switch port does not carry a VLAN that its neighbours have.

Two servers that do not hear each other on a VLAN cannot say whose port it is. A third one on the same
physical segment answers on that VLAN for some seconds, in a network namespace of its own that is gone
afterwards; who does not hear it has a port without the VLAN. Where no server can do so, as all have the VLAN
already, members that others have heard are as good: each server's own bridge is asked whether it hears them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import sleep

from networks.domain.inventory import AdapterView, ContainerKey, ServerRef
from networks.domain.state import AdapterKey, ServerId, grouped
from networks.domain.visibility import Answer, HostKey, Visibility
from networks.domain.wires import Wire, wire_of
from networks.measure import Heard, Place, Witness
from networks.measure.plan import MeasuredCell

HEAD_START_S = 3.0
"""So long a witness has to come up before the others ask for it."""
WITNESS_S = 15
MOST_VOICES = 6
"""So many members are asked for from each bridge: as many probes run at the same time."""
AskAll = Callable[
    [Mapping[int, tuple[Place, ...]], Mapping[int, tuple[Witness, ...]]],
    tuple[dict[int, Mapping[str, Heard]], dict[int, str]],
]


@dataclass(frozen=True, slots=True)
class TrunkFinding:
    """A VLAN that does not get through. `lacking` are the servers whose ports lack it; of `doubtful` ones
    nobody could say which: none of them was heard, and there was no other server to ask.
    """

    wire: Wire
    lacking: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()

    @property
    def servers(self) -> tuple[int, ...]:
        return self.lacking or self.doubtful


@dataclass(slots=True)
class _Talk:
    """What a measurement says of one wire: by pair of servers whether they hear each other ("unknown": they
    do, but maybe not over this wire), and the hosts that were certainly heard over it.
    """

    pairs: dict[tuple[ServerId, ServerId], Answer] = field(default_factory=dict)
    voices: set[HostKey] = field(default_factory=set)

    @property
    def apart(self) -> list[tuple[ServerId, ServerId]]:
        return [pair for pair, seen in self.pairs.items() if seen == "no"]

    def servers(self, *seen: Answer) -> set[ServerId]:
        """Servers of the pairs of which that was seen."""
        return {server for pair, what in self.pairs.items() if what in seen for server in pair}

    def add(self, pair: tuple[ServerId, ServerId], seen: Answer) -> None:
        """One pair of hosts speaks for its servers: heard counts more than not heard."""
        rank = ("no", "unknown", "yes")
        self.pairs[pair] = max(self.pairs.get(pair, seen), seen, key=rank.index)


def find_trunks(
    sight: Visibility, cells: Iterable[MeasuredCell], ask_all: AskAll
) -> tuple[TrunkFinding, ...]:
    """A finding for each VLAN on which a server certainly is not heard that should be."""
    talks = {wire: talk for wire, talk in sorted(_talks(sight, tuple(cells)).items()) if talk.apart}
    found = (_try(sight, wire, talk, ask_all) for wire, talk in talks.items())
    return tuple(one for one in found if one is not None)


def _talks(sight: Visibility, cells: tuple[MeasuredCell, ...]) -> dict[Wire, _Talk]:
    """Who hears whom on each VLAN that servers share. What a host says that did not answer is not guessed."""
    spoke = {cell.origin for cell in cells if cell.measured != "unknown"}
    frames = (cell for cell in cells if cell.layer == "layer2")
    found: dict[Wire, _Talk] = {}
    for hosts, both in grouped(frames, lambda c: frozenset((c.origin, c.target))).items():
        a, b = sorted((_server(both[0].origin), _server(both[0].target)))
        heard = [cell.target for cell in both if cell.measured == "yes"]
        # A host that says nothing itself may be off: that nobody hears it means nothing.
        unheard = hosts <= spoke and any(cell.differs and cell.predicted == "yes" for cell in both)
        if not a or a == b or not (heard or unheard):
            continue
        shared = _shared(sight, both[0])
        for wire in _vlans_between(sight, a, b, shared):
            talk = found.setdefault(wire, _Talk())
            if not heard:
                talk.add((a, b), "no")
            elif len(shared) == 1 and len(sight.world.wires.get(sight.world.scene.segment(wire), ())) == 1:
                talk.add((a, b), "yes")
                talk.voices.update(heard)
            else:
                talk.add((a, b), "unknown")
    return found


def _server(key: HostKey) -> int:
    return key.server if isinstance(key, ContainerKey) else key.id if isinstance(key, ServerRef) else 0


def _shared(sight: Visibility, cell: MeasuredCell) -> set[int]:
    """The layer-2 segments that both hosts are on."""
    mine, other = ({p.segment for p in sight.world.hosts[key].ports} for key in (cell.origin, cell.target))
    return mine & other


def _vlans_between(sight: Visibility, a: ServerId, b: ServerId, shared: set[int]) -> list[Wire]:
    """VLANs that both servers have, on those segments."""
    mine, other = _bridged(sight, a), _bridged(sight, b)
    return [w for w in mine if w.vid and w in other and sight.world.scene.segment(w) in shared]


def _bridged(sight: Visibility, server: ServerId) -> dict[Wire, str]:
    """Wires that virtual networks are assigned to on the server, and the bridge on each."""
    scene = sight.world.scene
    found = {}
    for assignment in scene.after.assignments_on(server):
        view = scene.inventory.adapter(AdapterKey(server, assignment.adapter or ""))
        network = scene.after.network(assignment.network)
        wire = wire_of(view, scene.inventory) if view else None
        if wire is not None and network is not None:
            found[wire] = assignment.bridge or network.bridge
    return found


def _try(sight: Visibility, wire: Wire, talk: _Talk, ask_all: AskAll) -> TrunkFinding | None:
    """Ask until somebody was heard: what the others are deaf to then is certainly there.

    None where each of them hears somebody on the VLAN: no port of a server lacks it, whatever is the matter.
    """
    servers = talk.servers("no")
    bridges = {s: bridge for s in sorted(servers) if (bridge := _bridged(sight, s)[wire])}
    well = talk.servers("yes")
    deaf: set[ServerId] = set()
    for witness, base in _witnesses(sight, wire, servers):
        hear, deaf = _hear_witness(wire, witness, base, bridges, ask_all)
        if hear:
            well |= hear
            break
        # Nobody heard it: most likely its own port. The next one may know more.
        deaf = set()
    if not deaf - well:
        hear, deaf = _hear_voices(_addresses(sight, wire, talk), bridges, ask_all)
        well |= hear
        deaf = deaf if hear else set()
    if lacking := deaf - well - talk.servers("unknown"):
        return TrunkFinding(wire, tuple(sorted(lacking)))
    doubtful = {server for pair in talk.apart if not well & set(pair) for server in pair}
    return TrunkFinding(wire, (), tuple(sorted(doubtful))) if doubtful else None


def _hear_witness(
    wire: Wire, witness: ServerId, base: AdapterView, bridges: Mapping[ServerId, str], ask_all: AskAll
) -> tuple[set[ServerId], set[ServerId]]:
    """Servers that hear the witness, and those that do not."""
    address = f"169.254.{wire.vid >> 8 | 96}.{wire.vid & 255 or 1}"
    job = {witness: (Witness(base.name, wire.vid, f"{address}/16", WITNESS_S),)}
    with ThreadPoolExecutor(1) as threads:
        standing = threads.submit(ask_all, {}, job)
        sleep(HEAD_START_S)
        found = _hear({server: [address] for server in bridges}, bridges, ask_all)
        stood, _ = standing.result()
    return found if stood.get(witness, {}).get("", Heard()).witness == "ready" else (set(), set())


def _hear_voices(
    voices: Mapping[ServerId, list[str]], bridges: Mapping[ServerId, str], ask_all: AskAll
) -> tuple[set[ServerId], set[ServerId]]:
    """Servers whose bridges hear members elsewhere, and those whose do not: those inside may have their own
    reasons. A server's own members would answer whatever the switch does.
    """
    asked = {
        server: [address for owner, some in voices.items() if owner != server for address in some]
        for server in bridges
    }
    return _hear(asked, bridges, ask_all)


def _hear(
    asked: Mapping[ServerId, list[str]], bridges: Mapping[ServerId, str], ask_all: AskAll
) -> tuple[set[ServerId], set[ServerId]]:
    """Servers whose bridges hear one of those addresses, and those that certainly hear none."""
    places = {
        server: (Place("", (), tuple((bridges[server], address) for address in some[:MOST_VOICES])),)
        for server, some in asked.items()
        if some
    }
    heard, _ = ask_all(places, {}) if places else ({}, {})
    hear, deaf = set(), set()
    for server, answer in heard.items():
        macs = list(answer.get("", Heard()).arps.values())
        if any(macs):
            hear.add(server)
        elif macs and None not in macs:
            deaf.add(server)
    return hear, deaf


def _addresses(sight: Visibility, wire: Wire, talk: _Talk) -> dict[ServerId, list[str]]:
    """By server, addresses on the wire of hosts that were heard over it: one of each host."""
    segment = sight.world.scene.segment(wire)
    found: dict[ServerId, list[str]] = {}
    for key in sorted(talk.voices, key=str):
        ports = [port for port in sight.world.hosts[key].ports if port.segment == segment]
        mine = [str(ip) for port in ports for ip in port.addresses if ip.version == 4]
        if mine:
            found.setdefault(_server(key), []).append(mine[0])
    return found


def _witnesses(sight: Visibility, wire: Wire, servers: set[int]) -> list[tuple[int, AdapterView]]:
    """Servers on the segment without that VLAN, with the adapter that is on it; a few."""
    inventory = sight.world.scene.inventory
    bases = [
        a
        for a in inventory.adapters
        if a.segment == wire.segment
        and a.kind != "vlan"
        and not (a.gone or a.is_slave or a.up is False or a.carrier is False)
        and a.server not in servers
        and all(v.vid != wire.vid for v in inventory.vlans_on(a.key))
    ]
    by_server = grouped(bases, lambda a: a.server)
    linux = [s.id for s in inventory.servers if s.os == "linux" and s.id in by_server]
    return [(server, by_server[server][0]) for server in linux[:2]]
