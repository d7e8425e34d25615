"""The trunk finder: which server's switch port does not carry a VLAN that its neighbours have.

Two servers that do not hear each other on a VLAN cannot say whose port it is. A third one on the same
physical segment answers on that VLAN for some seconds, in a network namespace of its own that is gone
afterwards; who does not hear it has a port without the VLAN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import sleep

from networks.domain.inventory import AdapterView, ContainerKey, ServerRef
from networks.domain.state import AdapterKey, grouped
from networks.domain.visibility import HostKey, Visibility
from networks.domain.wires import Wire, wire_of
from networks.measure import Heard, Place, Witness
from networks.measure.plan import MeasuredCell

HEAD_START_S = 3.0
"""So long a witness has to come up before the others ask for it."""
WITNESS_S = 15
AskAll = Callable[
    [Mapping[int, tuple[Place, ...]], Mapping[int, tuple[Witness, ...]]],
    tuple[dict[int, Mapping[str, Heard]], dict[int, str]],
]


@dataclass(frozen=True, slots=True)
class TrunkFinding:
    """A VLAN that does not get through. `lacking` are the servers whose ports lack it; of `doubtful` ones
    nobody could say which: there was no third server to ask.
    """

    wire: Wire
    lacking: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()

    @property
    def servers(self) -> tuple[int, ...]:
        return self.lacking or self.doubtful


def find_trunks(
    sight: Visibility, cells: Iterable[MeasuredCell], ask_all: AskAll
) -> tuple[TrunkFinding, ...]:
    """A finding for each VLAN on which servers that should hear each other do not."""
    broken: dict[Wire, set[int]] = {}
    for cell in cells:
        if cell.layer == "layer2" and cell.differs and cell.predicted == "yes":
            a, b = _server(cell.origin), _server(cell.target)
            if a and b and a != b:
                for wire in _vlans_between(sight, a, b, cell):
                    broken.setdefault(wire, set()).update((a, b))
    return tuple(_try(sight, wire, sorted(servers), ask_all) for wire, servers in sorted(broken.items()))


def _server(key: HostKey) -> int:
    return key.server if isinstance(key, ContainerKey) else key.id if isinstance(key, ServerRef) else 0


def _vlans_between(sight: Visibility, a: int, b: int, cell: MeasuredCell) -> list[Wire]:
    """VLANs that both servers have, on the segment that the two hosts share."""
    shared = {p.segment for p in sight.world.hosts[cell.origin].ports}
    shared &= {p.segment for p in sight.world.hosts[cell.target].ports}
    mine, other = _bridged(sight, a), _bridged(sight, b)
    return [w for w in mine if w.vid and w in other and sight.world.scene.segment(w) in shared]


def _bridged(sight: Visibility, server: int) -> dict[Wire, str]:
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


def _try(sight: Visibility, wire: Wire, servers: list[int], ask_all: AskAll) -> TrunkFinding:
    bridges = {server: _bridged(sight, server)[wire] for server in servers}
    for witness, base in _witnesses(sight, wire, set(servers)):
        address = f"169.254.{wire.vid >> 8 | 96}.{wire.vid & 255 or 1}"
        asked = {s: (Place("", (), ((bridge, address),)),) for s, bridge in bridges.items() if bridge}
        job = {witness: (Witness(base.name, wire.vid, f"{address}/16", WITNESS_S),)}
        with ThreadPoolExecutor(1) as threads:
            standing = threads.submit(ask_all, {}, job)
            sleep(HEAD_START_S)
            heard, _ = ask_all(asked, {})
            stood, _ = standing.result()
        if stood.get(witness, {}).get("", Heard()).witness != "ready":
            continue
        deaf = [s for s, places in heard.items() if not any(places.get("", Heard()).arps.values())]
        if deaf and len(deaf) < len(heard):
            return TrunkFinding(wire, tuple(deaf))
        if deaf and len(heard) > 1:
            # Nobody heard it: most likely its own port. The next one may know more.
            continue
    return TrunkFinding(wire, (), tuple(servers))


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
