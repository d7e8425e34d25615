"""Virtual networks: what should be, and the Changes that make it so."""

from __future__ import annotations

from networks.models.changes import Behind, Change, ChangeServer, Decision, Operation, Preparation
from networks.models.desired import Assignment, ManagedVlan, Member, VirtualNetwork
from networks.models.drift import Drift, DriftCheck
from networks.models.intents import NetworkIntent
from networks.models.judgements import Judgement
from networks.models.measured import Disagreement, Measurement
from networks.models.problems import ProblemCheck, StandingProblem
from networks.models.revisions import Draft, DraftStep, Revision

__all__ = [
    "Assignment",
    "Behind",
    "Change",
    "ChangeServer",
    "Decision",
    "Disagreement",
    "Draft",
    "DraftStep",
    "Drift",
    "DriftCheck",
    "Judgement",
    "ManagedVlan",
    "Measurement",
    "Member",
    "NetworkIntent",
    "Operation",
    "Preparation",
    "ProblemCheck",
    "Revision",
    "StandingProblem",
    "VirtualNetwork",
]
