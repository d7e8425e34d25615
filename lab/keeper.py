"""Keeper of one physical server: its power supply and the far end of its serial line.

One process per server (``python -m lab.keeper FOLDER``), started by the lab and living as long as it. It
holds the kernel as a child, switches it on again when it goes off by itself (as a server does whose firmware
says "always on"; so a ``reboot`` typed inside comes back), and lets many clients run commands at once.
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab import netns, processes
from lab.console import SOCKET
from lab.errors import LabError

_SHUTDOWN_PATIENCE_S = 20.0
_PIECE = 1500  # bytes before base64, see guest/console_agent.py
_HEARD_WITHIN_S = 20.0
_EARLY_DEATH_S = 2.0
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (the kernel unlinks its file there at once)


class Console:
    """The serial line of a running kernel: requests out, answers back to whoever waits for them."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._answers: dict[str, Any] = {}
        self._changed = threading.Condition()
        self._names = itertools.count()
        self._listening = False  # the agent inside has said hello
        self._closed = False
        self._sending = threading.Lock()
        self._heard = False
        threading.Thread(target=self._listen, daemon=True).start()

    def request(self, op: str, timeout_s: float, command: str = "", stdin: str = "") -> dict[str, Any]:
        """Send one operation to the agent and wait for its last answer; LabError when it does not come."""
        deadline = time.monotonic() + timeout_s
        name = str(next(self._names))
        with self._changed:
            if not self._changed.wait_for(lambda: self._listening or self._closed, timeout_s):
                raise LabError("its console is not listening yet")
            self._answers[name] = {"out": b"", "err": b""}
        try:
            for body, text in (("command", command), ("stdin", stdin)):
                data = text.encode()
                for start in range(0, len(data), _PIECE):
                    self._send(name, body, data[start : start + _PIECE])
            self._send(name, op)
            with self._changed:
                done = self._changed.wait_for(
                    lambda: self._is_done(name), max(0, deadline - time.monotonic())
                )
            if not done:
                self._send(name, "kill")
                raise LabError(f"`{command[:60]}` did not end within {timeout_s:g} s")
        finally:
            with self._changed:
                answer = self._answers.pop(name)
        if not {"code", "ready"} & answer.keys():
            raise LabError("it went off while it was answering")
        return {key: v.decode(errors="replace") if isinstance(v, bytes) else v for key, v in answer.items()}

    def close(self) -> None:
        """Give up the line; every waiting request fails."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._line.close()

    def _is_done(self, name: str) -> bool:
        answer = self._answers[name]
        return self._closed or not {"code", "ready", "lost"}.isdisjoint(answer)

    def _send(self, name: str, op: str, data: bytes = b"") -> None:
        """Send one message and wait until it is heard: never more than one lies on the line."""
        message = {"id": name, "op": op, "data": base64.b64encode(data).decode()}
        with self._sending:
            with self._changed:
                self._heard = False
            try:
                self._line.sendall(json.dumps(message).encode() + b"\n")
            except OSError:
                raise LabError("it is switched off") from None
            with self._changed:
                if not self._changed.wait_for(lambda: self._heard or self._closed, _HEARD_WITHIN_S):
                    raise LabError("its console does not listen any more")

    def _listen(self) -> None:
        with self._line.makefile("rb") as lines:
            for line in lines:
                try:
                    self._take(json.loads(line))
                except (ValueError, OSError):
                    continue
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        with self._changed:
            if "hello" in message:
                # A new agent knows nothing of what its predecessor was asked.
                self._listening = True
                for answer in self._answers.values():
                    answer["lost"] = True
            self._heard = self._heard or "heard" in message
            answer = self._answers.get(str(message.get("id")))
            if answer is not None:
                for key in ("out", "err"):
                    answer[key] += base64.b64decode(message.get(key, ""))
                answer.update({k: v for k, v in message.items() if k in {"code", "ready"}})
            self._changed.notify_all()


class Keeper:
    """Power and console of one server, after the folder's ``keeper.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        settings = json.loads((folder / "keeper.json").read_text())
        self.argv: list[str] = settings["argv"]
        self.memory_mb: int = settings["memory_mb"]
        self.preload: str = settings["preload"]
        self.power = threading.RLock()
        self.kernel: subprocess.Popen[bytes] | None = None
        self.console: Console | None = None
        self.boots = 0

    def switch_on(self) -> None:
        """Start the kernel if it is off."""
        with self.power:
            if self.kernel is not None and self.kernel.poll() is None:
                return
            self._clear()
            near, far = socket.socketpair()
            with far, (self.folder / "console.log").open("ab") as log:
                os.set_inheritable(far.fileno(), True)
                self.kernel = subprocess.Popen(
                    [*self.argv, f"ssl1=fd:{far.fileno()}"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=[far.fileno()], start_new_session=True,
                    env={**os.environ, "TMPDIR": self._memory_folder(), "LD_PRELOAD": self.preload},
                )  # fmt: skip
            self.console = Console(near)
            self.boots += 1
            threading.Thread(target=self._watch, args=(self.kernel, self.boots), daemon=True).start()

    def _memory_folder(self) -> str:
        """Folder of the kernel's memory file: in memory if there is room (docker's 64 MB are none)."""
        shared = os.statvfs(_SHARED_MEMORY)
        has_room = shared.f_bavail * shared.f_frsize > 2 * self.memory_mb << 20
        # User-Mode Linux runs programs from its memory file: where noexec forbids that, it dies at once.
        runs = not shared.f_flag & os.ST_NOEXEC
        return _SHARED_MEMORY if has_room and runs else str(self.folder)

    def cut(self) -> None:
        """Cut the power: what the server had not written is gone."""
        with self.power:
            kernel, self.kernel = self.kernel, None
            self._clear()
            if kernel is not None:
                kernel.wait()

    def shut_down(self) -> None:
        """Let the server shut itself down in order; cut its power if it does not come to an end."""
        with self.power:
            kernel, console = self.kernel, self.console
            self.kernel = None
            if kernel is None or console is None:
                return
            with suppress(LabError):  # it may be gone before it could answer
                console.request("run", 5, "poweroff")
            try:
                kernel.wait(_SHUTDOWN_PATIENCE_S)
            except subprocess.TimeoutExpired:
                sys.stderr.write("did not shut down in time, power cut\n")
            self._clear()

    def _clear(self) -> None:
        """End what is left of the kernel (its helpers survive it) and its console."""
        processes.kill(processes.kernels(self.folder))
        if self.console is not None:
            self.console.close()
            self.console = None

    def _watch(self, kernel: subprocess.Popen[bytes], boot: int) -> None:
        """Switch the server on again when it goes off by itself, but not one that dies as it is born."""
        started = time.monotonic()
        kernel.wait()
        with self.power:
            went_off_by_itself = self.kernel is kernel and self.boots == boot
            if went_off_by_itself and time.monotonic() - started > _EARLY_DEATH_S:
                self.kernel = None
                self.switch_on()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a client asks; LabError with the reason when it cannot be done."""
        op = request["op"]
        if op in {"run", "ready"}:
            console = self.console
            if console is None:
                raise LabError("it is switched off")
            asked = {key: request.get(key, "") for key in ("command", "stdin")}
            return console.request(op, request["timeout_s"], **asked)
        actions = {
            "on": (self.switch_on,),
            "cut": (self.cut,),
            "off": (self.shut_down,),
            "powercut": (self.cut, self.switch_on),
            "reboot": (self.shut_down, self.switch_on),
        }
        if op in actions:
            with self.power:
                for action in actions[op]:
                    action()
        is_on = self.kernel is not None and self.kernel.poll() is None
        return {"on": is_on, "boots": self.boots, "pid": os.getpid()}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    keeper: Keeper


class _Client(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        for line in self.rfile:
            try:
                answer = self.server.keeper.answer(json.loads(line))
            except LabError as error:
                answer = {"error": str(error)}
            try:
                self.wfile.write(json.dumps(answer).encode() + b"\n")
            except OSError:
                return  # the client did not wait


def main(folder: Path) -> None:
    """Keep the server of ``folder`` until SIGTERM, which cuts its power."""
    lock = (folder / "keeper.lock").open("w")
    try:
        # Two keepers of one server would fight over its socket and its disk. A killed one holds no lock.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("This server has a keeper already.")
    settings = json.loads((folder / "keeper.json").read_text())
    # Before any thread starts: namespaces are entered thread by thread.
    netns.enter(settings["namespace"])
    os.chdir(folder)
    Path(SOCKET).unlink(missing_ok=True)
    keeper = Keeper(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _Server(SOCKET, _Client) as server:
        Path(SOCKET).chmod(0o600)
        server.keeper = keeper
        keeper.switch_on()
        try:
            server.serve_forever()
        finally:
            keeper.cut()
            Path(SOCKET).unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
