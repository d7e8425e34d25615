"""What looks and Changes of several servers cost, counted on real ones: commands, connections, messages."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.farm import Farm, farm
from bench.meter import Group, NoControlGroups
from lab.netns import inside
from networks.choices import ChangeState
from networks.domain.state import AddMember, Assign, CreateNetwork, InterfaceKey
from networks.engine import planning, runner
from networks.measure import measure_script
from networks.models import Change
from networks.services import changes, drafts
from nodes.fanout import observe_many
from nodes.lab_registration import LabServers, register
from nodes.models import PhysicalServer
from nodes.observe import pool
from nodes.ssh import Pool
from tests.sshd import require_sshd

pytestmark = [pytest.mark.netns, pytest.mark.django_db(transaction=True)]
SIZE = 3
MEASURE = measure_script().encode()[:60]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Farm]:
    """Real servers that this thread, and those it starts, can reach."""
    require_sshd()
    name = f"vbc{os.getpid():x}"
    try:
        Group(f"{name}-try").remove()
    except NoControlGroups as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    with farm(SIZE, tmp_path, name) as made, inside(made.hub):
        names = {f"server{number}": made.address(number) for number in range(SIZE)}
        register(LabServers(names, made.key.read_text(), (tmp_path / "known_hosts").read_text()))
        yield made
        for pk in PhysicalServer.objects.values_list("pk", flat=True):
            pool().forget(str(pk))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Commands by verb of the script; "look" for the probe, "VERB, look" for both in one.

    "ask": whom members hear. Those over connections of their own count as "new" as well.
    """
    counted: Counter[str] = Counter()
    real = Pool.run

    def run(self: Pool, target: Any, command: Any, **how: Any) -> Any:
        if command.argv[1] == "-s":
            counted["ask" if command.stdin.startswith(MEASURE) else "look"] += 1
        else:
            with_look = [f"{verb}, look" for verb in ("settle", "confirm") if verb in command.argv[3:]]
            counted[next(iter(with_look), command.argv[2])] += 1
        counted["new"] += bool(how.get("fresh"))
        return real(self, target, command, **how)

    monkeypatch.setattr(Pool, "run", run)
    return counted


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Messages given to the broker, instead of giving them."""
    messages: list[str] = []
    monkeypatch.setattr(changes, "send", lambda task, pk: messages.append(task))
    return messages


def change_of(user: Any, adapter: str, local: int = 0) -> Change:
    """Reviewed: a network on that adapter of every server with the container of each, and some local ones."""
    network, *others = (str(uuid.uuid4()) for _ in range(1 + local))
    edits: list[Any] = [CreateNetwork(network, f"on {adapter}")]
    edits += [CreateNetwork(other, f"local {number}") for number, other in enumerate(others)]
    for server in PhysicalServer.objects.all():
        edits += [Assign(other, server.pk, None) for other in others]
        edits += [
            Assign(network, server.pk, adapter),
            AddMember(network, InterfaceKey(server.pk, "101", "eth0")),
        ]
    drafts.stage(user, edits)
    change = changes.start_review(user)
    planning.plan(change.pk)
    change.refresh_from_db()
    return change


def apply(user: Any, change: Change) -> Change:
    changes.apply_change(user, change, {row["key"] for row in change.problems})
    runner.run_change(change.pk)
    change.refresh_from_db()
    return change


def test_a_look_is_one_command_a_server(servers: Farm, ran: Counter[str]) -> None:
    observe_many(PhysicalServer.objects.values_list("pk", flat=True))
    assert ran == {"look": SIZE, "new": 0}


@pytest.mark.parametrize("local", [0, 5])
def test_a_change_is_two_commands_a_server_no_connection_and_two_messages_whatever_it_holds(
    servers: Farm, ran: Counter[str], sent: list[str], admin_user: Any, local: int
) -> None:
    change = apply(admin_user, change_of(admin_user, "eth1", local))
    assert change.state == ChangeState.DONE, change.result
    # The first time each server gets the script, and is prepared for a reboot.
    ran.clear()
    sent.clear()
    opened = [servers.connections_taken(number) for number in range(SIZE)]
    back = change_back(admin_user, change)
    assert ran == {"look": SIZE, "plan": SIZE, "new": 0} and sent == ["networks.plan_change"]
    ran.clear()
    done = apply(admin_user, back)
    assert done.state == ChangeState.DONE, done.result
    assert ran == {"hold": SIZE, "settle, look": SIZE, "new": 0}
    assert sent == ["networks.plan_change", "networks.run_change"]
    assert [servers.connections_taken(number) for number in range(SIZE)] == opened
    assert all("vn-on-eth1" not in servers.links(number) for number in range(SIZE))


def change_back(user: Any, change: Change) -> Change:
    """Reviewed: what the Change made is taken away."""
    from networks.desired import head
    from networks.domain.state import DeleteNetwork, RemoveMember, Unassign

    state = head().state
    edits: list[Any] = [RemoveMember(member.interface) for member in state.members]
    edits += [Unassign(one.network, one.server) for one in state.assignments]
    edits += [DeleteNetwork(network.id) for network in state.networks]
    drafts.stage(user, edits)
    found = changes.start_review(user)
    planning.plan(found.pk)
    found.refresh_from_db()
    return found


def test_a_guarded_change_is_three_commands_a_server_two_of_them_over_new_connections(
    servers: Farm, ran: Counter[str], sent: list[str], admin_user: Any
) -> None:
    change = change_of(admin_user, "eth0")
    ran.clear()
    done = apply(admin_user, change)
    assert done.state == ChangeState.DONE, done.result
    assert ran["apply"] == SIZE + ran["-c"] and ran["confirm, look"] == ran["new"] == 2 * SIZE
    # Of these few servers at most one is asked whether members hear each other (ADR 21).
    assert ran["ask"] <= 1 and ran["look"] == ran["follow"] == 0
    assert all(servers.links(number)["eth0"] == "vn-on-eth0" for number in range(SIZE))
