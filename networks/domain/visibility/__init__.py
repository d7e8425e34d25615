"""Who sees whom: a pure model from a state and the inventory to answers with reasons.

    sight = visibility(after, before, inventory)      # of a draft or of desired
    sight = observed(inventory, desired)              # of what the last looks found
    sight.reaches(ContainerKey(3, "303"), OtherHosts(1))   -> Verdict(answer, text, hops, broken, fixes)
    sight.shares_layer2(a, b)                              -> the same for frames
    sight.answer(a, b), sight.layer2_answer(a, b)          -> "yes", "no" or "unknown", quick
    tried(sight, a, b, verdict)                            -> its fixes, each with what it would come to
    sight.components()                                     -> layer-2 networks with names and members
    sight.groups(keys)                                     -> hosts that see the same, for matrices
    sight.difference(after)                                -> gained, lost, unclear

End points are containers, container interfaces, servers and the other hosts of a physical segment. What-if
questions are other inventories: a container with status "stopped", an adapter with `up=False`, a server left
out. Answers are symmetric only where routing is; "unknown" is never told as "no".

Layer 2 is `networks.domain.wires` over what carries frames: adapters with a signal, running containers. IP is
a packet sent there and its answer sent back: on-link where subnets cover, by a host-routed interface that the
server answers for (proxy ARP), by routers only where a route and forwarding were seen.
"""

from __future__ import annotations

from networks.domain.visibility.components import Component, Group
from networks.domain.visibility.difference import Difference, Sight
from networks.domain.visibility.model import Visibility, observed, visibility
from networks.domain.visibility.trials import Trial, tried
from networks.domain.visibility.verdict import (
    Answer,
    EndPoint,
    Evidence,
    Fix,
    Hop,
    HostKey,
    OtherHosts,
    Verdict,
)

__all__ = [
    "Answer",
    "Component",
    "Difference",
    "EndPoint",
    "Evidence",
    "Fix",
    "Group",
    "Hop",
    "HostKey",
    "OtherHosts",
    "Sight",
    "Trial",
    "Verdict",
    "Visibility",
    "observed",
    "tried",
    "visibility",
]
