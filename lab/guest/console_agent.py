"""Runs inside a lab server: takes commands from its serial line, so that it obeys without any network.

One JSON object per line over /dev/ttyS1, bodies in base64. Asked ``{"id", "op": "command" | "stdin",
"data"}`` any number of times, then ``{"id", "op": "run"}``; it answers ``{"id", "out" | "err"}`` pieces when
the command has ended, at last ``{"id", "code"}``. ``{"id", "op": "kill"}`` ends a command early. Asked
``{"id", "op": "ready"}`` it answers ``{"id", "ready"}``.

Two weaknesses of the kernel's serial line shape this. It never looks at a line that already held data when it
was opened: so nothing may be sent before the agent says ``{"hello"}``. And a line that was throttled because
4 KiB lay unread sometimes stays deaf for good: so every message is at most half of that, and is acknowledged
(``{"heard": id}``) before the next is sent.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import termios
import tty
from pathlib import Path
from typing import NamedTuple

LINE = "/dev/ttyS1"
PIECE = 3000  # bytes; keeps one answer from holding the line for long
READY_MARKS = (Path("/run/lab/ready"), Path("/run/sshd.pid"))
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


class Running(NamedTuple):
    """One command under way and the memory files that take its output."""

    process: subprocess.Popen[bytes]
    out: int
    err: int


class Agent:
    """The loop between the serial line and the commands."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.bodies: dict[str, dict[str, bytes]] = {}
        self.running: dict[str, Running] = {}
        self.unread = b""
        # An ended command wakes the loop through this pipe; nothing polls, an idle server stays idle.
        self.child_ended, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def say(self, **message: object) -> None:
        """Send one message; the line blocks when it is full, which is the flow control."""
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.line, data) :]

    def serve(self) -> None:
        """Answer for as long as the server runs."""
        self.say(hello=os.getpid())
        while True:
            readable, _, _ = select.select([self.line, self.child_ended], [], [])
            if self.child_ended in readable:
                os.read(self.child_ended, 4096)
                self.report_ended()
            if self.line in readable:
                self.hear(os.read(self.line, 65536))

    def hear(self, data: bytes) -> None:
        """Take in what came over the line and act on every whole message."""
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
                name, op = message["id"], message["op"]
            except (ValueError, KeyError):
                continue  # the tail of a message that was under way when the agent started
            self.say(heard=name)
            if op in {"command", "stdin"}:
                bodies = self.bodies.setdefault(name, {"command": b"", "stdin": b""})
                bodies[op] += base64.b64decode(message["data"])
            elif op == "run":
                bodies = self.bodies.pop(name, {})
                self.start(name, bodies.get("command", b""), bodies.get("stdin", b""))
            elif op == "kill" and name in self.running:
                os.killpg(self.running[name].process.pid, signal.SIGKILL)
            elif op == "ready":
                self.say(id=name, ready=all(mark.exists() for mark in READY_MARKS))

    def start(self, name: str, command: bytes, stdin: bytes) -> None:
        """Start a command line under /bin/sh, in a session of its own."""
        source, out, err = (os.memfd_create(f"{name}-{end}") for end in ("in", "out", "err"))
        with os.fdopen(source, "r+b") as standard_input:
            standard_input.write(stdin)
            standard_input.seek(0)
            process = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=standard_input, stdout=out, stderr=err,
                cwd="/root", env=ENVIRONMENT, start_new_session=True,
            )  # fmt: skip
        self.running[name] = Running(process, out, err)

    def report_ended(self) -> None:
        """Send the outputs and exit codes of the commands that have ended (128 + signal, as a shell says)."""
        for name, (process, out, err) in list(self.running.items()):
            code = process.poll()
            if code is None:
                continue
            del self.running[name]
            for kind, output in (("out", out), ("err", err)):
                # pread: what the command left running still writes, at an offset that it shares with us.
                sent = 0
                while piece := os.pread(output, PIECE, sent):
                    self.say(id=name, **{kind: base64.b64encode(piece).decode()})
                    sent += len(piece)
                os.close(output)
            self.say(id=name, code=code if code >= 0 else 128 - code)


def main() -> None:
    """Open the serial line for good and serve it."""
    line = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line, termios.TCSANOW)
    Path("/proc/self/oom_score_adj").write_text("-1000")
    Agent(line).serve()


if __name__ == "__main__":
    main()
