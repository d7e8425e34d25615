"""Talk to a server's keeper over its unix socket: run commands on the console, press the power button.

The protocol is one JSON object per line each way, one request per connection.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.shell import Completed

if TYPE_CHECKING:
    from collections.abc import Iterator

SOCKET = "console.sock"


def ask(server_folder: Path, patience_s: float, **request: Any) -> dict[str, Any]:
    """Send one request to the keeper of ``server_folder`` and return its answer.

    Raises LabError if no keeper answers, in time or at all, or if it refuses.
    """
    name = server_folder.name
    try:
        with _connected(server_folder) as connection, connection.makefile("rb") as answers:
            connection.settimeout(patience_s)
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(answers.readline() or b'{"error": "its keeper went away"}')
    except TimeoutError:
        raise LabError(f"{name} did not answer on its console within {patience_s:g} s.") from None
    except OSError:
        raise LabError(f"{name} has no console: the lab is not up (or only half).") from None
    if "error" in answer:
        raise LabError(f"{name}: {answer['error']}.")
    return dict(answer)


def execute(server_folder: Path, command: str, stdin: str = "", timeout_s: float = 60) -> Completed:
    """Run a shell command line as root on the server's console; its network may be broken."""
    answer = ask(server_folder, timeout_s + 5, op="run", command=command, stdin=stdin, timeout_s=timeout_s)
    return Completed(answer["code"], answer["out"], answer["err"])


@contextmanager
def _connected(server_folder: Path) -> Iterator[socket.socket]:
    """A connection to the keeper's socket.

    By way of an open folder, because the name of a unix socket holds 107 bytes and a checkout may lie deep.
    """
    folder = os.open(server_folder, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(f"/proc/self/fd/{folder}/{SOCKET}")
            yield connection
    finally:
        os.close(folder)
