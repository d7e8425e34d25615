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
_SECTIONS = rb"(?:modules|ip-version|vzctl-version)"
# Of whatever nonce: a pattern for each would be compiled each time. No line of a section is a mark, so that
# one which was cut off or failed does not reach into the next.
_SAME = re.compile(rb"\n@([0-9a-f]{16,64}) same (" + _SECTIONS + rb")(?=\n)")
_SECTION = re.compile(
    rb"\n@([0-9a-f]{16,64}) begin (" + _SECTIONS + rb")((?:(?!\n@\1 )\n.*){1,99})\n@\1 rc 0(?=\n)"
)
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
        _known.pop(server_id, None)
        return None
    return known


def completed(server_id: int, stdout: bytes, nonce: str, known: Known | None) -> bytes:
    """The whole look: `stdout` with what the server left out as it is `known`. A whole one is remembered."""
    ours = nonce.encode()
    if known is None or b"\n@" + ours + b" same " not in stdout:
        learnt = _learnt(stdout, ours)
        if learnt is None:
            _known.pop(server_id, None)
        else:
            _known[server_id] = learnt
        return stdout

    def put_back(found: re.Match[bytes]) -> bytes:
        body = known.sections.get(found[2].decode())
        if found[1] != ours or body is None:
            return found[0]
        mark = b"\n@" + ours
        return mark + b" begin " + found[2] + body + mark + b" rc 0"

    return _SAME.sub(put_back, stdout)


def _learnt(stdout: bytes, ours: bytes) -> Known | None:
    boot = _BOOT.search(stdout)
    if boot is None:
        return None
    found = {
        match[2].decode(): match[3]
        for match in _SECTION.finditer(stdout)
        if match[1] == ours and len(match[3]) <= LONGEST
    }
    # Only such an ip prints JSON; one that does not is asked in another way.
    if not re.search(rb"iproute2-[0-9]", found.get("ip-version", b"")):
        found.pop("ip-version", None)
    # Where a bridge shows whether tags can be filtered, nobody has searched for it.
    if b"/bridge/stp_state:" in stdout:
        found.pop("modules", None)
    return Known(boot[1].decode(), found) if found else None


def forget_all() -> None:
    """For tests: this process has looked at no server yet."""
    _known.clear()
