"""The inventory in Django's admin: the back office of what the panel's own pages show.

Observed columns are read-only, secrets are written and never shown, and what is in use is not deleted.
"""

from __future__ import annotations

from nodes.admin import adapters, containers, credentials, groups, servers

__all__ = ["adapters", "containers", "credentials", "groups", "servers"]
