"""Fixtures of the transaction's tests; the namespaces are in `rig.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge
from tests.host import rig


@pytest.fixture
def server() -> Iterator[rig.Server]:
    with rig.server() as ready:
        yield ready


@pytest.fixture
def move() -> HostPlan:
    """The server's only NIC goes into a bridge: the address we talk to moves."""
    return HostPlan((Bridge("vn-a", "eth0"),), (KeepBridge("vn-a", "eth0"),))
