"""Which rows of the inventory are decided by people: their changes are recorded in the audit trail."""

from __future__ import annotations

from typing import Any

from nodes.models import (
    Adapter,
    Credential,
    DedicatedLogin,
    GroupRole,
    HostKey,
    PhysicalSegment,
    PhysicalServer,
    ServerGroup,
)
from trust.watch import watch, watch_removals


def _itself(server: PhysicalServer) -> list[Any]:
    return [server]


def _its_server(part: Any) -> list[Any]:
    return [part.server]


watch(
    PhysicalServer,
    (
        "name",
        "group",
        "os",
        "address",
        "port",
        "credential",
        "use_sudo",
        "legacy_ssh",
        "is_enabled",
        "description",
    ),
    servers=_itself,
)
watch(ServerGroup, ("name", "parent", "description"))
watch(GroupRole, ("user", "group", "role"))
watch(
    Credential,
    ("name", "username", "group", "public_key"),
    secrets=("private_key", "passphrase", "password"),
)
# Offered, approved, made and installed by services that tell of it.
watch_removals(HostKey, servers=_its_server)
watch_removals(DedicatedLogin, servers=_its_server)
watch(PhysicalSegment, ("name", "description", "is_default"))
# Looks store adapters in bulk and so leave no lines; what comes through `save` was entered by a person.
watch(Adapter, ("name", "kind", "base", "vlan_id", "segment"), servers=_its_server)
