"""A backup holds everything but the keys, and fills a new database of either kind."""

from __future__ import annotations

import gzip
import json
import os
import re
import resource
import stat
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from networks.choices import ChangeState
from networks.domain.state import Assign, CreateNetwork
from networks.models import Change
from nodes.models import Credential, GroupRole, PhysicalSegment, PhysicalServer
from tests.conftest import CI
from tests.networks.changes import decide, planned
from tests.networks.conftest import Scene, scene
from tests.postgresql import PostgreSQL, postgresql_missing
from trust.audit import record
from vnetpanel import backup, crypto

__all__ = ["scene"]

ROOT = Path(__file__).resolve().parents[2]
A = "6f1c3a1e-0000-4000-8000-000000000001"


def manage(var: Path, *arguments: str, url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")
    }
    environment |= {
        "DJANGO_SETTINGS_MODULE": "vnetpanel.settings",
        "VNETPANEL_VAR": str(var),
        "VNETPANEL_KEYS": ",".join(crypto.load_keys()),
    }
    if url:
        environment["DATABASE_URL"] = url
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


def rows_of(path: Path) -> dict[str, list[Any]]:
    """The rows of each model; without the trail, which grows by the backup itself."""
    found: dict[str, list[Any]] = {}
    name = ""
    with gzip.open(path, "rt") as file:
        for line in file:
            value = json.loads(line)
            if isinstance(value, list):
                found[name].append(value)
            elif "model" in value:
                name = value["model"]
                found[name] = []
    del found["trust.entry"]
    return found


def header_of(path: Path) -> dict[str, Any]:
    with gzip.open(path, "rt") as file:
        found: dict[str, Any] = json.loads(file.readline())
    return found


@pytest.fixture
def full(transactional_db: None, scene: Scene, admin: Any, alice: Any) -> Scene:
    """A database with something of everything."""
    PhysicalSegment.objects.get_or_create(is_default=True, defaults={"name": "physical network"})
    scene.server1.credential = Credential.objects.create(name="c", password="swordfish-92", private_key="pk")
    scene.server1.save()
    GroupRole.objects.create(user=alice, group=scene.group, role="operator")
    decide(CreateNetwork(A, "Ä\u202e“net”"), Assign(A, scene.server1.pk, "eth0"))
    change = planned(admin, servers=(scene.server1,), reason="why")
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE)
    record("x.done", "Done.", servers=[scene.server1], plan="ip link")
    for gone in (passing_server(scene), passing_user()):
        gone.delete()
    return scene


def passing_server(scene: Scene) -> PhysicalServer:
    return PhysicalServer.objects.create(name="passing", address="192.0.2.77", group=scene.group)


def passing_user() -> User:
    return User.objects.create_user("passing")


@pytest.fixture
def file(full: Scene, tmp_path: Path) -> Path:
    backup.write(tmp_path / "first.backup")
    return tmp_path / "first.backup"


def restored_to(file: Path, var: Path, url: str = "") -> tuple[subprocess.CompletedProcess[str], Path]:
    """Restore into a database of its own, and back it up from there."""
    done = manage(var, "restore", str(file), url=url)
    again = var / "again.backup"
    if done.returncode == 0:
        made = manage(var, "backup", str(again), url=url)
        assert made.returncode == 0, made.stderr
    return done, again


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_new_database_is_filled_with_all_of_it(file: Path, tmp_path: Path, kind: str) -> None:
    if kind == "postgresql" and (reason := postgresql_missing()):
        (pytest.fail if CI else pytest.skip)(reason)
    server = PostgreSQL() if kind == "postgresql" else None
    try:
        done, again = restored_to(file, tmp_path / "var", server.url if server else "")
    finally:
        if server:
            server.stop()
    assert done.returncode == 0, done.stderr
    assert "all as they were written" in done.stdout
    assert "that no key decrypts" not in done.stdout + done.stderr
    before, after = rows_of(file), rows_of(again)
    assert before == after
    counted, then = header_of(file)["counters"], header_of(again)["counters"]
    assert {name: then.get(name, 0) for name in counted} == counted
    assert before["nodes.physicalserver"] and before["networks.assignment"] and before["nodes.credential"]


