"""Rows of the audit trail and of logins. Import the models from here."""

from __future__ import annotations

from trust.models.entries import AppendOnly, Entry
from trust.models.logins import FailedLogin, RecoveryCode, TwoFactor

__all__ = ["AppendOnly", "Entry", "FailedLogin", "RecoveryCode", "TwoFactor"]
