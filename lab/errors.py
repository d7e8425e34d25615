"""What can go wrong with the lab, in sentences for the person at the keyboard."""

from __future__ import annotations


class LabError(Exception):
    """A lab operation failed; the message says which and why."""


class LabUnavailable(LabError):
    """This machine cannot carry the lab at all (not root, no User-Mode Linux, ...)."""


class LabInUse(LabError):
    """Another process holds the lab; the message names it."""
