"""Addresses of the inventory: server groups, physical servers, containers, search."""

from __future__ import annotations

from django.urls import path

from nodes.views import adding, containers, groups, search, servers, tree

app_name = "nodes"

urlpatterns = [
    path("search/", search.search, name="search"),
    path("tree/", tree.top, name="tree"),
    path("tree/groups/<int:group_id>/", tree.group, name="tree_group"),
    path("tree/servers/<int:server_id>/", tree.server, name="tree_server"),
    path("groups/new/", groups.create, name="create_group"),
    path("groups/<int:group_id>/", groups.overview, name="group"),
    path("groups/<int:group_id>/servers/", groups.servers, name="group_servers"),
    path("groups/<int:group_id>/containers/", groups.containers, name="group_containers"),
    path("groups/<int:group_id>/edit/", groups.edit, name="edit_group"),
    path("groups/<int:group_id>/remove/", groups.remove, name="remove_group"),
    path("servers/", servers.all_servers, name="servers"),
    path("servers/add/", adding.add, name="add_server"),
    path("servers/<int:server_id>/", servers.overview, name="server"),
    path("servers/<int:server_id>/state/", servers.state, name="server_state"),
    path("servers/<int:server_id>/look/", servers.look, name="look"),
    path("servers/<int:server_id>/containers/", servers.containers, name="server_containers"),
    path("servers/<int:server_id>/edit/", servers.edit, name="edit_server"),
    path("servers/<int:server_id>/remove/", servers.remove, name="remove_server"),
    path("servers/<int:server_id>/host-key/", adding.host_key, name="host_key"),
    path("servers/<int:server_id>/host-key/read/", adding.read_host_key, name="read_host_key"),
    path("servers/<int:server_id>/key/", adding.install_key, name="install_key"),
    path("servers/<int:server_id>/preflight/", adding.preflight, name="preflight"),
    path("containers/<int:container_id>/", containers.overview, name="container"),
]
