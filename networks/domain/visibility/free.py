"""Addresses that nobody is known to have, for containers that need one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from networks.domain.inventory import ContainerKey
from networks.domain.state import InterfaceKey
from networks.domain.visibility.addresses import BITS, Ip, read
from networks.domain.visibility.hosts import NOWHERE, Host, Port
from networks.domain.visibility.verdict import OtherHosts
from networks.domain.visibility.world import World

SMALLEST = 29
"""In a smaller IPv4 subnet nothing is left beside its first and last addresses."""

MOST_TRIED = 1024
"""So many addresses of a subnet are looked at: in a fuller one a person has to choose."""


@dataclass(frozen=True)
class FreeAddresses:
    """Chooses IPv4 addresses. Free is what nothing has that the panel sees: others may have it."""

    world: World

    def of_subnet(self, like: Ip, own: Iterable[Ip] = ()) -> Ip | None:
        """One of the subnet of `like`, ending as one of the `own` does where that is free."""
        if like.version != 4 or like.prefix > SMALLEST:
            return None
        size = 1 << (BITS[4] - like.prefix)
        first = like.value & ~(size - 1)
        # The first and the last host address are left to routers, which mostly have one of them.
        fit = range(size - 3, 1, -1)
        endings = (ip.value & (size - 1) for ip in own if ip.version == 4)
        for offset in (*(ending for ending in endings if ending in fit), *islice(fit, MOST_TRIED)):
            if (4, first + offset) not in self.taken:
                return Ip(4, first + offset, like.prefix)
        return None

    @cached_property
    def taken(self) -> frozenset[tuple[int, int]]:
        """Every address that anybody has, answers for, or is asked at as a router: (IP version, number)."""
        return frozenset((ip.version, ip.value) for ip in map(read, self._texts()) if ip is not None)

    def _texts(self) -> Iterator[str]:
        known = self.world.scene.inventory
        yield from (text for view in known.interfaces for text in view.addresses)
        yield from (text for view in known.adapters for text in view.addresses)
        yield from (text for view in known.bridge_views for text in view.addresses)
        yield from (text for container in known.containers for text in container.host_routed)
        seen = [*(c.routing for c in known.containers), *(s.routing for s in known.servers)]
        for routing in seen:
            if routing is not None:
                yield from (route.via for route in routing.routes)
                yield from (address for address, _ in routing.proxies)

    def beside(self, host: Host, far: Host) -> tuple[InterfaceKey, Ip] | None:
        """The container's interface on a wire of the other, with a free address of the subnet used there."""
        for port in host.ports:
            if port.interface is None or not self._can_be_given(port.interface, port):
                continue
            for like in self._used(port, far):
                if any(ip.covers(like) for ip in port.addresses):
                    break
                if (found := self.of_subnet(like, host.addresses)) is not None:
                    return port.interface, found
        return None

    def _used(self, port: Port, far: Host) -> Iterator[Ip]:
        """Addresses of the other, or of the server that stands for it, on the port's segment."""
        yield from (ip for other in far.ports if other.segment == port.segment for ip in other.addresses)
        here = self.world.subnets.get(port.segment, ())
        is_anybody = isinstance(far.key, OtherHosts) and far.ports[0].segment == port.segment
        yield from (ip for ip in here if is_anybody or any(ip.covers(other) for other in far.routed))

    def _can_be_given(self, key: InterfaceKey, port: Port) -> bool:
        """Not where a bridge inside has the addresses, which the panel does not change."""
        container = self.world.scene.inventory.container(ContainerKey(key.server, key.ctid))
        is_joined = container is not None and any(key.ifname in group for group in container.joined)
        return port.segment != NOWHERE and not is_joined and self.is_served(key)

    def is_served(self, key: InterfaceKey | ContainerKey) -> bool:
        """Whether the panel can run vzctl there, for this reader."""
        known = self.world.scene.inventory
        server = known.server(key.server)
        return server is not None and server.dialect is not None and key.server not in known.hidden
