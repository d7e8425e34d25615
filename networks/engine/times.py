"""Times of Changes, measurements and drift that are compared with now; see vnetpanel.clock."""

from __future__ import annotations

from datetime import timedelta

from networks.choices import TERMINAL_CHANGE_STATES, ChangeState, MeasurementState, OperationState
from networks.engine.behind import LONGEST_WAIT_S
from networks.engine.lease import LEASE_S
from networks.engine.sweeper import ASK_MAX_S, FOLLOW_MAX_S
from networks.models import Behind, Change, Decision, DriftCheck, Measurement, Operation
from vnetpanel.clock import NEVER_AHEAD, Times

_OPEN = sorted(set(ChangeState) - TERMINAL_CHANGE_STATES)

TIMES = (
    Times(
        Change.objects.filter(state__in=_OPEN),
        {"sent_at": NEVER_AHEAD, "lease_until": timedelta(seconds=LEASE_S)},
        held={"lease_until"},
    ),
    Times(
        Operation.objects.filter(state=OperationState.IN_DOUBT),
        {"next_follow_at": timedelta(seconds=ASK_MAX_S)},
    ),
    Times(
        Operation.objects.filter(must_follow=True, state=OperationState.DONE),
        {"next_follow_at": timedelta(seconds=FOLLOW_MAX_S)},
    ),
    Times(Behind.objects.all(), {"next_try_at": timedelta(seconds=LONGEST_WAIT_S)}),
    Times(DriftCheck.objects.all(), {"at": NEVER_AHEAD}),
    Times(
        Measurement.objects.all(),
        {"asked_at": NEVER_AHEAD, "started_at": NEVER_AHEAD},
        # Its cells are large, and lie before the other column.
        told_by={"asked_at"},
    ),
    Times(Measurement.objects.filter(state=MeasurementState.RUNNING), {"started_at": NEVER_AHEAD}),
    # Shown nowhere: it tells which measurements are from before a decision.
    Times(Decision.objects.all(), {"decided_at": NEVER_AHEAD}),
)
