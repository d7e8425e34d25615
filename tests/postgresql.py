"""A private PostgreSQL: Debian's programs, started as an unprivileged user on a unix socket of its own.

Nothing of the machine's own PostgreSQL is used, and nothing stays behind.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

# Nothing needs to outlive a power cut; what is left is real transactions and locks.
OPTIONS = (
    "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c synchronous_commit=off "
    "-c shared_buffers=32MB -c max_connections=60 -c wal_level=minimal -c max_wal_senders=0"
)


def postgresql_missing() -> str:
    """Why no PostgreSQL can be started here, or nothing."""
    if programs() is None:
        return "needs PostgreSQL (apt install postgresql)"
    if os.geteuid() == 0 and unprivileged() is None:
        return "needs a user postgres or nobody"
    return ""


def programs() -> Path | None:
    """The folder of the newest server programs, which Debian does not put on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    return found[-1].parent if found else None


def unprivileged() -> str | None:
    """Whom the server runs as when root starts it: it refuses to run as root."""
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


class PostgreSQL:
    """One server with an empty database `panel`; stop it at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vnp-pg-"))
        self.url = f"postgres://panel@{str(self.folder).replace('/', '%2F')}/panel"
        if os.geteuid() == 0:
            shutil.chown(self.folder, unprivileged())
        try:
            how = "-D data -U panel -A trust --no-sync -E UTF8 --locale=C.UTF-8"
            self._run("initdb", *how.split())
            self.start()
            self._run("createdb", "-h", str(self.folder), "-U", "panel", "panel")
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """Start, and return when it answers."""
        options = f"{OPTIONS} -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-D", "data", "-w", "-t", "60", "-s", "-l", "log", "-o", options, "start")

    def kill(self) -> None:
        """As a power cut of the database does: no connection is told."""
        self._run("pg_ctl", "-D", "data", "-s", "-m", "immediate", "stop")

    def stop(self) -> None:
        """End it and remove its folder."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        where = programs()
        assert where, postgresql_missing()
        user = ["setpriv", f"--reuid={unprivileged()}", "--clear-groups"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*user, str(where / program), *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=program != "pg_ctl",
            text=True,
        )
        if done.returncode:
            log = self.folder / "log"
            said = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"{program} failed: {done.stderr or ''}{said}")
