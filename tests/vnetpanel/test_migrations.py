"""A database of the first version, with rows in it, becomes one of today and loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# There is no release yet: the first migration of each app stands for the previous one.
SCRIPT = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

def at(*targets):
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets))
    return MigrationExecutor(connection).loader.project_state(list(targets)).apps

auth = ("auth", "0012_alter_user_first_name_max_length")
old = at(("nodes", "0001_initial"), ("networks", "0001_initial"), auth)
user = old.get_model("auth", "User").objects.create(username="vera", password="x")
group = old.get_model("nodes", "ServerGroup").objects.create(name="Berlin", path="/1/")
old.get_model("nodes", "GroupRole").objects.create(user=user, group=group, role="viewer")
server = old.get_model("nodes", "PhysicalServer").objects.create(
    name="server1", group=group, address="192.0.2.1"
)
adapter = old.get_model("nodes", "Adapter").objects.create(server=server, name="eth0", kind="nic")
container = old.get_model("nodes", "Container").objects.create(server=server, ctid="101")
interface = old.get_model("nodes", "ContainerInterface").objects.create(
    container=container, ifname="eth0", mode="bridged"
)
network = old.get_model("networks", "VirtualNetwork").objects.create(name="A", bridge="vn-a")
old.get_model("networks", "Assignment").objects.create(network=network, server=server, adapter=adapter)
old.get_model("networks", "Member").objects.create(network=network, interface=interface)
change = old.get_model("networks", "Change").objects.create(author=user, base=0, state="done", reason="why")
old.get_model("networks", "Operation").objects.create(change=change, server=server, server_name="server1")

call_command("migrate", verbosity=0)

from django.contrib.auth.models import User
from networks.models import Assignment, Change, Member, Operation, VirtualNetwork
from nodes.models import Adapter, ContainerInterface, GroupRole, PhysicalServer
from trust.audit import record

assert VirtualNetwork.objects.get().bridge == "vn-a"
assert Assignment.objects.get().adapter.name == "eth0"
assert Member.objects.get().interface.container.ctid == "101"
assert Change.objects.get().reason == "why" and Operation.objects.get().server_name == "server1"
assert PhysicalServer.objects.visible_to(User.objects.get()).get().name == "server1"
record("x.done", "Done.")
call_command("verify_audit")
print("ALL THERE")
"""


def test_rows_of_the_first_version_are_all_there(tmp_path: Path) -> None:
    given = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    environment = {**given, "DJANGO_SETTINGS_MODULE": "vnetpanel.settings", "VNETPANEL_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.endswith("ALL THERE\n"), done.stderr[-3000:]
