"""Which links on a server this panel has made, for the inventory to say so."""

from __future__ import annotations

from networks.domain.state import Desired
from nodes.sync import Ours


def ours_of(state: Desired, server_id: int) -> Ours:
    """Bridges and VLAN adapters that the state has the panel make there; adopted bridges are not ours."""
    adopted = {a.network for a in state.assignments_on(server_id) if a.bridge}
    networks = (state.network(network) for network in state.networks_on(server_id))
    return Ours(
        vlans=frozenset(vlan.name for vlan in state.vlans_on(server_id)),
        bridges=frozenset(n.bridge for n in networks if n and n.bridge and n.id not in adopted),
    )