@pytest.mark.django_db(transaction=True)
def test_neither_secrets_nor_keys_are_in_it(file: Path) -> None:
    text = gzip.decompress(file.read_bytes()).decode()
    assert "swordfish-92" not in text and "gAAAA" in text
    for secret in (*crypto.load_keys(), settings.SECRET_KEY):
        assert secret not in text
    assert "pbkdf2" not in text and "session_data" not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_database_in_use_is_left_alone(file: Path) -> None:
    with pytest.raises(backup.BackupError, match="in use"):
        backup.read(file)
    assert Credential.objects.get().password == "swordfish-92"


def emptied() -> None:
    """As after `manage.py migrate`, but for what migrations make."""
    from django.core.management import call_command

    call_command("flush", interactive=False, verbosity=0, inhibit_post_migrate=True)


def test_what_is_new_after_a_restore_never_has_the_key_of_what_was_removed(
    full: Scene, tmp_path: Path
) -> None:
    server, user = passing_server(full), passing_user()
    removed = server.pk, user.pk
    server.delete()
    user.delete()
    backup.write(tmp_path / "first.backup")
    emptied()
    backup.read(tmp_path / "first.backup")
    assert passing_server(full).pk > removed[0]
    assert passing_user().pk > removed[1]


def test_a_backup_of_before_such_keys_were_kept_is_restored_as_it_was_then(
    file: Path, tmp_path: Path, scene: Scene
) -> None:
    head, *rest = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    header = json.loads(head)
    del header["counters"]
    older = tmp_path / "older"
    older.write_bytes(gzip.compress(json.dumps(header).encode() + b"\n" + b"".join(rest)))
    last = max(PhysicalServer.objects.values_list("pk", flat=True))
    emptied()
    backup.read(older)
    assert passing_server(scene).pk == last + 1


