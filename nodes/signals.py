"""What the inventory tells the rest of the panel. Receivers run in the worker, after everything is stored."""

from __future__ import annotations

from django.dispatch import Signal

#: Looks at different servers were stored. Argument: looks (a sequence of nodes.sync.Seen).
looked = Signal()

#: Asked before looks: with what does the receiver compare them, as a value that changes when that does?
#: While it stays, a look that brings the same words as the last one is not sent through `looked` again.
compared_with = Signal()
