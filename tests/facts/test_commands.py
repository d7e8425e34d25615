"""A command is a value: compared, quoted once, shown masked."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.commands import Command

words = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(words, max_size=5))
def test_a_shell_hands_over_exactly_its_words(arguments: list[str]) -> None:
    command = Command(("printf", "%s\\0", *arguments, "end"))
    out = subprocess.run(["sh", "-c", command.shell()], capture_output=True, check=True).stdout
    assert out.decode().split("\0")[:-1] == [*arguments, "end"]


def test_equal_commands_are_equal() -> None:
    assert Command(("ip", "link")) == Command(("ip", "link"))
    assert Command(("ip", "link")) != Command(("ip", "link"), stdin=b"x")


@pytest.mark.parametrize("secret", ["hunter2", "it's; a 'secret'", "$HOME"])
def test_secrets_and_input_are_not_shown(secret: str) -> None:
    command = Command(("login", f"--password={secret}", secret), stdin=secret.encode(), secrets=(secret,))
    for shown in (str(command), repr(command)):
        assert secret not in shown and "***" in shown
    assert command.shell() != str(command)


@pytest.mark.parametrize("argv", [(), ("",), ("echo", "a\0b")])
def test_it_refuses_what_no_program_can_be_given(argv: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        Command(argv)
