"""Proof on the lab: what the panel predicts is what its servers do."""

from __future__ import annotations
