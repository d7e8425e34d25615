"""The 7+ stand-in, held against cases written from the source of the genuine one (cases/README.md)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.vz.machine import Machine, masked
from tests.vz.transcripts import Block, blocks

pytestmark = pytest.mark.netns

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_it_behaves_as_its_source_reads(seven: Machine, case: Path) -> None:
    assert case.read_text().startswith("Source: ")
    seven.write(
        "/etc/libvirt/qemu/networks/Office (1st floor).xml",
        "<network>\n  <name>Office (1st floor)</name>\n  <bridge name='br1'/>\n</network>\n",
    )
    ctid = ""
    for block in blocks(case):
        words = shlex.split(block.command)
        answer = seven.run(*words)
        where = f"{block.command}\n{answer}"
        assert answer.rc == block.rc, where
        assert set(block.out) <= {masked(line) for line in answer.out}, where
        assert set(block.err) <= {masked(line) for line in answer.err}, where
        ctid = words[2] if words[0] == "vzctl" and len(words) > 2 else ctid
        for line in block.after:
            look(seven, ctid, line, block)


def look(seven: Machine, ctid: str, line: str, block: Block) -> None:
    kind, _, wanted = line.partition(" ")
    where = f"after {block.command}: {line}"
    if kind == "conf":
        key, equals, _ = wanted.partition("=")
        assert masked(seven.line(ctid, key)) == (wanted if equals else ""), where
    elif kind == "ports":
        assert ports(seven, ctid) == wanted, where
    elif kind == "inside":
        assert wanted in inside(seven, ctid), where
    elif kind == "links":
        assert len(seven.links()) == int(wanted), where
    else:
        pytest.fail(f"{block.command}: what is {line!r}?")


def ports(seven: Machine, ctid: str) -> str:
    """Interfaces of the container that are in a bridge, by their name inside: the pair's other end."""
    found = []
    for port, bridge in seven.ports().items():
        index = seven.ok("cat", f"/sys/class/net/{port}/iflink")
        listing = seven.ok("vzctl", "exec", ctid, "ip", "-o", "link", "show")
        name = re.search(rf"(?m)^{index}: ([^:@]+)", listing)
        assert name, (port, listing)
        found.append(f"{name[1]}={bridge}")
    return " ".join(sorted(found))


def inside(seven: Machine, ctid: str) -> list[str]:
    """Interfaces inside: name, state, addresses but link-local ones."""
    lines = seven.ok("vzctl", "exec", ctid, "ip", "-br", "addr").splitlines()
    return [
        " ".join([re.sub("@.*", "", words[0]), words[1], *(w for w in words[2:] if not w.startswith("fe80"))])
        for words in map(str.split, lines)
    ]
