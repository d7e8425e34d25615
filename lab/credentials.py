"""Keys and the password of one lab: random, made at its first start, kept in its state folder only."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path

from lab.definition import SERVERS, ServerDefinition
from lab.place import Place
from lab.shell import run

_HOST_KEY_TYPES = ("ed25519", "rsa")


def make_credentials(place: Place) -> None:
    """Make what is missing: the client key, root's password, every server's host keys, known_hosts."""
    folder = place.client_key.parent
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _make_key(place.client_key, "ed25519", "lab client")
    if not place.password_file.exists():
        new = place.password_file.with_suffix(".new")
        new.touch(0o600)
        new.write_text(secrets.token_urlsafe(16))
        new.rename(place.password_file)
    known = []
    for server in SERVERS:
        for kind in _HOST_KEY_TYPES:
            key = _host_key(place, server, kind)
            _make_key(key, kind, server.name)
            known.append(f"{server.address} {' '.join(_public(key).split()[:2])}\n")
    place.known_hosts.write_text("".join(known))


def copy_host_keys(place: Place, server: ServerDefinition, etc_ssh: Path) -> None:
    """Put a server's host keys into its disk."""
    for kind in _HOST_KEY_TYPES:
        key = _host_key(place, server, kind)
        for path in (key, key.with_name(key.name + ".pub")):
            copied = etc_ssh / path.name.removeprefix(f"{server.name}_")
            shutil.copyfile(path, copied)
            copied.chmod(0o600 if path == key else 0o644)


def root_password(place: Place) -> str:
    """Root's password on every server of this lab."""
    return place.password_file.read_text()


def hashed_root_password(place: Place) -> str:
    """The same as /etc/shadow wants it (SHA-512)."""
    return run(["busybox", "mkpasswd", "-m", "sha512", "-P", "0"], stdin=root_password(place) + "\n").strip()


def _host_key(place: Place, server: ServerDefinition, kind: str) -> Path:
    return place.client_key.parent / f"{server.name}_ssh_host_{kind}_key"


def _public(key: Path) -> str:
    return key.with_name(key.name + ".pub").read_text()


def _make_key(path: Path, kind: str, comment: str) -> None:
    public = path.with_name(path.name + ".pub")
    if public.exists():
        return
    # Made aside: the ssh-keygen of a killed run may still be writing.
    with tempfile.TemporaryDirectory(dir=path.parent) as aside:
        made = Path(aside) / path.name
        # 2048 bits: a lab's key, and every bit costs time inside a slow machine.
        size = ["-b", "2048"] if kind == "rsa" else []
        run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", comment, "-f", str(made)])
        made.rename(path)
        made.with_name(public.name).rename(public)
