"""The inventory: what exists. One file per part; import the models from here."""

from __future__ import annotations

from nodes.models.access import GroupRole
from nodes.models.adapters import Adapter, Bridge, PhysicalSegment
from nodes.models.containers import Container, ContainerInterface
from nodes.models.credentials import Credential, DedicatedLogin, HostKey
from nodes.models.groups import ServerGroup
from nodes.models.servers import Look, PhysicalServer

__all__ = [
    "Adapter",
    "Bridge",
    "Container",
    "ContainerInterface",
    "Credential",
    "DedicatedLogin",
    "GroupRole",
    "HostKey",
    "Look",
    "PhysicalSegment",
    "PhysicalServer",
    "ServerGroup",
]
