"""A real sshd on a loopback address, with a configuration, host keys and users of its own.

It runs in mount and process namespaces: its /etc/passwd, its root's home and its sudoers are files of the
test, nothing of the machine is changed, and all that it started ends with it. What it did is read from its
own log.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nodes.ssh import Credential, HostKey, Target, make_key_pair
from tests.conftest import CI

SSHD = "/usr/sbin/sshd"
USER = "panel"
PASSWORD = "Pa55-of-the-test"
# SHA-512 crypt of PASSWORD; the users exist in the namespace only.
PASSWORD_HASH = (
    "$6$vnptest$NKUKCPI.xD9rN6vjmwEinDIgUX7aBEcuw7sd/JPSAAvdzoNzbFO3lOrQo2emKKyhQy/NFFDSEo7/IgZUuSbbY/"
)

_counter = itertools.count()


@cache
def sshd_missing() -> str:
    """Why no sshd can be started here, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    if not Path(SSHD).exists():
        return "needs sshd (apt install openssh-server)"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        return "this machine does not let root make mount and process namespaces"
    return ""


def require_sshd() -> None:
    """Skip the test where no sshd can run, or fail where CI promises that it can."""
    if reason := sshd_missing():
        (pytest.fail if CI else pytest.skip)(f"sshd: {reason}")


