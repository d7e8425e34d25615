"""The disk under the panel's own folder is full: what is asked for says so and is not half there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.netns
SCRIPT = """
import os
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from networks.choices import ChangeState
from networks.models import Change, Draft, Revision, VirtualNetwork
from nodes.models import ServerGroup
from trust.models import Entry

call_command("migrate", verbosity=0)
admin = User.objects.create_superuser("admin", password="x")
client = Client(raise_request_exception=False, SERVER_NAME="127.0.0.1")
client.force_login(admin)
ServerGroup.objects.create(name="Lab")
FILL = os.path.join(os.environ["TMPDIR"], "fill")

def fill():
    # To the last byte: what a log file or somebody's copy does.
    with open(FILL, "wb", buffering=0) as file:
        for size in (1 << 16, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass

def stored():
    models = (Change, Draft, Revision, VirtualNetwork, Entry)
    return [list(model.objects.order_by("pk").values()) for model in models]

def says_full(response):
    assert response.status_code == 507, response.status_code
    assert "disk is full" in response.text and "Nothing of what you asked for was stored" in response.text

# A draft and its review are there when the disk fills up.
assert client.post("/networks/new/", {"name": "A", "description": ""}).status_code == 302
client.post("/draft/review/")
Change.objects.update(state=ChangeState.PLANNED)
change = Change.objects.get()
before = stored()
fill()
said = 0
for number in range(40):
    response = client.post("/networks/new/", {"name": f"N{number}", "description": "x" * 500})
    if response.status_code == 507:
        says_full(response)
        said += 1
    else:
        # A database has some room of its own; what was answered as stored is stored.
        assert response.status_code == 302, response.status_code
        assert f"N{number}" in Draft.objects.get().edits
        before = stored()
assert said > 5, said
assert stored() == before
says_full(client.post(f"/changes/{change.pk}/apply/"))
says_full(client.post("/draft/review/"))
assert stored() == before
for page in ("/", "/networks/", "/draft/", "/changes/", f"/changes/{change.pk}/", "/audit/", "/health/"):
    session = client.session
    assert client.get(page).status_code == 200, page
os.remove(FILL)
assert client.post(f"/changes/{change.pk}/apply/").status_code == 302
change.refresh_from_db()
assert change.state == ChangeState.DONE, (change.state, change.result)
assert VirtualNetwork.objects.get().name == "A"
call_command("verify_audit")
print("ALL THERE")
"""


def test_nothing_is_half_stored_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    given = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    environment = {
        **given,
        # They keep the panel's folder where TMPDIR says.
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TMPDIR": str(tmp_path),
        "VNETPANEL_LOG_LEVEL": "WARNING",
    }
    mounted = 'mount -t tmpfs -o size=8m tmpfs "$TMPDIR" && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounted, "sh", sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.endswith("ALL THERE\n"), done.stderr[-5000:] + done.stdout[-2000:]
