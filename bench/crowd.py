"""A crowd at the panel: 200 logged-in users read its pages while 20 Changes are applied at once.

`python -m bench.crowd` starts broker, worker, scheduler and web server as `manage.py up` does, in front of as
many servers of the benchmark's farm as there are Changes. The users are a process of their own
(bench/visitors.py). It ends with 1 on any page that does not come whole, any broken connection, and any
Change that is not done.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.panel import Panel
    from networks.models import Change

READERS_PER_GROUP = 4
MOST_S = 240
"""So long the users stay at most, should Changes not end."""


def main() -> int:
    """Run it and print what came; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.crowd", description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=40, help="how long the users stay at least")
    options = parser.parse_args()
    # As Ctrl-C: servers, namespaces and control groups are removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.geteuid() != 0:
        print("This needs root: it makes network namespaces and control groups.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="vb", ignore_cleanup_errors=True) as name:
        os.environ.update(
            VNETPANEL_VAR=name,
            DJANGO_SETTINGS_MODULE="vnetpanel.settings",
            VNETPANEL_LOG_LEVEL="WARNING",
            VNETPANEL_MEASURE_AFTER_CHANGES="off",
            DATABASE_URL="",
            REDIS_URL="",
        )
        import django

        django.setup()
        return run(Path(name), options)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def run(folder: Path, options: argparse.Namespace) -> int:
    """The farm, the panel, the users and the Changes."""
    from django.core.management import call_command

    from bench.farm import farm
    from bench.panel import panel
    from vnetpanel.launch import listen, url_of

    say(f"starting {options.changes} servers")
    with farm(options.changes, folder) as servers, panel(servers, say) as ours:
        ours.register(options.changes)
        call_command("collectstatic", interactive=False, verbosity=0)
        with listen("127.0.0.1:0") as listener:
            url = url_of(listener)
            ours.launcher.start_web(listener)
        ours.launcher.start_scheduler()
        cookies = log_in(ours, options.users)
        say(f"{options.users} users come")
        with visitors(folder, url, cookies, addresses(ours)) as crowd:
            time.sleep(min(10, options.seconds / 4))
            say(f"{options.changes} Changes at once")
            began = time.monotonic()
            with ThreadPoolExecutor(options.changes) as pool:
                ended = list(pool.map(change_on(ours), range(options.changes)))
            took = time.monotonic() - began
            time.sleep(max(0.0, options.seconds - 10 - took))
            found = crowd()
    return told(found, ended, took)


def log_in(ours: Panel, users: int) -> list[str]:
    """So many users with a session each; most may only look, and see the benchmark's group."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    from nodes.choices import Role
    from nodes.models import GroupRole

    cookies = []
    for number in range(users):
        user = User.objects.create(username=f"user{number:03}")
        role = Role.OPERATOR if number % READERS_PER_GROUP == 0 else Role.VIEWER
        GroupRole.objects.create(user=user, group=ours.home, role=role)
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
    return cookies


def addresses(ours: Panel) -> dict[str, list[str]]:
    """What people look at, by the kind of page."""
    from django.urls import reverse

    from nodes.models import Container, PhysicalServer

    servers = list(PhysicalServer.objects.order_by("name").values_list("pk", flat=True))
    containers = list(Container.objects.order_by("pk").values_list("pk", flat=True)[:40])

    def each(name: str, keys: list[int]) -> list[str]:
        return [reverse(name, args=[key]) for key in keys]

    return {
        "overview": [reverse("home")],
        "servers": [reverse("nodes:servers")],
        "server": each("nodes:server", servers),
        "server's networks": each("networks:server_networks", servers),
        "adapters": each("networks:server_adapters", servers),
        "container": each("nodes:container", containers),
        "group": [reverse("nodes:group", args=[ours.home.pk])],
        "assignments of a group": [reverse("networks:group_grid", args=[ours.home.pk])],
        "networks": [reverse("networks:list")],
        "changes": [reverse("networks:changes")],
        "problems": [reverse("networks:problems")],
        "topology of a server": each("networks:server_topology", servers),
        "visibility of a server": each("networks:server_visibility", servers),
        "search": [reverse("nodes:search") + "?q=node00"],
    }


def visitors(folder: Path, url: str, cookies: list[str], pages: dict[str, list[str]]) -> Any:
    """The crowd as a context; what it yields ends it and gives what it met."""
    from contextlib import contextmanager

    @contextmanager
    def running() -> Any:
        order = folder / "crowd.json"
        order.write_text(json.dumps({"url": url, "cookies": cookies, "pages": pages, "most_s": MOST_S}))
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.visitors", str(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield lambda: json.loads(process.communicate("end\n")[0])
        finally:
            process.kill()
            process.wait()

    return running()


def change_on(ours: Panel) -> Callable[[int], Change]:
    """A network on one server, made by a user of its own: drafted, reviewed and applied."""
    from django.contrib.auth.models import User
    from django.db import connections

    from bench.panel import settled
    from networks.choices import ChangeState
    from networks.domain.state import AddMember, Assign, CreateNetwork, InterfaceKey
    from networks.services.changes import apply_change, start_review
    from networks.services.drafts import stage
    from networks.services.errors import Conflict

    servers = list(ours.servers(ours.farm.size))

    def work(number: int) -> Change:
        try:
            server, network = servers[number], str(uuid.uuid4())
            # Every fourth may operate.
            user = User.objects.get(username=f"user{number * READERS_PER_GROUP:03}")
            # Local: on one wire they would be one network, which is warned of.
            edits = [
                CreateNetwork(network, f"crowd {number}"),
                Assign(network, server.pk, None),
                AddMember(network, InterfaceKey(server.pk, "101", "eth0")),
            ]
            stage(user, edits)
            change = settled(start_review(user, "crowd"), lambda one: one.state != ChangeState.PLANNING)
            ticked = {row["key"] for row in change.problems if row["severity"] == "warn"}
            try:
                return settled(apply_change(user, change, ticked), lambda one: one.is_terminal)
            except Conflict as error:
                change.result = str(error)
                return change
        finally:
            connections.close_all()

    return work


def told(found: dict[str, Any], ended: list[Change], took: float) -> int:
    """Print the figures; 1 if anything failed."""
    from bench.report import machine

    for line in machine(Path(".venv-bench/bin"), f"python -m bench.crowd {' '.join(sys.argv[1:])}"):
        print(line)
    done = sum(change.state == "done" for change in ended)
    count = sum(row["count"] for row in found["pages"].values())
    errors = len(found["faults"])
    print(f"{len(found['users'])} users, {count} pages in {found['seconds']:.0f} s, {errors} errors")
    print(f"{done} of {len(ended)} Changes done, all within {took:.0f} s of the first click")
    print("| page | how many | median ms | 95 of 100 within ms | longest ms |\n|---|---|---|---|---|")
    for name, row in sorted(found["pages"].items(), key=lambda item: -item[1]["p95"]):
        print(f"| {name} | {row['count']} | {row['median']:.0f} | {row['p95']:.0f} | {row['max']:.0f} |")
    for fault in found["faults"][:20]:
        print(f"error: {fault}")
    for change in ended:
        if change.state != "done":
            print(f"not done: {change} ({change.state}) {change.result[:300]}")
    return 0 if done == len(ended) and not found["faults"] else 1


if __name__ == "__main__":
    sys.exit(main())