def test_a_file_that_was_cut_off_changes_nothing(file: Path, tmp_path: Path) -> None:
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    whole = file.read_bytes()
    emptied()
    broken = tmp_path / "broken"
    for content in (
        b"",
        b"not gzip",
        whole[: len(whole) // 2],
        gzip.compress(b"".join(lines[:-1])),
        gzip.compress(b"".join(lines[: len(lines) // 2]) + lines[-1]),
        gzip.compress(b"".join(lines)[:-30]),
        gzip.compress(b'{"format":"other"}\n'),
    ):
        broken.write_bytes(content)
        with pytest.raises(backup.BackupError, match=r"Nothing was changed|cannot"):
            backup.read(broken)
        assert not Credential.objects.exists() and not GroupRole.objects.exists()


def unpacked(packed: bytes) -> bytes | None:
    """What gzip itself makes of it, checksum and all; nothing where it refuses."""
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        return None


def test_a_flipped_bit_anywhere_changes_nothing(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    lines = gzip.decompress(whole)
    emptied()
    broken = tmp_path / "broken"
    refused = 0
    for at in range(0, len(whole), 7):
        content = whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :]
        if unpacked(content) == lines:  # as in the time that gzip's own header holds: no row is another
            continue
        broken.write_bytes(content)
        with pytest.raises(backup.BackupError, match=r"not a whole backup.*Nothing was changed"):
            backup.read(broken)
        assert not Credential.objects.exists()
        refused += 1
    assert refused > len(whole) // 7 - 10


def test_a_word_that_has_become_another_one_is_not_restored(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    lines = gzip.decompress(whole)
    assert b'"why"' in lines
    pack = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = pack.compress(lines.replace(b'"why"', b'"who"')) + pack.flush()
    emptied()
    broken = tmp_path / "broken"
    broken.write_bytes(whole[:10] + body + whole[-8:])
    with pytest.raises(backup.BackupError, match=r"CRC.*Nothing was changed"):
        backup.read(broken)
    assert not Change.objects.exists()


def test_lines_that_no_panel_writes_are_refused_in_a_sentence(file: Path, tmp_path: Path) -> None:
    head, *rest, end = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    middle = b"".join(rest)
    emptied()
    broken = tmp_path / "broken"
    for content in (
        [head, middle, end, b"[1]\n"],
        [head, middle, end, end],
        [head, middle, end, b"\n"],
        [b'{"format":"vnetpanel-backup 1"}\n', middle, end],
        [b"[" * 100_000 + b"\n", middle, end],
        [head, middle.replace(b'"nodes.credential"', b'"nodes.credentiak"'), end],
        [head, middle.replace(b'"columns"', b'"colunns"', 1), end],
        [head, middle.replace(A.encode(), b"6f1c3a1e"), end],
        [head, b'{"model":["nodes.credential"],"columns":[]}\n', middle, end],
        [head, b'{"model":"nodes.credential","columns":7}\n', middle, end],
        [head, b'{"model":"nodes.credential","columns":["nome"]}\n', middle, end],
        [head, b'{"model":"nodes.adapter","columns":["id","first_seen_at"]}\n[1,"20x5"]\n', middle, end],
        [head, b'{"model":"nodes.credential","columns":["id"]}\n[1' + b"0" * 30 + b"]\n", middle, end],
        [head, b'{"model":"nodes.credential","columns":["id","name"]}\n[1,"\xff"]\n', middle, end],
        [head, b'{"model":"nodes.credential","columns":["id","name"]}\n[1,"\\ud800"]\n', middle, end],
        [head, b'{"model":"nodes.adapter","columns":["id","first_seen_at"]}\n[1,5]\n', middle, end],
        [head.replace(b'"counters":{', b'"counters":{"nodes.gone":7,'), middle, end],
        [head.replace(b'"nodes.physicalserver":', b'"nodes.physicalserver":"7","x":'), middle, end],
        [re.sub(rb'"counters":{[^}]*}', b'"counters":[7]', head), middle, end],
        [head, b"7\n", middle, end],
        [head, b"null\n", middle, end],
        [head, b'"end"\n', middle, end],
        [head, middle, b'{"end":"many"}\n'],
    ):
        broken.write_bytes(gzip.compress(b"".join(content)))
        with pytest.raises(backup.BackupError, match=r"Nothing was changed"):
            backup.read(broken)
        assert not Credential.objects.exists() and not Change.objects.exists()


def test_a_backup_of_another_version_is_refused(file: Path, tmp_path: Path) -> None:
    head, *rest = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    header = json.loads(head)
    header["migrations"].append(["nodes", "9999_from_the_future"])
    other = tmp_path / "other"
    other.write_bytes(gzip.compress(json.dumps(header).encode() + b"\n" + b"".join(rest)))
    emptied()
    with pytest.raises(backup.BackupError, match=r"another version.*nodes\.9999_from_the_future"):
        backup.read(other)


@pytest.fixture
def at_most() -> Iterator[Callable[[int], None]]:
    """Files can grow to so many bytes only: a full disk, as a program meets it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_no_half_of_a_file(
    full: Scene, tmp_path: Path, at_most: Callable[[int], None]
) -> None:
    for _ in range(12):
        record("x.done", "Done.", plan=os.urandom(30_000).hex())
    at_most(200_000)
    with pytest.raises(backup.BackupError, match="cannot be written"):
        backup.write(tmp_path / "first.backup")
    assert list(tmp_path.iterdir()) == []


def test_an_older_backup_is_not_written_over(full: Scene, tmp_path: Path) -> None:
    from django.core.management import call_command
    from django.core.management.base import CommandError

    (tmp_path / "old").write_text("precious")
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", str(tmp_path / "old"))
    assert (tmp_path / "old").read_text() == "precious"
