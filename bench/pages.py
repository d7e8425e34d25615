"""Pages of one installation, measured as bench/web.py asks: `python -m bench.pages SERVERS ROUNDS`.

A process of its own, because the database is chosen when the settings are read. The web server is the one
that `manage.py up` starts; requests come over kept connections, one after the other, and count whole.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django

from bench.farm import prefix
from bench.meter import Group

CONTAINERS, INTERFACES, NETWORKS, CHANGES, OPERATIONS = 50, 2, 200, 225, 200
ADAPTERS = 2
"""Of each server of the fleet."""
DRIFTING = 5
"""One server in so many differs from what was decided: a full page of them on the smaller installation."""
TROUBLED = 10
"""One server in so many has a problem."""
USERS = 10
MEMBERS = 10
"""Of each server's containers, so many have their first interface in a network."""
POLL_S = 1.0
VIEW_S = 5.0
WARM = 1
"""Requests that are not counted, of each connection."""


def main(servers: int, rounds: int) -> None:
    """Make the installation, start its web server, name its pages, then measure what is asked for.

    Each line of standard input is JSON, and answered by one: {"page": NAME}, with "counts" for
    how many queries it takes, or {"viewers": NUMBER}.
    """
    from django.conf import settings
    from django.core.management import call_command

    from vnetpanel.launch import Launcher, listen

    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    pages, progress = fill(servers)
    settle()
    cookie = f"{settings.SESSION_COOKIE_NAME}={logged_in()}"
    launcher = Launcher("127.0.0.1:0", False, Path(settings.VAR_DIR), lambda text: None)
    launcher.prefix = (web := Group(f"{prefix()}-web{servers}")).prefix
    # SQLite runs inside the web server.
    groups = [web, *([Group(f"{prefix()}-database")] if os.environ.get("DATABASE_URL") else [])]
    with listen("127.0.0.1:0") as listener:
        port = listener.getsockname()[1]
        launcher.start_web(listener)
        # Its processes are slow for the first dozen requests, whichever page these ask for.
        measured(port, cookie, pages["tree"][0], 20, [])
        print(json.dumps(list(pages)), flush=True)
        try:
            for line in sys.stdin:
                asked = json.loads(line)
                answer: Any
                if name := asked.get("page"):
                    answer = {
                        "figures": [measured(port, cookie, one, rounds, groups) for one in pages[name]],
                        "queries": queries(pages[name][0]) if asked.get("counts") else None,
                    }
                else:
                    answer = watched(port, cookie, progress, asked["viewers"])
                print(json.dumps(answer), flush=True)
        finally:
            launcher.supervisor.stop()
            web.remove()


