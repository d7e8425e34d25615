"""No packet is held back, none is acknowledged late; a silent connection is asked whether it lives."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from nodes.commands import Command
from nodes.ssh.deadline import Deadline
from nodes.ssh.dial import Timeouts, dial
from nodes.ssh.run import Limits, open_session, run_on
from nodes.ssh.tcp import SshSocket
from tests.sshd import Sshd


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The TCP options of connections as they are set, and 0 for each time that something was received."""
    found: list[int] = []
    set_it, receive = SshSocket.setsockopt, SshSocket.recv

    def setsockopt(sock: SshSocket, level: int, option: int, value: Any) -> None:
        if level == socket.IPPROTO_TCP:
            found.append(option)
        set_it(sock, level, option, value)

    def recv(sock: SshSocket, *words: Any) -> bytes:
        data = receive(sock, *words)
        found.append(0)
        return data

    monkeypatch.setattr(SshSocket, "setsockopt", setsockopt)
    monkeypatch.setattr(SshSocket, "recv", recv)
    return found


def test_what_is_received_is_acknowledged_at_once_each_time(sshd: Sshd, options: list[int]) -> None:
    """The kernel forgets TCP_QUICKACK after each use (tcp(7))."""
    connection = dial(sshd.target(), Deadline(20))
    try:
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        channel = open_session(connection, 10)
        done = run_on(connection, channel, Command(("echo", "here")), False, Deadline(20), Limits())
        assert done.stdout == b"here\n"
    finally:
        connection.close()
    received = [place for place, option in enumerate(options) if option == 0]
    assert len(received) > 10
    assert all(options[place - 1] == socket.TCP_QUICKACK for place in received)


def test_a_silent_connection_is_asked_and_given_up(sshd: Sshd) -> None:
    connection = dial(sshd.target(), Deadline(20), Timeouts(keepalive_s=7))
    try:
        assert connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
        assert connection.transport.packetizer._Packetizer__keepalive_interval == 7
    finally:
        connection.close()
