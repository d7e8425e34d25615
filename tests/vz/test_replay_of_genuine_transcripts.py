"""The 4.x stand-in, held against what the genuine vzctl 4.11.1 answered (captures/README.md)."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.vz.machine import Answer, Machine, masked
from tests.vz.transcripts import Block, blocks

pytestmark = pytest.mark.netns

CAPTURES = Path(__file__).parent / "captures"

# Lines of upstream-kernel mode, and of the container the transcripts were made with.
ARTEFACTS = (
    r"Directory /proc/vz not found",
    r"WARNING: Running container unprivileged",
    r"Warning: set_(hostname|dns) action script is not specified",
    r"stat\(/vz/root/\d+\): No such file",
    r"vps-net_add WARNING: Device list is empty",
    r"Child \d+ exited with status",
    r"File /usr/sbin/vzquota not found",
    r"Killing container \.\.\.",  # no init that would halt there; `--fast` says it in both
    r"\d+: \S+ +inet6 fe80:",
)
# What an OpenVZ kernel says where upstream-kernel mode is silent or says it otherwise (src/lib/veth.c:393).
ONLY_OPENVZ = (
    r"Container does not have configured veth: \w+, skipped",
    r"Deleting veth devices:",  # upstream-kernel mode does not know their names
    r"Cannot find device",
)


def without(lines: tuple[str, ...], patterns: tuple[str, ...]) -> list[str]:
    return [masked(line) for line in lines if not any(re.match(pattern, line) for pattern in patterns)]


def compare(block: Block, answer: Answer, hide: tuple[str, ...]) -> None:
    where = f"block {block.number}: {block.command}\n{answer}"
    assert answer.rc == block.rc, where
    assert without(answer.out, hide) == without(block.out, hide), where
    assert without(answer.err, hide) == without(block.err, hide), where


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds a lock."""
    process = subprocess.Popen(["sleep", "300"])
    yield process
    process.kill()
    process.wait()


def test_it_lists_starts_and_executes_as_the_genuine_tool(four: Machine) -> None:
    for block in blocks(CAPTURES / "create-start-list-exec.txt"):
        if block.command.startswith("grep NETIF"):
            assert [masked(four.line(102, "NETIF"))] == without(block.out, ())
        elif block.rc is not None:
            compare(block, four.run(*block.words), ARTEFACTS)


def test_it_sets_and_refuses_as_the_genuine_tool(four: Machine, sleeper: subprocess.Popen[bytes]) -> None:
    for ctid in ("101", "102"):
        four.ok("vzctl", "create", ctid, "--ostemplate", "bbox-1-x86_64")
    for block in blocks(CAPTURES / "set-and-errors.txt"):
        prepare(four, block, sleeper)
        compare(block, four.run(*block.words), (*ARTEFACTS, *ONLY_OPENVZ))
        for line in block.after:
            expect(four, block, line)
    confs = {path.name for path in (four.root / "etc/vz/conf").iterdir()}
    assert confs >= {"101.conf", "102.conf.destroyed"} and "102.conf" not in confs


def prepare(four: Machine, block: Block, sleeper: subprocess.Popen[bytes]) -> None:
    """What was done between the blocks without being recorded."""
    if block.number == 2:
        (four.root / "etc/vz/conf/999.conf").unlink()
    lock = four.root / "vz/lock/101.lck"
    if any(line.startswith("Locked by") for line in block.err):
        lock.write_text(f"{sleeper.pid}\n\n")
    if any(line.startswith("Removing stale lock") for line in block.out):
        sleeper.kill()
        sleeper.wait()


def expect(four: Machine, block: Block, line: str) -> None:
    """A line that shows the state after a command. Bridge membership is an artefact in this transcript."""
    where = f"after block {block.number}: {block.command}"
    if match := re.fullmatch(r"  (\d+) (NETIF=.*)?", line):
        assert masked(four.line(match[1], "NETIF")) == masked(match[2] or ""), where
    elif match := re.match(r"(NETIF|DESCRIPTION)=", line):
        ctid = block.command.split()[2]
        assert masked(four.line(ctid, match[1])) == masked(line), where


def test_only_a_start_joins_a_bridge_as_with_the_genuine_hook(four: Machine) -> None:
    four.write("/etc/vz/vznet.conf", f'EXTERNAL_SCRIPT="{four.root}/usr/sbin/vznetaddbr"\n')
    four.ok("vzctl", "create", "101", "--ostemplate", "bbox-1-x86_64")
    all_blocks = blocks(CAPTURES / "openvz-bridge-hook.txt")
    for block in all_blocks:
        if block is all_blocks[-1]:
            (four.root / "etc/vz/vznet.conf").unlink()
        compare(block, four.run(*block.words), ARTEFACTS)
        where = f"after block {block.number}: {block.command}"
        for line in block.after:
            if line.startswith("  NETIF="):
                assert masked(four.line(101, "NETIF")) == masked(line.strip()), where
        if any(line.startswith("  bridge:") for line in block.after):
            assert four.ports() == membership(block), where
            pairs = {re.split("[@ ]", line)[0] for line in block.after if line[0] != " "}
            assert four.links() == pairs, where


def membership(block: Block) -> dict[str, str]:
    """Ports and their bridge: ``veth101.0@br0: br1 state disabled`` is port veth101.0 in br1."""
    [line] = [line for line in block.after if line.startswith("  bridge:")]
    return dict(re.findall(r"(\S+)@\S+: (\S+) state", line))


def test_its_macs_are_those_of_the_genuine_formula(four: Machine) -> None:
    """The MAC that goes into it is that of the link that was there first, here up0's."""
    four.ok("vzctl", "create", "102")
    four.ok("vzctl", "set", "102", "--netif_add", "eth0", "--save")
    expected = genuine_mac("eth0", 102), genuine_mac("veth102.0", 102)
    assert tuple(re.findall(r"mac=([0-9A-F:]{17})", four.line(102, "NETIF"))) == expected


def genuine_mac(name: str, ctid: int) -> str:
    """The formula of src/lib/veth.c generate_mac, in 32 bits."""
    w = 0xFFFFFFFF
    data = f"{name}:{ctid}:02:00:0a:09:00:01 ".encode()
    value = ctid
    for here, following in pairwise(data):
        value = (value + here) & w
        mixed = (following << 11) ^ value
        value = ((value << 16) & w) ^ mixed
        value = (value + (value >> 11)) & w
    value = (value ^ (value << 3)) & w
    value = (value + (value >> 5)) & w
    value = (value ^ (value << 4)) & w
    value = (value + (value >> 17)) & w
    value = (value ^ (value << 25)) & w
    value = (value + (value >> 6)) & w
    return "00:18:51:" + ":".join(f"{value >> shift & 255:02X}" for shift in (0, 8, 15))


def test_a_lock_is_a_process_id_that_lives(four: Machine) -> None:
    four.ok("vzctl", "create", "101")
    four.write("/vz/lock/101.lck", f"{os.getpid()}\n\n")
    assert four.run("vzctl", "set", "101", "--save").rc == 9
    assert four.run("vzctl", "--skiplock", "set", "101", "--save").rc == 0
    assert four.run("vzctl", "status", "101").rc == 0
    four.write("/vz/lock/101.lck", "nonsense\n")
    assert four.run("vzctl", "set", "101", "--save").rc == 0
    assert not (four.root / "vz/lock/101.lck").exists()
    # A power cut leaves it empty.
    four.write("/vz/lock/101.lck", "")
    assert four.run("vzctl", "set", "101", "--save").rc == 0
    assert not (four.root / "vz/lock/101.lck").exists()
