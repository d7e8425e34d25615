"""What the inventory tells the rest of the panel. Receivers run in the worker, after everything is stored."""

from __future__ import annotations

from django.dispatch import Signal

#: A look was stored. Arguments: server_id (int), facts (nodes.facts.ServerFacts), synced (nodes.sync.Synced),
#: at (datetime: when the look began).
looked = Signal()

#: Asked before looks: with what does the receiver compare them, as a value that changes when that does?
#: While it stays, a look that brings the same words as the last one is not sent through `looked` again.
compared_with = Signal()
