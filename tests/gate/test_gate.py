"""The gate takes a few lines letter by letter and runs nothing for anything else, in every shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import gate
from networks.engine import hosts

SHELLS = (("dash",), ("busybox", "sh"), ("bash", "--posix"))
KNOWN = {one.asked: one.runs for one in gate.commands()}
VERSION = gate.version()

CRAFTED = (
    "", " ", "sh", "probe ", " probe", "probe x", "probe;reboot", "probe\nreboot", "probe\n", "PROBE",
    "prob?", "*", "[p]robe", "'probe'", '"probe"', "probe -", "probe --", "$(id)", "`id`", "${IFS}",
    "measure|sh", "a;reboot", "transaction", "transaction plan", "transaction plan 0000000000000000",
    f"transaction plan {VERSION} x", f"transaction  plan {VERSION}", "transaction boot",
    "transaction _deadman", "transaction confirm x", "transaction - confirm", "scp -t /etc",
    "sftp-server", "/usr/lib/openssh/sftp-server", "internal-sftp", "-c id", "bash -i",
    "sudo -n -- /usr/local/lib/vnetpanel/probe -", "../probe", "probe\r", "probe\t", "\u202eeborp",
    "\N{PILE OF POO}", "x" * 100_000, "probe" * 20_000, "%s%n", "\\probe", "~", "!!", "esac",
    ") reboot ;;",
)  # fmt: skip


class Gate:
    """The gate's text with its sudo replaced by one that tells how it was called."""

    def __init__(self, folder: Path) -> None:
        sudo = folder / "sudo"
        sudo.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
        sudo.chmod(0o755)
        (folder / "reboot").symlink_to(sudo)
        self.file = folder / "gate"
        text = gate.gate()
        assert text.count("PATH=/usr/sbin:") == 1
        self.file.write_text(text.replace("PATH=/usr/sbin:", f"PATH={folder}:/usr/sbin:"))

    def __call__(self, shell: tuple[str, ...], asked: str | None, **more: str) -> tuple[int, str, str]:
        env = {"PATH": "/nowhere", **more} | ({} if asked is None else {"SSH_ORIGINAL_COMMAND": asked})
        argv = [f"/usr/bin/{shell[0]}", *shell[1:], str(self.file), "-c", "reboot"]
        raw = {os.fsencode(name): value.encode("utf-8", "surrogatepass") for name, value in env.items()}
        done = subprocess.run(argv, env=raw, input=b"reboot\n", capture_output=True, timeout=20, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    return Gate(tmp_path_factory.mktemp("gate"))


REFUSED = (64, f"vnetpanel-gate {VERSION} refuses this\n", "")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_it_runs_exactly_what_is_listed(shell: tuple[str, ...], ask: Gate) -> None:
    for asked, runs in KNOWN.items():
        words = "|".join(["-n", "--", *runs.split(" ")])
        assert ask(shell, asked) == (0, f"{words}|", "")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_it_refuses_everything_else_and_runs_nothing(shell: tuple[str, ...], ask: Gate) -> None:
    assert ask(shell, None) == REFUSED
    for asked in CRAFTED:
        assert ask(shell, asked) == REFUSED, asked[:80]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_environment_changes_nothing(shell: tuple[str, ...], ask: Gate, tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.write_text("echo owned\n")
    tricks = {
        "ENV": str(start),
        "BASH_ENV": str(start),
        "IFS": "prbe",
        "PS4": "$(echo owned)",
        "SHELLOPTS": "xtrace",
    }
    if shell[0] == "bash":
        del tricks["SHELLOPTS"]  # prints each line that runs; which are ours
    assert ask(shell, "probe x", **tricks) == REFUSED
    assert ask(shell, "probe", **tricks) == (0, "-n|--|/usr/local/lib/vnetpanel/probe|-|", "")


near = st.sampled_from(sorted(KNOWN)).flatmap(
    lambda line: st.tuples(st.integers(0, len(line)), st.text(max_size=3), st.integers(0, 3)).map(
        lambda cut: line[: cut[0]] + cut[1] + line[cut[0] + cut[2] :]
    )
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SHELLS), st.text(max_size=200) | near)
def test_whatever_is_asked_only_the_list_is_run(ask: Gate, shell: tuple[str, ...], asked: str) -> None:
    asked = asked.replace("\0", "")
    expected = REFUSED
    if asked in KNOWN:
        expected = (0, "|".join(["-n", "--", *KNOWN[asked].split(" "), ""]), "")
    assert ask(shell, asked) == expected


def test_the_sudoers_file_has_no_wildcard_and_lists_the_same_commands() -> None:
    text = gate.sudoers()
    listed = text.replace("\\\n", " ").splitlines()[-1].partition("NOPASSWD:")[2].split(",")
    assert [" ".join(line.split()) for line in listed] == [one.runs for one in gate.commands()]
    assert not set("*?[]^$") & set(text)
    assert "ALL=(root) NOPASSWD:" in text and text.count("ALL") == 1


def test_every_verb_that_the_engine_uses_is_listed() -> None:
    used = set(re.findall(r'_run\(\s*"([a-z]+)"', Path(hosts.__file__).read_text())) | {"apply", "hold"}
    assert len(used) > 8
    assert used == {*gate.PLANNING, *gate.ENDING}


@pytest.mark.parametrize(
    "bad", ["", "any", "10.0.0.1 or so", "10.0.0.0/33", "fe80::1%eth0", '1.1.1.1",command="', "*"]
)
def test_only_addresses_go_into_the_key_s_line(bad: str) -> None:
    with pytest.raises(ValueError, match="address"):
        gate.checked_addresses(bad)


def test_the_key_s_line_forbids_all_but_the_gate() -> None:
    key = "ssh-ed25519 AAAA vnetpanel"
    line = gate.authorized_keys(key, "10.0.0.1, fd77::/64", old=False)
    assert line == f'restrict,from="10.0.0.1,fd77::/64",command="/usr/local/lib/vnetpanel/gate" {key}\n'
    assert "no-pty" in gate.authorized_keys("ssh-ed25519 AAAA", "10.0.0.1", old=True)
    with pytest.raises(ValueError, match="public key"):
        gate.authorized_keys("ssh-ed25519 AAAA\nssh-ed25519 BBBB", "10.0.0.1", old=False)
