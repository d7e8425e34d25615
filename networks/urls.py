"""Addresses of virtual networks, drafts and Changes."""

from __future__ import annotations

from django.urls import path

from networks.views import (
    adapters,
    bulk,
    changes,
    configure,
    container,
    drafts,
    drift,
    grid,
    lists,
    network,
    problems,
    topology,
    visibility,
)
from networks.views.forward import bring_forward

app_name = "networks"

urlpatterns = [
    path("networks/", lists.all_networks, name="list"),
    path("networks/new/", network.create, name="create"),
    path("networks/<uuid:network_id>/", network.detail, name="detail"),
    path("networks/<uuid:network_id>/configure/", configure.configure, name="configure"),
    path("networks/<uuid:network_id>/assignments/", configure.assign, name="assign"),
    path("networks/<uuid:network_id>/assignments/many/", bulk.assign_many, name="assign_many"),
    path("networks/<uuid:network_id>/members/", configure.members, name="members"),
    path("networks/<uuid:network_id>/members/add/", configure.add_members, name="add_members"),
    path("networks/<uuid:network_id>/delete/", network.delete, name="delete"),
    path("groups/<int:group_id>/networks/", lists.group_networks, name="group_networks"),
    path("groups/<int:group_id>/assignments/", grid.group_grid, name="group_grid"),
    path("servers/<int:server_id>/networks/", lists.server_networks, name="server_networks"),
    path("servers/<int:server_id>/networks/new/", network.create_on_server, name="create_on_server"),
    path(
        "servers/<int:server_id>/networks/<uuid:network_id>/",
        network.configure_on_server,
        name="configure_on_server",
    ),
    path("servers/<int:server_id>/adapters/", adapters.adapters, name="server_adapters"),
    path("servers/<int:server_id>/adapters/new/", adapters.create_vlan, name="create_vlan"),
    path("servers/<int:server_id>/adapters/<str:name>/delete/", adapters.delete_vlan, name="delete_vlan"),
    path("servers/<int:server_id>/drift/", drift.server_drift, name="server_drift"),
    path("drift/", drift.all_drift, name="drift"),
    path("drift/repair/", drift.repair, name="repair_drift"),
    path("drift/adopt/", drift.adopt, name="adopt_drift"),
    path("problems/", problems.all_problems, name="problems"),
    path("problems/count/", problems.badge, name="problem_count"),
    path("problems/acknowledge/", problems.acknowledge, name="acknowledge_problems"),
    path("topology/", topology.everything, name="topology"),
    path("groups/<int:group_id>/topology/", topology.group, name="group_topology"),
    path("servers/<int:server_id>/topology/", topology.server, name="server_topology"),
    path("networks/<uuid:network_id>/topology/", topology.network, name="network_topology"),
    path("containers/<int:container_id>/topology/", topology.container, name="container_topology"),
    path("networks/<uuid:network_id>/visibility/", visibility.of_network, name="network_visibility"),
    path("servers/<int:server_id>/visibility/", visibility.of_server, name="server_visibility"),
    path("groups/<int:group_id>/visibility/", visibility.of_group, name="group_visibility"),
    path("explain/", visibility.explain, name="explain"),
    path("explain/fix/", visibility.take_fix, name="take_fix"),
    path("containers/<int:container_id>/network/", container.show, name="container_network"),
    path("containers/<int:container_id>/network/add/", container.add, name="add_interface"),
    path(
        "containers/<int:container_id>/network/<str:ifname>/membership/",
        container.membership,
        name="interface_membership",
    ),
    path(
        "containers/<int:container_id>/network/<str:ifname>/addresses/",
        container.add_address,
        name="add_address",
    ),
    path(
        "containers/<int:container_id>/network/<str:ifname>/addresses/remove/",
        container.remove_address,
        name="remove_address",
    ),
    path(
        "containers/<int:container_id>/network/<str:ifname>/remove/",
        container.remove,
        name="remove_interface",
    ),
    path("containers/<int:container_id>/network/<str:ifname>/keep/", container.keep, name="keep_interface"),
    path("draft/", drafts.show, name="draft"),
    path("draft/drop/", drafts.drop, name="drop_edit"),
    path("draft/undo/", drafts.undo, name="undo_draft"),
    path("draft/discard/", drafts.discard, name="discard_draft"),
    path("draft/review/", drafts.review, name="review_draft"),
    path("changes/", changes.all_changes, name="changes"),
    path("changes/<uuid:change_id>/", changes.show, name="change"),
    path("changes/<uuid:change_id>/apply/", changes.apply, name="apply_change"),
    path("changes/<uuid:change_id>/cancel/", changes.cancel, name="cancel_change"),
    path("changes/<uuid:change_id>/mend/", changes.mend, name="mend_change"),
    path("servers/<int:server_id>/forward/", bring_forward, name="bring_forward"),
]
