"""The tab bars of all pages in one place: a new tab is one line here, and its page names it.

Pages are named by their route, so that this knows neither the inventory nor the networks. A bar with a single
tab is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: the key its page passes, the words on it, and its route, which takes a primary key."""

    key: str
    label: str
    route: str


TABS: dict[str, tuple[Tab, ...]] = {
    "group": (
        Tab("overview", "Overview", "nodes:group"),
        Tab("networks", "Virtual Networks", "networks:group_networks"),
        Tab("assignments", "Assignments", "networks:group_grid"),
        Tab("servers", "Physical Servers", "nodes:group_servers"),
        Tab("containers", "Containers", "nodes:group_containers"),
        Tab("topology", "Topology", "networks:group_topology"),
        Tab("visibility", "Who sees whom", "networks:group_visibility"),
    ),
    "server": (
        Tab("overview", "Overview", "nodes:server"),
        Tab("networks", "Virtual Networks", "networks:server_networks"),
        Tab("adapters", "Network Adapters", "networks:server_adapters"),
        Tab("containers", "Containers", "nodes:server_containers"),
        Tab("drift", "Drift", "networks:server_drift"),
        Tab("topology", "Topology", "networks:server_topology"),
        Tab("visibility", "Who sees whom", "networks:server_visibility"),
    ),
    "network": (
        Tab("details", "Details", "networks:detail"),
        Tab("visibility", "Who sees whom", "networks:network_visibility"),
        Tab("topology", "Topology", "networks:network_topology"),
        Tab("intent", "Intent", "networks:intent"),
    ),
    "container": (
        Tab("overview", "Overview", "nodes:container"),
        Tab("network", "Network", "networks:container_network"),
        Tab("topology", "Topology", "networks:container_topology"),
    ),
}
"""By what the page is about: "group", "server", "network" or "container"; in the order of the manual."""
