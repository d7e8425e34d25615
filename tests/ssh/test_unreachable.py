"""No SSH conversation comes about: each cause has its own reason, in time."""

from __future__ import annotations

import socket
import time

import pytest

from nodes.ssh import read_host_key
from nodes.ssh.errors import NotAnSshServer, Unreachable
from tests.ssh import listeners
from tests.ssh.conftest import StartSshd


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_port_that_nobody_listens_on_refuses() -> None:
    with pytest.raises(Unreachable, match="Is the SSH server running") as caught:
        read_host_key("127.0.0.1", free_port())

    assert caught.value.reason == "refused"
    assert caught.value.retryable


def test_a_name_that_does_not_exist_is_told_so() -> None:
    with pytest.raises(Unreachable, match="cannot be resolved") as caught:
        read_host_key("no-such-server.invalid", timeout=5)

    assert caught.value.reason == "name_unknown"


def test_a_text_that_is_no_name_is_told_so() -> None:
    with pytest.raises(Unreachable) as caught:
        read_host_key("a" * 70 + ".example", timeout=5)

    assert caught.value.reason == "name_unknown"


def test_a_server_that_does_not_answer_is_left_at_the_deadline() -> None:
    # A full backlog drops further connection requests, as a firewall does.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        time.sleep(0.05)
        started = time.monotonic()
        with pytest.raises(Unreachable, match="does not answer") as caught:
            read_host_key(*server.getsockname(), timeout=0.5)
        for filler in fillers:
            filler.close()

    assert caught.value.reason == "timeout"
    assert time.monotonic() - started < 3.5


def test_a_network_without_a_route_is_told_so() -> None:
    # Class E addresses (RFC 1112) are never routed; Linux answers at once on a machine without default route.
    with pytest.raises(Unreachable) as caught:
        read_host_key("255.255.255.255", timeout=1)

    assert caught.value.reason in {"no_route", "network", "timeout"}


def test_a_listener_that_never_greets_is_left_at_the_deadline() -> None:
    started = time.monotonic()
    with (
        listeners.listener(listeners.silent) as (address, port),
        pytest.raises(Unreachable, match="no SSH greeting") as caught,
    ):
        read_host_key(address, port, timeout=0.5)

    assert caught.value.reason == "silent"
    assert time.monotonic() - started < 3.5


def test_a_listener_that_hangs_up_is_told_so() -> None:
    with (
        listeners.listener(listeners.hangs_up) as (address, port),
        pytest.raises(Unreachable, match="hangs up at once") as caught,
    ):
        read_host_key(address, port)

    assert caught.value.reason == "closed"


def test_all_addresses_of_a_name_are_tried() -> None:
    # localhost is ::1 first on most machines, where nobody listens on this port.
    with (
        listeners.listener(listeners.hangs_up) as (_, port),
        pytest.raises(Unreachable) as caught,
    ):
        read_host_key("localhost", port)

    assert caught.value.reason == "closed"


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"220 mail.example.org ESMTP\r\n" * 200,
        b"\xff\xfe\x00\x9f binary \x1b[31m\r\n" * 50,
    ],
    ids=["http", "smtp", "binary"],
)
def test_a_greeting_of_something_else_is_no_ssh_server(greeting: bytes) -> None:
    with (
        listeners.listener(listeners.says(greeting)) as (address, port),
        pytest.raises(NotAnSshServer, match="not an SSH server") as caught,
    ):
        read_host_key(address, port, timeout=1)

    assert caught.value.reason == "not_ssh"
    assert not caught.value.retryable


def test_an_endless_greeting_is_cut_early() -> None:
    started = time.monotonic()
    with (
        listeners.listener(listeners.never_stops(b"x" * 8192)) as (address, port),
        pytest.raises(NotAnSshServer),
    ):
        read_host_key(address, port, timeout=60)

    assert time.monotonic() - started < 20


def test_ssh_version_1_is_told_so() -> None:
    with (
        listeners.listener(listeners.says(b"SSH-1.5-OpenSSH_2.9\r\n")) as (address, port),
        pytest.raises(NotAnSshServer, match="version 1 of SSH"),
    ):
        read_host_key(address, port)


@pytest.mark.parametrize("words", [b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"])
def test_a_server_that_sheds_load_is_tried_again(words: bytes) -> None:
    def sheds(client: socket.socket) -> None:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)
        client.recv(1024)

    with listeners.listener(sheds) as (address, port), pytest.raises(Unreachable) as caught:
        read_host_key(address, port)

    assert caught.value.reason == "too_many_logins"
    assert caught.value.retryable


def test_a_server_that_breaks_off_during_the_key_exchange_is_told_so() -> None:
    def breaks_off(client: socket.socket) -> None:
        client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        client.recv(65536)
        client.close()

    with listeners.listener(breaks_off) as (address, port), pytest.raises(Unreachable) as caught:
        read_host_key(address, port)

    assert caught.value.reason == "handshake"


def test_a_server_that_stops_during_the_key_exchange_is_left_at_the_deadline() -> None:
    started = time.monotonic()
    with (
        listeners.listener(listeners.says(b"SSH-2.0-OpenSSH_9.2\r\n")) as (address, port),
        pytest.raises(Unreachable, match="out of time") as caught,
    ):
        read_host_key(address, port, timeout=0.5)

    assert caught.value.reason == "handshake"
    assert time.monotonic() - started < 3.5


def test_a_frozen_sshd_is_left_at_the_deadline(start_sshd: StartSshd) -> None:
    sshd = start_sshd()
    sshd.freeze()

    with pytest.raises(Unreachable) as caught:
        read_host_key(sshd.address, sshd.port, timeout=0.5)

    assert caught.value.reason == "silent"
