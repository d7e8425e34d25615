"""Why a packet ends where it ends: the hop that does not hold, and what shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from networks.domain import words
from networks.domain.inventory import ContainerKey, ServerRef
from networks.domain.visibility.hosts import Host
from networks.domain.visibility.naming import Names
from networks.domain.visibility.paths import Way
from networks.domain.visibility.verdict import Evidence, Hop, HostKey, OtherHosts
from networks.domain.visibility.world import World

_OPENINGS = ("Whether ", "Nobody ", "More ", "The ", "Which ", "Other ", "No ")


@dataclass(frozen=True)
class Reasons:
    """Says the reason of a `Way` that is no yes."""

    world: World
    names: Names

    def hop(self, way: Way, start: Host) -> Hop:
        """The hop that does not hold, by the reason."""
        key = way.at or start.key
        host = start if key == start.key else self.world.hosts.get(key, start)
        unknown = None if way.answer == "unknown" else False
        subject = key if isinstance(key, ContainerKey | ServerRef) else None
        return Hop(self._broken(way, key), unknown, subject, tuple(self._proof(way, host)))

    def _broken(self, way: Way, key: HostKey) -> str:
        name = words.sentence(self.names.end(key))
        dest = str(way.address) if way.address else "the address"
        match way.code:
            case "down":
                container = (
                    self.world.scene.inventory.container(key) if isinstance(key, ContainerKey) else None
                )
                return f"{name} is {container.status if container else 'not there'}."
            case "status-unknown":
                return f"Whether {self.names.end(key)} runs is not known."
            case "no-address":
                return f"{name} has no IP address that could be used."
            case "address-unknown":
                return f"The IP address of {self.names.end(key)} is not known."
            case "no-route":
                return f"{name} has no route to {dest}."
            case "routes-unknown":
                return f"Which routes {self.names.end(key)} has is not known."
            case "not-forwarding":
                return f"{name} does not forward packets."
            case "forwarding-unknown":
                return f"Whether {self.names.end(key)} forwards packets is not known."
            case "clash":
                return f"More than one machine answers for {dest}: {self.names.end(key)} is one of them."
            case "router-unknown":
                return (
                    f"Whether the router {way.router} leads to {dest} is not known: it is not in the panel."
                )
            case "others-unknown":
                return f"Whether other hosts have a route to {dest} is not known."
            case "shadowed":
                return (
                    f"{name} has one hardware address in two segments that a Container joins: the nearer one "
                    "takes what is meant for the other."
                )
            case "echoed":
                return (
                    f"A Container joins a VLAN to its untagged segment: what it sends comes back to {name} "
                    "with a tag, where a bridge that does not filter tags may send answers the wrong way."
                )
            case _:
                return f"Nobody answers for {dest} on the network of {self.names.end(key)}."

    def _proof(self, way: Way, host: Host) -> Iterable[Evidence]:
        key = host.key
        if isinstance(key, OtherHosts):
            return
        server, ctid = (key.server, key.ctid) if isinstance(key, ContainerKey) else (key.id, "")
        if way.code in ("down", "status-unknown") and isinstance(key, ContainerKey):
            container = self.world.scene.inventory.container(key)
            yield Evidence(
                server, f"vzlist -a -o ctid,status {ctid}", container.status if container else "unknown"
            )
        elif way.code in ("no-route", "routes-unknown") and host.routing is not None:
            routes = "; ".join(
                " ".join(filter(None, (r.dst, r.via and f"via {r.via}", r.dev and f"dev {r.dev}")))
                for r in host.routing.routes
            )
            yield Evidence(server, "ip route", routes or "only its own subnets", ctid)
        elif way.code == "not-forwarding":
            yield Evidence(server, "cat /proc/sys/net/ipv4/ip_forward", "0", ctid)
        elif way.code in ("no-address", "address-unknown"):
            yield Evidence(server, "ip addr", "no address" if host.known else "could not be looked at", ctid)


def inner(text: str) -> str:
    """A hop's sentence as it goes on after a colon."""
    return text[:1].lower() + text[1:] if text.startswith(_OPENINGS) else text
