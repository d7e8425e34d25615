"""Reading settings from the environment: one function per kind of value, each of which fails loudly.

A setting that is missing or cannot be read stops the process with the name of the variable and what it
should hold. Guessing would start a panel that behaves differently from what its administrator wrote down.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured

#: Every variable asked for so far; a system check warns of `VNETPANEL_…` names that nothing reads.
KNOWN: set[str] = set()

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}

#: A name, an IPv4 address, or an IPv6 address in brackets.
HOST = re.compile(r"[^\s/:\[\]]+|\[[0-9A-Fa-f:.]+\]")


def envstr(name: str, default: str = "") -> str:
    """The variable's text without surrounding blanks, or the default when it is not set."""
    KNOWN.add(name)
    return os.environ.get(name, default).strip()


def envbool(name: str, default: bool) -> bool:
    """True or False; any other word than 1/true/yes/on or 0/false/no/off is refused."""
    value = envstr(name, str(default)).lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name}={value!r}: expected one of 1, true, yes, on, 0, false, no, off.")
    return value in TRUE


def envint(name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number from lowest to highest, both included."""
    value = envstr(name, str(default))
    if not value.isascii() or not value.isdigit() or not lowest <= int(value) <= highest:
        raise ImproperlyConfigured(f"{name}={value!r}: expected a whole number from {lowest} to {highest}.")
    return int(value)


def envhosts(name: str, default: str) -> list[str]:
    """Names and addresses under which browsers reach the panel, separated by commas; at least one.

    Copied from a browser, with a scheme or a port, one would never match what browsers ask for.
    """
    hosts = [word.strip() for word in envstr(name, default).split(",") if word.strip()]
    if not hosts or not all(HOST.fullmatch(host) for host in hosts):
        raise ImproperlyConfigured(
            f"{name}={','.join(hosts)!r}: expected names or addresses without https:// and port, "
            "such as panel.example.org or [2001:db8::5]."
        )
    return hosts


def envchoice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of the given words."""
    value = envstr(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: expected one of {', '.join(choices)}.")
    return value


def envzone(name: str, default: str) -> str:
    """The name of a time zone that this machine knows."""
    value, files = envstr(name, default), Path("/usr/share/zoneinfo")
    try:
        ZoneInfo(value)
        # Django asks only the system's files where there are any; Python knows a package's as well.
        known = not files.exists() or (files / value).exists()
    except (KeyError, ValueError, OSError):
        known = False
    if not known:
        raise ImproperlyConfigured(f"{name}={value!r}: expected a time zone such as UTC or Europe/Berlin.")
    return value


def envfolder(name: str, default: Path) -> Path:
    """A folder of our own that can be written, made if it is not there: nobody else can look into it."""
    path = Path(envstr(name, str(default))).resolve()
    try:
        # Those above it as well: var/ of var/demo is another panel's.
        for folder in (*reversed(path.parents), path):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: {path} cannot be made: {error.strerror}.") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(
            f"{name}: {path} belongs to somebody else. Run this as the panel's user, or name another folder."
        )
    return path


def envsecret(name: str, fallback: Path) -> str:
    """A secret: from NAME, else from the file named by NAME_FILE, else from the fallback file.

    The fallback file is made on first use with a random value that only its owner may read, so that a
    fresh checkout has a secret of its own and none is ever shipped.
    """
    KNOWN.update({name, f"{name}_FILE"})
    if value := os.environ.get(name, "").strip():
        return value
    if path := os.environ.get(f"{name}_FILE", "").strip():
        return read_secret(Path(path))
    if not fallback.exists():
        write_secret(fallback, secrets.token_urlsafe(48))
    return read_secret(fallback)


def read_secret(path: Path) -> str:
    """The text of a secret file; refused when it is missing, empty or readable by other users."""
    try:
        mode, text = stat.S_IMODE(path.stat().st_mode), path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"The secret file {path} cannot be read: {error.strerror}.") from error
    if mode & 0o077:
        raise ImproperlyConfigured(f"The secret file {path} has mode {mode:04o}; run: chmod 600 {path}")
    if not text:
        raise ImproperlyConfigured(f"The secret file {path} is empty.")
    return text


def write_secret(path: Path, text: str) -> None:
    """Put text into a new file that only its owner may read; a file that exists already is left as it is.

    Web, worker and beat may start at the same moment: the text is written whole under another name and
    linked into place, so that no process can read half of it and the first one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def split(name: str, url: str) -> tuple[SplitResult, int | None]:
    """The parts of a URL, and its port, which may be no number."""
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        # Without the cause, which may quote a piece of the password.
        raise ImproperlyConfigured(
            f"{name}: its address or port cannot be read. In user and password percent-encode reserved "
            "characters, such as %2F for a slash."
        ) from None


def database(url: str, sqlite_path: Path) -> dict[str, Any]:
    """Django's DATABASES entry for postgres://user:password@host:port/name?option=value; empty: SQLite."""
    if not url:
        return sqlite(sqlite_path)
    parts, port = split("DATABASE_URL", url)
    if parts.scheme == "sqlite" and parts.path.strip("/"):
        return sqlite(Path(unquote(parts.path)))
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            "DATABASE_URL: expected postgres://user:password@host:port/name or sqlite:////absolute/path."
        )
    host = unquote(parts.hostname or "")
    if host.startswith("/"):
        # The folder of a unix socket, percent-encoded: postgres://user@%2Frun%2Fpostgresql/name; urllib has
        # made its letters small.
        host = unquote(parts.netloc.rpartition("@")[2].partition(":")[0])
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def sqlite(path: Path) -> dict[str, Any]:
    """SQLite as the panel needs it: readers never wait for a writer, and a decision survives a power cut."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            # A transaction that starts by reading and then writes fails with "database is locked" at once,
            # without waiting for the timeout, unless it asks for the write lock at its start.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # FULL, not the usual NORMAL: the row that decides a Change must be on disk before servers
            # are told to keep it.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
        },
    }


def broker(url: str, socket: Path) -> str:
    """Celery's broker URL from REDIS_URL, or that of the private broker's unix socket when empty."""
    if not url:
        return f"redis+socket://{socket}"
    parts, _ = split("REDIS_URL", url)
    if parts.scheme == "unix":
        # kombu's spelling of the same thing
        return url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
    if parts.scheme not in {"redis", "rediss", "redis+socket"}:
        raise ImproperlyConfigured("REDIS_URL: expected redis://, rediss:// or unix:///path/of/socket.")
    if parts.scheme == "rediss" and "ssl_cert_reqs=" not in parts.query:
        # kombu takes any certificate unless told otherwise, and the password would go to whoever shows one.
        return f"{url}{'&' if parts.query else '?'}ssl_cert_reqs=required"
    return url
