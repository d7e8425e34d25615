"""Every list, the tree and the search take at most six queries, with 1,000 servers and 50,000 containers.

Whoever asks: a superuser, or who has roles in groups, which are read together with her.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from networks.domain.state import Assign
from networks.models import VirtualNetwork
from networks.services import drafts
from nodes.models import GroupRole, PhysicalServer, ServerGroup
from tests.networks.changes import decide
from tests.networks.conftest import Scene
from tests.nodes.fleet import make_fleet
from tests.pages.conftest import logged_in

MOST = 6
MOST_OF_THE_PAST = 9
"""Three more: the revision, what it names, and the Change that decided it."""
MOST_OF_A_PAGE = 9
"""A page about one thing reads the thing and its parts as well."""
MOST_OF_A_SERVER = 9
"""With what it is behind of, how it is prepared, and what has been decided for its next boot."""
MOST_OF_A_BULK = 11
"""As a grid of one column, with the groups to choose from and the names of networks in the way."""
MOST_OF_A_DRAFT = 14
"""The draft is judged as a whole: desired, all that rules ask about, and the links of what they say."""
MOST_OF_A_NETWORK = 20
"""Its servers and members, and the network judged with its neighbours, whose inventory is six of them."""
MOST_OF_CONFIGURE = 17
"""Members, the grid's column, and the network judged with its neighbours."""


def too_many(client: Any, pages: dict[str, int]) -> dict[str, list[str]]:
    """The queries of those pages that take more than they may."""
    found = {}
    for address, most in pages.items():
        with CaptureQueriesContext(connection) as queries:
            response = client.get(address)
            if response.streaming:
                assert len(b"".join(response.streaming_content)) > 10_000
        assert response.status_code == 200, address
        if len(queries) > most:
            found[address] = [query["sql"][:200] for query in queries]
    return found


# One test, because making the fleet takes longer than all its pages.
def test_no_page_takes_more_queries_than_it_may(db: None, alice: Any, admin: Any) -> None:
    tops = make_fleet()
    VirtualNetwork.objects.bulk_create(VirtualNetwork(name=f"network {n:03}") for n in range(200))
    GroupRole.objects.create(user=alice, group=tops[0], role="operator")
    group = ServerGroup.objects.filter(path__startswith=tops[0].path, servers__isnull=False).first()
    assert group
    server = PhysicalServer.objects.filter(group=group).first()
    assert server
    container = server.containers.first()
    assert container
    pages = {
        reverse("home"): MOST,
        reverse("nodes:tree"): MOST,
        reverse("nodes:tree") + "?q=node0": MOST,
        reverse("nodes:tree_group", args=[group.pk]): MOST,
        reverse("nodes:tree_server", args=[server.pk]): MOST,
        reverse("nodes:servers"): MOST,
        reverse("nodes:servers") + "?page=9&sort=-containers_count&q=node": MOST,
        reverse("nodes:group_servers", args=[tops[0].pk]): MOST,
        reverse("nodes:group_containers", args=[tops[0].pk]): MOST,
        reverse("nodes:group_containers", args=[tops[0].pk]) + "?q=web&page=3": MOST,
        reverse("nodes:search") + "?q=web-1": MOST,
        reverse("networks:list"): MOST,
        reverse("networks:group_networks", args=[group.pk]): MOST,
        reverse("networks:server_networks", args=[server.pk]): MOST,
        reverse("nodes:search") + "?q=network 1": MOST,
        reverse("networks:group_grid", args=[tops[0].pk]): MOST,
        reverse("networks:group_grid", args=[tops[0].pk]) + "?servers=9&networks=9": MOST,
        reverse("networks:changes"): MOST,
        reverse("networks:drift"): MOST,
        reverse("networks:server_drift", args=[server.pk]): MOST,
        reverse("networks:problems"): MOST,
        reverse("networks:topology") + "?servers=9": MOST,
        reverse("networks:group_topology", args=[tops[0].pk]) + "?servers=9": MOST,
        reverse("audit"): MOST,
        reverse("nodes:group", args=[tops[0].pk]): MOST_OF_A_PAGE,
        reverse("nodes:server", args=[server.pk]): MOST_OF_A_SERVER,
        reverse("networks:server_adapters", args=[server.pk]): MOST,
        reverse("nodes:server_containers", args=[server.pk]): MOST,
        reverse("nodes:container", args=[container.pk]): MOST_OF_A_PAGE,
    }
    network = str(VirtualNetwork.objects.get(name="network 007").pk)
    on_each = [
        Assign(network, pk, "eth0")
        for pk in PhysicalServer.objects.operable_by(alice).values_list("pk", flat=True)
    ]
    drafted = {
        reverse("networks:draft"): MOST_OF_A_DRAFT,
        reverse("networks:draft") + "?q=node&page=9": MOST_OF_A_DRAFT,
        reverse("networks:draft") + "?format=csv": MOST_OF_A_DRAFT,
        reverse("networks:detail", args=[network]): MOST_OF_A_NETWORK,
        reverse("networks:configure", args=[network]): MOST_OF_CONFIGURE,
        reverse("networks:add_members", args=[network]): MOST,
        reverse("networks:add_members", args=[network]) + "?container=web-1&sort=-ctid": MOST,
        reverse("networks:add_members", args=[network]) + "?format=csv": MOST,
        reverse("networks:assign_many", args=[network]) + "?adapter=eth1&vid=5": MOST_OF_A_BULK,
        reverse("networks:group_grid", args=[tops[0].pk]) + "?format=csv": MOST,
    }
    other = str(VirtualNetwork.objects.get(name="network 008").pk)
    decide(*(Assign(other, pk, None) for pk in PhysicalServer.objects.values_list("pk", flat=True)))
    then = {
        f"{reverse(name, args=args)}?as_of=1": most
        for name, args, most in (
            ("networks:list", [], MOST),
            ("networks:group_networks", [group.pk], MOST),
            ("networks:server_networks", [server.pk], MOST),
            ("networks:group_grid", [tops[0].pk], MOST_OF_THE_PAST),
            ("networks:topology", [], MOST_OF_THE_PAST),
            ("networks:group_topology", [tops[0].pk], MOST_OF_THE_PAST),
            ("networks:server_adapters", [server.pk], MOST_OF_THE_PAST),
        )
    }
    found = {}
    for user in (alice, admin):
        client = logged_in(user)
        of_hers = too_many(client, pages)
        drafts.stage(user, on_each)
        of_hers |= too_many(client, drafted)
        of_hers |= too_many(client, then)
        found |= {f"{page} for {user}": sql for page, sql in of_hers.items()}
    assert not found, "\n".join(f"{page}: {len(sql)} {sql}" for page, sql in found.items())


