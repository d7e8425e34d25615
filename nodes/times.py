"""Times of the inventory that are compared with now; see vnetpanel.clock."""

from __future__ import annotations

from nodes.models import Look, PhysicalServer
from nodes.observe import CLAIM
from nodes.sync import LONGEST_WAIT
from vnetpanel.clock import NEVER_AHEAD, Times

TIMES = (
    Times(
        PhysicalServer.objects.all(),
        {
            "looked_at": NEVER_AHEAD,
            "look_requested_at": NEVER_AHEAD,
            "next_look_at": LONGEST_WAIT,
            "look_claimed_until": CLAIM,
        },
        held={"look_claimed_until"},
    ),
    Times(Look.objects.all(), {"at": NEVER_AHEAD}),
)
