"""A server on which nothing happened says the same words again, also where some of them are known already."""

from __future__ import annotations

import time

import pytest

from nodes import remembered
from nodes.fanout import lasting
from nodes.observe import Words
from nodes.probe import probe_command
from tests.facts.conftest import NONCE, Server

pytestmark = pytest.mark.netns


def test_two_looks_at_a_server_with_bridges_are_the_same_words(server: Server) -> None:
    def look(*known: str) -> bytes:
        command = probe_command(NONCE, known)
        return server.run("sh", *command.argv[1:], stdin=command.stdin, VZ_PREFIX="pbct")

    def words(stdout: bytes) -> bytes:
        return lasting(Words(stdout, NONCE, 0, 0))

    first = remembered.completed(0, look(), NONCE, None)
    known = remembered.known_of(0)
    assert known is not None and b'"gc_timer"' in first
    time.sleep(0.3)
    again = remembered.completed(0, look(*known.words), NONCE, known)
    remembered.forget_all()
    assert first != again and words(first) == words(again)
