"""Closed sets of words that the models of virtual networks use."""

from __future__ import annotations

from django.db import models


class ChangeState(models.TextChoices):
    """Where a Change is.

    PLANNING and PLANNED are its review: nothing is promised yet and no server is reserved. Until DECIDED
    everything can be taken back; from then on servers follow it. In a Change of several waves the states from
    APPLYING to ROLLING_BACK are those of the wave under way; PARTLY is one that stopped between two.
    """

    PLANNING = "planning", "Being planned"
    PLANNED = "planned", "Ready for review"
    DISCARDED = "discarded", "Discarded"
    QUEUED = "queued", "Queued"
    APPLYING = "applying", "Applying"
    VERIFYING = "verifying", "Verifying"
    DECIDED = "decided", "Confirming"
    DONE = "done", "Done"
    BEHIND = "behind", "Done, servers behind"
    PARTLY = "partly", "Done in part"
    ROLLING_BACK = "rolling_back", "Rolling back"
    FAILED = "failed", "Failed, nothing changed"
    CANCELLED = "cancelled", "Cancelled"
    NEEDS_ATTENTION = "needs_attention", "Needs attention"


TERMINAL_CHANGE_STATES = frozenset(
    {
        ChangeState.DISCARDED,
        ChangeState.DONE,
        ChangeState.BEHIND,
        ChangeState.PARTLY,
        ChangeState.FAILED,
        ChangeState.CANCELLED,
        ChangeState.NEEDS_ATTENTION,
    }
)


class OperationState(models.TextChoices):
    """Where one server's part of a Change is; what is true on the server is asked by transaction id."""

    PLANNED = "planned", "Planned"
    QUEUED = "queued", "Queued"
    APPLYING = "applying", "Applying"
    APPLIED = "applied", "Applied, dead-man armed"
    VERIFIED = "verified", "Verified"
    CONFIRMING = "confirming", "Confirming"
    COMMITTED = "committed", "Committed"
    DONE = "done", "Done"
    ROLLING_BACK = "rolling_back", "Rolling back"
    ROLLED_BACK = "rolled_back", "Rolled back"
    IN_DOUBT = "in_doubt", "In doubt: waiting for the server"
    BEHIND = "behind", "Behind"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Not begun"
    LEFT_OUT = "left_out", "Left out"
    NEEDS_ATTENTION = "needs_attention", "Needs attention"


TERMINAL_OPERATION_STATES = frozenset(
    {
        OperationState.DONE,
        OperationState.ROLLED_BACK,
        OperationState.BEHIND,
        OperationState.FAILED,
        OperationState.CANCELLED,
        OperationState.LEFT_OUT,
        OperationState.NEEDS_ATTENTION,
    }
)

IDLE_OPERATION_STATES = TERMINAL_OPERATION_STATES | {OperationState.PLANNED}
"""States in which an operation does not keep its server to itself."""


class MeasurementState(models.TextChoices):
    """Where a measurement is."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Measuring"
    DONE = "done", "Measured"
    FAILED = "failed", "Failed"


UNUSABLE_BOND_MODES = {0: "round-robin", 5: "transmit load balancing", 6: "adaptive load balancing"}
"""Modes of bonds that are refused for bridging."""
