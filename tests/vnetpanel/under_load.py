"""What a driver beside a running panel does: `python -m tests.vnetpanel.under_load FOLDER STEP`.

It uses the services that pages call, on the panel's own database, and prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

LONGEST_S = 170


def register(folder: Path) -> dict[str, Any]:
    """The farm's servers, looked at; a user for each; a session of one of them."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    from nodes.lab_registration import LabServers, register
    from nodes.models import PhysicalServer

    given = json.loads((folder / "farm.json").read_text())
    register(LabServers(given["addresses"], given["key"], given["known_hosts"]))
    for number in range(len(given["addresses"])):
        User.objects.create_superuser(f"user{number}")
    user = User.objects.get(username="user0")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    states = list(PhysicalServer.objects.order_by("name").values_list("state", flat=True))
    return {"states": states, "cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}"}


def again(work: Callable[[], Any]) -> Any:
    """The work, tried again while the database is away, as a person who clicks once more."""
    from django.db import DatabaseError, InterfaceError, connection

    end = time.monotonic() + LONGEST_S
    while True:
        try:
            return work()
        except (DatabaseError, InterfaceError):
            if time.monotonic() > end:
                raise
            with contextlib.suppress(Exception):
                connection.close()
            time.sleep(0.5)


def one_change(number: int, name: str) -> dict[str, Any]:
    """A network on one server, drafted, reviewed and applied by its user, to its end."""
    from django.contrib.auth.models import User

    from networks.choices import ChangeState
    from networks.domain.state import AddMember, Assign, CreateNetwork, InterfaceKey
    from networks.models import Change
    from networks.services.changes import apply_change, start_review
    from networks.services.drafts import discard, stage
    from networks.services.errors import Conflict
    from nodes.models import PhysicalServer

    user = again(lambda: User.objects.get(username=f"user{number}"))
    server = again(lambda: PhysicalServer.objects.get(name=f"server{number}"))
    network = str(uuid.uuid4())
    edits: list[Any] = [CreateNetwork(network, name), Assign(network, server.pk, None)]
    if name.startswith("first"):
        edits.append(AddMember(network, InterfaceKey(server.pk, "101", "eth0")))

    def ended(pk: Any, holds: Callable[[Any], bool]) -> Any:
        end = time.monotonic() + LONGEST_S
        while not holds(found := again(lambda: Change.objects.get(pk=pk))):
            if time.monotonic() > end:
                raise TimeoutError(f"{name}: still {found.state}")
            time.sleep(0.2)
        return found

    def drafted() -> None:
        discard(user)
        stage(user, edits)

    again(drafted)
    change = again(lambda: start_review(user, name))
    change = ended(change.pk, lambda one: one.state != ChangeState.PLANNING)
    ticked = {row["key"] for row in change.problems}

    def applied() -> None:
        # It may have been stored though the answer was lost.
        with contextlib.suppress(Conflict):
            apply_change(user, Change.objects.get(pk=change.pk), ticked)

    again(applied)
    change = ended(change.pk, lambda one: one.is_terminal)
    return {"pk": str(change.pk), "name": name, "state": change.state, "result": change.result}


def changes(kind: str) -> dict[str, Any]:
    """A Change on every server at once, and what the database holds afterwards."""
    from django.contrib.auth.models import User
    from django.db import connections

    size = again(lambda: User.objects.filter(username__startswith="user").count())
    rows: list[Any] = [None] * size

    def work(number: int) -> None:
        try:
            rows[number] = one_change(number, f"{kind} {number}")
        except Exception as error:
            rows[number] = {"name": f"{kind} {number}", "state": f"{type(error).__name__}: {error}"}
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The database may be killed only now.
    return {"changes": rows, **again(stored)}


def stored() -> dict[str, Any]:
    """What the database holds of Changes; its audit trail is whole."""
    from django.core.management import call_command
    from django.utils import timezone

    from networks.choices import IDLE_OPERATION_STATES
    from networks.desired import head
    from networks.models import Change, Decision, Operation, Revision

    call_command("verify_audit", verbosity=0, stdout=sys.stderr)
    decided = Decision.objects.exclude(revision=None).values_list("change", "revision")
    return {
        "networks": sorted(network.name for network in head().state.networks),
        "revisions": sorted(Revision.objects.values_list("number", flat=True)),
        "decided": [str(change) for change, _ in decided],
        "leased": Change.objects.filter(lease_until__gt=timezone.now(), ended_at__isnull=False).count(),
        "open": Operation.objects.exclude(state__in=IDLE_OPERATION_STATES).count(),
    }


def review() -> dict[str, Any]:
    """A review asked for while nobody can be told of it, and how long the asking took."""
    from django.contrib.auth.models import User

    from networks.domain.state import CreateNetwork
    from networks.services.changes import start_review
    from networks.services.drafts import stage

    user = User.objects.get(username="user0")
    stage(user, [CreateNetwork(str(uuid.uuid4()), "unheard")])
    began = time.monotonic()
    change = start_review(user)
    return {"pk": str(change.pk), "seconds": time.monotonic() - began}


def main(folder: Path, step: str) -> None:
    """One step; its answer is the last line of standard output."""
    django.setup()
    if step == "register":
        answer = register(folder)
    elif step == "review":
        answer = review()
    else:
        answer = changes(step)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