@pytest.mark.parametrize("page", [3, 4, 99999, "9" * 30])
def test_a_page_too_far_is_the_last(db: None, admin: Any, page: int | str) -> None:
    make_fleet(101, 1)
    shown = logged_in(admin).get(f"{reverse('nodes:servers')}?page={page}").content.decode()
    assert "node0100" in shown and "node0099" not in shown and "node0001" not in shown


def test_containers_of_one_ctid_are_on_one_page_each(db: None, admin: Any) -> None:
    """Rows that are equal in what they are sorted by have no order of their own on PostgreSQL."""
    top = make_fleet(240, 1)[0]
    client, address = logged_in(admin), reverse("nodes:group_containers", args=[top.pk])
    seen = [
        name
        for page in (1, 2, 3)
        for name in re.findall(r">(web-\d+-0)<", client.get(f"{address}?page={page}").content.decode())
    ]
    assert len(seen) == len(set(seen)) == 120
    with CaptureQueriesContext(connection) as queries:
        client.get(f"{address}?sort=ctid&page=2")
    (rows,) = (q["sql"] for q in queries if "LIMIT 5" in q["sql"] and "nodes_container" in q["sql"])
    assert re.search(r'"container_ctid" ASC, (1|"nodes_container"."id") ASC LIMIT', rows)


def test_what_is_shown_of_an_interface_is_read_for_one_page_only(scene: Scene, admin: Any) -> None:
    """Containers to add to a network, sorted by what all are read for: of the others only keys are sorted."""
    network = VirtualNetwork.objects.create(name="A")
    address = reverse("networks:add_members", args=[network.pk]) + "?sort=ctid"
    with CaptureQueriesContext(connection) as queries:
        assert logged_in(admin).get(address).status_code == 200
    (rows,) = (q["sql"] for q in queries if "LIMIT 26" in q["sql"] and "addresses_text" in q["sql"])
    inner = rows[rows.index("IN (SELECT") : rows.index("LIMIT 26")]
    assert "addresses_text" not in inner.split("FROM")[0]