class Sshd:
    """One sshd; a context manager. `config` are lines of sshd_config that win over the defaults below.

    Logins: root and the user `panel` (uid 12345), each with `self.key` or, where the configuration allows it,
    with PASSWORD. `sudoers` is the whole sudoers file. `env` is set for every session (PATH, say).
    """

    @property
    def inside(self) -> str:
        """What makes its namespaces and starts it."""
        return _INSIDE

    def __init__(
        self,
        folder: Path,
        config: str = "",
        *,
        host_keys: tuple[str, ...] = ("ed25519",),
        sudoers: str = "",
        env: dict[str, str] | None = None,
    ) -> None:
        require_sshd()
        self.folder = Path(folder)
        self.address, self.port = _own_address()
        self.key = make_key_pair("test")
        self.config = config
        self.sudoers = sudoers
        self.env = env or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / "sshd.log"
        # Bound over /root inside, where other users can read it as well: keys and files of the test.
        self.home = self.folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o755)
        self._write_users()
        self.make_host_keys(*host_keys)

    def __enter__(self) -> Sshd:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- before or between starts

    def make_host_keys(self, *kinds: str) -> None:
        """Give it new host keys of exactly these kinds (ed25519, ecdsa, rsa); read at the next start."""
        for old in self.folder.glob("host_*"):
            old.unlink()
        for kind in kinds:
            size = ["-b", "2048"] if kind == "rsa" else []
            subprocess.run(
                [
                    "ssh-keygen",
                    "-q",
                    "-t",
                    kind,
                    *size,
                    "-N",
                    "",
                    "-C",
                    "",
                    "-f",
                    self.folder / f"host_{kind}",
                ],
                check=True,
            )

    def authorize(self, public_line: str) -> None:
        """Let another key log in; an authorized_keys line, options in front allowed."""
        with (self.home / "authorized_keys").open("a") as file:
            file.write(public_line + "\n")

    # -- running

    def start(self) -> None:
        """Start, and return when it listens."""
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._write_config()
        before = len(self.log)
        inside = self.folder / "inside.sh"
        inside.write_text(self.inside.format(folder=self.folder, sshd=SSHD))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", str(inside)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 20
        while "Server listening on" not in self.log[before:]:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"sshd did not start:\n{self.log[before:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it and everything that runs under it, at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            # The namespace dies with its first process; the port is free when the listener is gone.
            _wait_until(lambda: not _listens(self.address, self.port))

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def kill_sessions(self) -> None:
        """Kill the processes of all connections, as if the server's sshd crashed; it keeps listening."""
        for pid in _children(self._listener()):
            for one in (*_descendants(pid), pid):
                _signal(one, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop all its processes where they are: connections stay open and nothing answers."""
        for pid in (self._listener(), *_descendants(self._listener())):
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let all its processes go on."""
        for pid in (self._listener(), *_descendants(self._listener())):
            _signal(pid, signal.SIGCONT)

    def processes(self) -> list[str]:
        """The command lines of all that runs under it."""
        return [line for pid in _descendants(self._listener()) if (line := _command_line(pid))]

    # -- as the panel sees it

    @property
    def host_keys(self) -> tuple[HostKey, ...]:
        """Its public host keys."""
        lines = [path.read_text().split() for path in sorted(self.folder.glob("host_*.pub"))]
        return tuple(HostKey(line[0], line[1]) for line in lines)

    def target(self, **changes: Any) -> Target:
        """A Target: root with the key, every host key approved; `changes` replace its fields."""
        values: dict[str, Any] = {
            "address": self.address,
            "port": self.port,
            "username": "root",
            "credential": Credential(private_key=self.key.private),
            "host_keys": self.host_keys,
            "server": f"{self.address}:{self.port}",
        }
        return Target(**{**values, **changes})

    # -- what it did

    @property
    def log(self) -> str:
        """Its log so far (LogLevel VERBOSE)."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def count(self, words: str) -> int:
        """How many lines of the log match a regular expression."""
        return sum(1 for line in self.log.splitlines() if re.search(words, line))

    @property
    def connections(self) -> int:
        """TCP connections taken."""
        return self.count("^Connection from ")

    @property
    def logins(self) -> int:
        """Logins let in."""
        return self.count("^Accepted (publickey|password|keyboard-interactive)")

    @property
    def commands(self) -> int:
        """Sessions that ran a command: the number of execs."""
        return self.count("^Starting session: (command|forced-command)")

    def wait_for_commands(self, number: int, seconds: float = 20.0) -> None:
        """Return when it has started so many commands; RuntimeError if it does not in time."""
        if not _wait_until(lambda: self.commands >= number, seconds):
            raise RuntimeError(f"{self.commands} commands instead of {number}:\n{self.log}")

    @property
    def sessions(self) -> int:
        """Sessions of any kind."""
        return self.count("^Starting session: ")

    # -- inner parts

    def _listener(self) -> int:
        assert self._process is not None, "sshd is not running"
        return _children(self._process.pid)[0]

    def _write_users(self) -> None:
        shadow = f"{PASSWORD_HASH}:19000:0:99999:7:::"
        (self.folder / "passwd").write_text(
            "root:x:0:0:root:/root:/bin/sh\n"
            f"{USER}:x:12345:12345::/:/bin/sh\n"
            "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
            "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
        )
        (self.folder / "shadow").write_text(
            f"root:{shadow}\n{USER}:{shadow}\nsshd:!:19000::::::\nnobody:*:19000::::::\n"
        )
        (self.folder / "group").write_text(f"root:x:0:\n{USER}:x:12345:\nnogroup:x:65534:\n")
        (self.folder / "sudoers").write_text(self.sudoers)
        (self.folder / "sudoers").chmod(0o440)
        (self.home / "authorized_keys").write_text(self.key.public + "\n")

    def _write_config(self) -> None:
        # The first value of a keyword counts, so the test's own lines come first.
        keys = "\n".join(f"HostKey {path.with_suffix('')}" for path in sorted(self.folder.glob("host_*.pub")))
        env = " ".join(f'"{name}={value}"' for name, value in self.env.items())
        (self.folder / "sshd_config").write_text(
            f"{self.config}\n{keys}\n"
            f"ListenAddress {self.address}:{self.port}\n"
            "AuthorizedKeysFile /root/authorized_keys\n"
            f"PidFile none\n"
            f"{f'SetEnv {env}' if env else ''}\n" + _DEFAULTS
        )


_DEFAULTS = """\
LogLevel VERBOSE
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 1000
"""

# Runs inside the namespaces. mount --bind over single files: the rest of /etc stays the machine's.
_INSIDE = """\
set -e
for file in passwd shadow group sudoers; do
    [ -e /etc/$file ] || continue
    mount --bind {folder}/$file /etc/$file
done
mount --bind {folder}/home /root
[ ! -d /etc/sudoers.d ] || mount -t tmpfs none /etc/sudoers.d
exec {sshd} -D -e -f {folder}/sshd_config
"""


def _own_address() -> tuple[str, int]:
    """A loopback address of this process alone and a port not used before on it: no races between workers."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 16 & 63)}.{pid >> 8 & 255}.{pid & 255}", 2200 + next(_counter)


def _listens(address: str, port: int) -> bool:
    packed = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    return f"{packed}:{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


def _wait_until(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.01)
    return held


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _descendants(pid: int) -> list[int]:
    found = []
    for child in _children(pid):
        found += [child, *_descendants(child)]
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
