"""What a server says the same until it is restarted: asked now and then, and remembered in between.

Its versions of ip and vzctl, and what its kernel could load, are two to five of the programs that a look
starts. A look names what this process remembers of the server, and of which boot (`Known.words`,
nodes/probe.sh); a server that has been restarted since answers everything, the others mark what they left
out, and `completed` puts it there: everybody else reads whole looks. Every ASK_AGAIN-th look asks for
everything, as packages may be others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ASK_AGAIN = 10
LONGEST = 4096
SECTIONS = ("modules", "ip-version", "vzctl-version")
_BOOT = re.compile(rb"\n/proc/sys/kernel/random/boot_id:([0-9a-f-]{36})\n")


@dataclass(slots=True)
class Known:
    """What one server said in a look that asked for everything; sections by name, as they were printed."""

    boot: str
    sections: dict[str, bytes]
    times: int = 1

    @property
    def words(self) -> tuple[str, ...]:
        """For the probe: of which boot, and what it need not say again."""
        return (self.boot, *self.sections)


_known: dict[int, Known] = {}
"""By server; each process has its own."""


def known_of(server_id: int) -> Known | None:
    """What the next look at that server need not ask. None: it is to ask for everything."""
    known = _known.get(server_id)
    if known is None:
        return None
    known.times += 1
    if known.times > ASK_AGAIN:
        forget(server_id)
        return None
    return known


def forget(server_id: int) -> None:
    """Ask that server for everything next time: somebody wants to see what has become of it."""
    _known.pop(server_id, None)


def completed(server_id: int, stdout: bytes, nonce: str, known: Known | None) -> bytes:
    """The whole look: `stdout` with what the server left out as it is `known`. A whole one is remembered."""
    mark = b"\n@" + nonce.encode() + b" "
    if known is None or mark + b"same " not in stdout:
        learnt = _learnt(stdout, mark)
        if learnt is None:
            forget(server_id)
        else:
            _known[server_id] = learnt
        return stdout
    for section, body in known.sections.items():
        name = section.encode()
        # Once: a server that says so a thousand times must not fill the panel's memory.
        stdout = stdout.replace(
            mark + b"same " + name + b"\n", mark + b"begin " + name + body + mark + b"rc 0\n", 1
        )
    return stdout


def _learnt(stdout: bytes, mark: bytes) -> Known | None:
    boot = _BOOT.search(stdout)
    if boot is None:
        return None
    found = {name: body for name in SECTIONS if (body := _section(stdout, mark, name.encode()))}
    # Only such an ip prints JSON; one that does not is asked in another way.
    if not re.search(rb"iproute2-[0-9]", found.get("ip-version", b"")):
        found.pop("ip-version", None)
    # Where a bridge shows whether tags can be filtered, nobody has searched for it.
    if b"/bridge/stp_state:" in stdout:
        found.pop("modules", None)
    return Known(boot[1].decode(), found) if found else None


def _section(stdout: bytes, mark: bytes, name: bytes) -> bytes:
    """What is between the two marks of a section; empty if it failed, was cut off or is too long."""
    begin = mark + b"begin " + name + b"\n"
    at = stdout.find(begin)
    if at < 0:
        return b""
    at += len(begin) - 1
    end = stdout.find(mark, at)
    body = stdout[at:end]
    return body if stdout.startswith(mark + b"rc 0\n", end) and 0 < len(body) <= LONGEST else b""


def forget_all() -> None:
    """For tests: this process has looked at no server yet."""
    _known.clear()