def fill(servers: int) -> tuple[dict[str, list[str]], str]:
    """An installation of that size: lists with their first and deepest address, and a Change under way."""
    from django.contrib.auth import get_user_model
    from django.urls import reverse

    from bench.trail import fill_trail
    from networks.choices import ChangeState, OperationState
    from networks.domain.waves import MOST
    from networks.models import Change, Operation, VirtualNetwork
    from nodes.models import Container, ContainerInterface, PhysicalServer, ServerGroup
    from tests.nodes.fleet import make_fleet

    tops = make_fleet(servers, CONTAINERS, INTERFACES)
    user = get_user_model().objects.create_superuser("bench", password="bench-bench-bench")  # noqa: S106
    VirtualNetwork.objects.bulk_create(
        VirtualNetwork(name=f"network {n:03}", bridge=f"vn-{n}") for n in range(NETWORKS)
    )
    Change.objects.bulk_create(
        Change(
            author=user,
            base=0,
            state=ChangeState.DISCARDED if n % 9 == 0 else ChangeState.DONE,
            summary=f"Change {n}.",
        )
        for n in range(CHANGES)
    )
    live = Change.objects.create(
        author=user, base=0, state=ChangeState.APPLYING, summary="A Change on many servers."
    )
    some = list(PhysicalServer.objects.order_by("pk")[:OPERATIONS])
    Operation.objects.bulk_create(
        Operation(
            change=live,
            server=one,
            server_name=one.name,
            state=OperationState.APPLYING,
            wave=1 + number // MOST,
            commands=[{"phase": "critical", "text": "ip link set dev eth0 master vn-a"}],
        )
        for number, one in enumerate(some)
    )
    _design()
    _trouble()
    lines = fill_trail(list(PhysicalServer.objects.order_by("pk")), _users(user))
    group = ServerGroup.objects.filter(path__startswith=tops[0].path, servers__isnull=False).first()
    assert group
    in_group = servers * CONTAINERS // 2

    def deep(address: str, rows: int) -> list[str]:
        return [address, f"{address}?page={max(1, -(-rows // 50))}"]

    pages = {
        "first page": [reverse("home")],
        "tree": [reverse("nodes:tree")],
        "servers": deep(reverse("nodes:servers"), servers),
        "servers of a group": deep(reverse("nodes:group_servers", args=[tops[0].pk]), servers // 2),
        "containers of a group": deep(reverse("nodes:group_containers", args=[tops[0].pk]), in_group),
        "containers of a server": [reverse("nodes:server_containers", args=[some[0].pk])],
        "adapters of a server": [reverse("networks:server_adapters", args=[some[0].pk])],
        "virtual networks": deep(reverse("networks:list"), NETWORKS),
        "virtual networks of a group": deep(reverse("networks:group_networks", args=[group.pk]), NETWORKS),
        "virtual networks of a server": deep(
            reverse("networks:server_networks", args=[some[0].pk]), NETWORKS
        ),
        "changes": deep(reverse("networks:changes"), CHANGES * 8 // 9),
        "servers by virtual networks": [
            reverse("networks:group_grid", args=[tops[0].pk]),
            f"{reverse('networks:group_grid', args=[tops[0].pk])}?servers={servers // 100}&networks=5",
        ],
        "a virtual network": [reverse("networks:detail", args=[VirtualNetwork.objects.earliest("name").pk])],
        "interfaces for a network": [
            adding := reverse("networks:add_members", args=[VirtualNetwork.objects.earliest("name").pk]),
            f"{adding}?{_last_candidates(user)}",
        ],
        "drift": deep(reverse("networks:drift"), servers // DRIFTING),
        "drift of a server": [reverse("networks:server_drift", args=[some[0].pk])],
        "problems": [reverse("networks:problems")],
        "problems of one cause": [
            of_a_cause := reverse("networks:problems") + "?cause=address-clash",
            f"{of_a_cause}&page={-(-servers // TROUBLED // 25)}",
        ],
        "audit trail": deep(reverse("audit"), lines),
        "search": [reverse("nodes:search") + "?q=web-1"],
        "search for something rare": [reverse("nodes:search") + f"?q={Container.objects.latest('pk').name}"],
        "search for a MAC address": [
            reverse("nodes:search") + f"?q={ContainerInterface.objects.latest('pk').mac}"
        ],
        **_administration(servers, lines),
    }
    return pages, reverse("networks:change", args=[live.pk])


def _administration(servers: int, lines: int) -> dict[str, list[str]]:
    """The lists of the administration that grow with an installation."""
    from django.apps import apps
    from django.urls import reverse

    rows = {
        "nodes_physicalserver": servers,
        "nodes_adapter": servers * ADAPTERS,
        "nodes_container": servers * CONTAINERS,
        "nodes_containerinterface": servers * CONTAINERS * INTERFACES,
        "trust_entry": lines,
    }
    names = {name: reverse(f"admin:{name}_changelist") for name in rows}
    return {
        f"administration, {apps.get_model(name.replace('_', '.'))._meta.verbose_name_plural}": [
            address,
            f"{address}?p={-(-rows[name] // 50)}",
        ]
        for name, address in names.items()
    }


def _users(superuser: Any) -> list[Any]:
    """Whose lines are in the audit trail."""
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    return [superuser, *(users.create_user(f"user {number}") for number in range(1, USERS))]


def _last_candidates(user: Any) -> str:
    """The query of the last page of interfaces that can join a network: pages by key have no number."""
    from networks.keyset import END
    from networks.models import VirtualNetwork
    from networks.picker import candidates
    from networks.views.paging import AFTER

    pk = VirtualNetwork.objects.earliest("name").pk
    last = candidates(user, str(pk), (), "", END)
    assert last.before
    before = candidates(user, str(pk), (), "", last.before)
    assert before.after
    return urlencode([(AFTER, value) for value in before.after.position])


def _design() -> None:
    """Two networks on each server's adapters, and their members: network n on servers n, n + 100, ..."""
    from networks.models import Assignment, Member, VirtualNetwork
    from nodes.models import Adapter, ContainerInterface

    networks = list(VirtualNetwork.objects.order_by("name"))
    adapters = Adapter.objects.order_by("server_id", "name").values_list("pk", "server_id")
    placed = {
        pk: (server, networks[(server * 2 + number % 2) % NETWORKS])
        for number, (pk, server) in enumerate(adapters)
    }
    Assignment.objects.bulk_create(
        Assignment(network=network, server_id=server, adapter_id=pk)
        for pk, (server, network) in placed.items()
    )
    home = dict(placed.values())
    first = ContainerInterface.objects.filter(
        ifname="eth0", container__ctid__in=[str(1000 + number) for number in range(MEMBERS)]
    )
    Member.objects.bulk_create(
        Member(network=home[server], interface_id=pk)
        for pk, server in first.values_list("pk", "container__server_id")
    )


def _trouble() -> None:
    """A property that differs on one server in five, a problem on one in ten."""
    from django.utils import timezone

    from networks.models import Drift, StandingProblem
    from nodes.models import PhysicalServer

    now = timezone.now()
    keys = list(PhysicalServer.objects.order_by("pk").values_list("pk", flat=True))
    Drift.objects.bulk_create(
        Drift(
            server_id=key, kind="adapter", name="eth0", property_name="bridge", link="eth0",
            desired="in vn-1", observed="in no bridge", first_seen_at=now, seen_at=now,
        )
        for key in keys[::DRIFTING]
    )  # fmt: skip
    problems = StandingProblem.objects.bulk_create(
        StandingProblem(
            cause="address-clash", key=f"problem {key}", severity="warn", first_seen_at=now,
            text=f"Two containers of server {key} have the same IP address.",
        )
        for key in keys[::TROUBLED]
    )  # fmt: skip
    through = StandingProblem.servers.through
    through.objects.bulk_create(
        through(standingproblem_id=one.pk, physicalserver_id=key)
        for one, key in zip(problems, keys[::TROUBLED], strict=True)
    )


def settle() -> None:
    """What PostgreSQL does by itself within minutes, done before rather than while pages are measured."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def bench_user() -> Any:
    """The user who asks for the pages."""
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(username="bench")


def logged_in() -> str:
    """The session key of a user who has just logged in."""
    from django.test import Client

    client = Client()
    client.force_login(bench_user())
    return str(client.session.session_key)


def queries(address: str) -> int:
    """How many queries the page takes."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(bench_user())
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200, address
    return len(captured)


@contextmanager
def connected(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        yield connection
    finally:
        connection.close()


def measured(port: int, cookie: str, address: str, rounds: int, groups: list[Group]) -> tuple[float, float]:
    """Milliseconds of a page, warmed up: the median, and processor time of web and database."""
    times = []
    with connected(port) as connection:
        for number in range(rounds + WARM):
            if number == WARM:
                before = sum(group.cpu_s() for group in groups)
            started = time.perf_counter()
            connection.request("GET", address, headers={"Cookie": cookie, "Host": "127.0.0.1"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200, (address, response.status)
            times.append((time.perf_counter() - started) * 1000)
    spent = sum(group.cpu_s() for group in groups) - before
    return statistics.median(times[WARM:]), spent * 1000 / rounds


def watched(port: int, cookie: str, address: str, number: int) -> dict[str, float]:
    """So many browsers that poll a progress page as it asks them to; milliseconds of an answer.

    The Change goes on meanwhile, so that every answer is a new one.
    """
    times: list[float] = []
    end = time.monotonic() + VIEW_S
    headers = {"Cookie": cookie, "Host": "127.0.0.1", "HX-Request": "true"}

    def view(place: int) -> None:
        time.sleep(POLL_S * place / number)
        etag = ""
        with connected(port) as connection:
            while time.monotonic() < end:
                started = time.perf_counter()
                connection.request("GET", address, headers={**headers, "If-None-Match": etag})
                response = connection.getresponse()
                response.read()
                etag = response.headers.get("ETag", "")
                took = time.perf_counter() - started
                times.append(took * 1000)
                time.sleep(max(0.0, POLL_S - took))

    threads = [threading.Thread(target=view, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        _go_on()
        time.sleep(POLL_S / 2)
    for thread in threads:
        thread.join()
    times.sort()
    return {
        "median": statistics.median(times),
        "p95": times[int(len(times) * 0.95)],
        "per_s": len(times) / VIEW_S,
    }


def _go_on() -> None:
    """A step of the Change under way, as the story of its servers counts it."""
    from django.db.models import F

    from networks.choices import ChangeState
    from networks.models import Change

    Change.objects.filter(state=ChangeState.APPLYING).update(version=F("version") + 1)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vnetpanel.settings")
    with tempfile.TemporaryDirectory(prefix="vbw", ignore_cleanup_errors=True) as name:
        os.environ.update(VNETPANEL_VAR=name, VNETPANEL_LOG_LEVEL="WARNING")
        django.setup()
        main(int(sys.argv[1]), int(sys.argv[2]))
