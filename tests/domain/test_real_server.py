"""Plans against the real script and the real probe, in a network namespace: the core's idea holds.

There is no vzctl here, so the test itself says which containers there are and what is saved for them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from networks.domain.inventory import Inventory, ServerView
from networks.domain.names import name_bridges
from networks.domain.plan import ServerPlan, plan
from networks.domain.state import (
    AddMember,
    Assign,
    CreateNetwork,
    DeleteNetwork,
    Desired,
    Edit,
    InterfaceKey,
    RemoveMember,
    Unassign,
    apply_edits,
)
from networks.domain.verify import mismatches
from networks.host import transaction_script
from networks.host.answers import Answer, parse_answer
from networks.host.grammar import Save
from nodes.facts import Container, ContainerInterface, ServerFacts
from nodes.probe import new_nonce, probe_command
from nodes.probe_output import parse_look

pytestmark = pytest.mark.netns
CTIDS = ("203", "204", "205")


class Server:
    """A network namespace with the host sides of three containers."""

    def __init__(self, files: Path) -> None:
        self.namespace = f"vndomain{os.getpid()}"
        self.script = files / "transaction"
        self.script.write_text(transaction_script())
        places = {"RUN": files / "run", "ETC": files / "etc", "LIB": files / "lib"}
        self.environment = {k: v for k, v in os.environ.items() if k != "SSH_CONNECTION"}
        for prefix in ("VNP", "PROBE"):
            self.environment |= {f"{prefix}_{name}": str(path) for name, path in places.items()}
        self.saved: dict[str, str] = {}
        self.changes = 0

    def run(self, *words: str, stdin: bytes = b"") -> bytes:
        command = ["ip", "netns", "exec", self.namespace, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, env=self.environment)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        return done.stdout

    def look(self) -> ServerFacts:
        nonce = new_nonce()
        command = probe_command(nonce)
        facts = parse_look(self.run(*command.argv, stdin=command.stdin), nonce)
        return replace(facts, vzctl_dialect="4", containers=tuple(map(self.container, CTIDS)))

    def container(self, ctid: str) -> Container:
        saved = self.saved.get(ctid, "")
        eth0 = ContainerInterface("eth0", "bridged", host_ifname=f"veth{ctid}.0", configured_bridge=saved)
        return Container(ctid, status="running", interfaces=(eth0,))

    def plan(self, desired: Desired, before: Desired) -> ServerPlan:
        return plan(ServerView(1, "server1", facts=self.look()), desired, before, Inventory())

    def apply(self, made: ServerPlan) -> Answer:
        text = made.host.render().encode()
        reviewed = parse_answer(self.run("sh", str(self.script), "plan", stdin=text))
        self.changes += 1
        words = ("apply", f"change-{self.changes}", "30", reviewed.digest)
        answer = parse_answer(self.run("sh", str(self.script), *words, stdin=text))
        saves = [save for save in made.host.saves if isinstance(save, Save)]
        self.saved |= {save.ctid: save.bridge or "vn-none" for save in saves}
        return answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    subprocess.run(["ip", "netns", "add", server.namespace], check=True)
    try:
        for ctid in CTIDS:
            server.run("ip", "link", "add", f"veth{ctid}.0", "type", "veth", "peer", "name", f"ct{ctid}")
        yield server
    finally:
        subprocess.run(["ip", "netns", "del", server.namespace], check=True)


def eth0(ctid: str) -> InterfaceKey:
    return InterfaceKey(1, ctid, "eth0")


CHANGES: tuple[tuple[Edit, ...], ...] = (
    (CreateNetwork("c", "C"), Assign("c", 1, None), AddMember("c", eth0("203")), AddMember("c", eth0("204"))),
    (RemoveMember(eth0("204")), CreateNetwork("e", "E"), AddMember("e", eth0("205"))),
    (RemoveMember(eth0("203")), AddMember("e", eth0("203")), Unassign("c", 1), DeleteNetwork("c")),
)


def test_what_is_planned_is_what_a_look_finds_and_nothing_is_left_to_do(server: Server) -> None:
    before = Desired()
    for edits in CHANGES:
        desired = name_bridges(apply_edits(before, edits))
        made = server.plan(desired, before)
        assert not made.is_empty
        assert server.apply(made).get("state") == "committed"
        facts = server.look()
        assert mismatches(ServerView(1, "server1"), desired, facts) == ()
        assert server.plan(desired, desired).is_empty
        before = desired
    ports = {link.name: link.master for link in facts.links if link.kind == "veth" and "." in link.name}
    assert ports == {"veth203.0": "vn-e", "veth204.0": "", "veth205.0": "vn-e"}
