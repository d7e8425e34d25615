"""The demo's lab and a panel of real servers do not meet in one database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nodes.lab_registration import are_all_others
from nodes.models import PhysicalServer, ServerGroup

ROOT = Path(__file__).resolve().parents[2]
REAL, LAB = "192.0.2.11", "10.77.0.11"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("addresses", "refused"), [((), False), ((REAL,), True), ((LAB,), False), ((REAL, LAB), False)]
)
def test_a_panel_that_has_servers_and_none_of_the_labs_is_one_of_real_servers(
    addresses: tuple[str, ...], refused: bool
) -> None:
    group = ServerGroup.objects.create(name="Servers")
    for address in addresses:
        PhysicalServer.objects.create(name=address, group=group, address=address)
    assert are_all_others() == refused


@pytest.mark.timeout(120)
def test_the_lab_is_refused_there_before_it_is_booted(var_dir: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "VNETPANEL_VAR": str(var_dir), "HOME": str(var_dir)}

    def manage(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, capture_output=True, text=True
        )

    code = f"""
from nodes.models import PhysicalServer, ServerGroup
group = ServerGroup.objects.create(name="Servers")
PhysicalServer.objects.create(name="server1", group=group, address="{REAL}")
"""
    assert manage("migrate", "-v", "0").returncode == 0
    assert manage("shell", "-v", "0", "-c", code).returncode == 0
    done = manage("up", "--lab", "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and "is the panel of real servers" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "Booting" not in done.stdout


def test_make_demo_has_a_folder_of_its_own() -> None:
    shown = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 'VNETPANEL_VAR="${VNETPANEL_VAR:-var/demo}"' in shown.stdout
