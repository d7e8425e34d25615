"""No more is read of a packet than SSH servers send, whatever length a server or somebody in between says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import paramiko
import pytest

from nodes.commands import Command
from nodes.ssh import Credential, HostKey, Limits, Pool, Target, make_key_pair, read_host_key
from nodes.ssh.deadline import Deadline
from nodes.ssh.dial import dial
from nodes.ssh.errors import ConnectionLost, Unreachable
from nodes.ssh.tcp import PACKET_BYTES, SshSocket
from tests.ssh import listeners
from tests.ssh.conftest import StartSshd
from tests.sshd import Sshd

MIB = 1024 * 1024
# A length that keeps to the size of every cipher's blocks, and the packet's first bytes.
TWO_GIB = b"\x7f\xff\xff\xfc" + bytes(60)
TOLD = r"port \d+ announced a packet of 209715\d KiB.* somebody may be in between"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes paramiko wanted to have received, each time that it did receive some."""
    found: list[int] = []
    receive = SshSocket.recv

    def recv(sock: SshSocket, size: int, flags: int = 0) -> bytes:
        data = receive(sock, size, flags)
        found.append(size)
        return data

    monkeypatch.setattr(SshSocket, "recv", recv)
    return found


@pytest.fixture
def now() -> Iterator[threading.Event]:
    """When somebody in between begins to say something on a connection."""
    event = threading.Event()
    yield event
    event.set()


def test_a_huge_packet_in_place_of_the_key_exchange_is_refused_at_once() -> None:
    started = time.monotonic()
    with (
        listeners.listener(listeners.says(b"SSH-2.0-OpenSSH_9.2\r\n" + TWO_GIB)) as (address, port),
        pytest.raises(Unreachable, match=rf"^{address} {TOLD}") as caught,
    ):
        read_host_key(address, port, timeout=60)

    assert caught.value.reason == "packet_too_large"
    assert time.monotonic() - started < 20


class _HugeAnswer(paramiko.ServerInterface):
    """Sets up the encryption as any server, and answers a login with the beginning of a huge packet."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.client.sendall(TWO_GIB)
        threading.Event().wait(60)
        return paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"


def test_a_huge_packet_in_answer_to_a_login_is_refused_at_once(pool: Pool) -> None:
    host_key = paramiko.ECDSAKey.generate()

    def answer(client: socket.socket) -> None:
        server = paramiko.Transport(client)
        server.daemon = True
        server.add_server_key(host_key)
        server.start_server(event=threading.Event(), server=_HugeAnswer(client))

    started = time.monotonic()
    with listeners.listener(answer) as (address, port):
        target = Target(
            address=address,
            port=port,
            username="root",
            credential=Credential(private_key=make_key_pair().private),
            host_keys=(HostKey(host_key.get_name(), host_key.get_base64()),),
        )
        with pytest.raises(ConnectionLost, match=rf"^{address} {TOLD}") as caught:
            pool.run(target, Command(("true",)), deadline_s=60)

    assert (caught.value.reason, caught.value.started) == ("packet_too_large", False)
    assert time.monotonic() - started < 9, "before the login's own time is over"


@pytest.mark.parametrize(
    ("config", "legacy"),
    [
        ("Ciphers aes128-gcm@openssh.com", False),
        ("Ciphers aes128-ctr\nMACs hmac-sha2-256-etm@openssh.com", True),
    ],
    ids=["gcm", "etm"],
)
def test_a_length_that_somebody_in_between_has_set_is_refused_while_a_command_runs(
    start_sshd: StartSshd, pool: Pool, now: threading.Event, config: str, legacy: bool
) -> None:
    """Neither cipher encrypts lengths, and both are found false only when the whole packet has come."""
    sshd = start_sshd(config)

    def meddle() -> None:
        sshd.wait_for_commands(1)
        now.set()

    with listeners.listener(listeners.says_from(now, TWO_GIB, sshd.address, sshd.port)) as (address, port):
        threading.Thread(target=meddle, daemon=True).start()
        with pytest.raises(ConnectionLost, match=f"{TOLD}.*Whether it ran to its end is not known") as caught:
            pool.run(
                sshd.target(address=address, port=port, legacy=legacy),
                Command(("sleep", "30")),
                deadline_s=25,
            )

    assert (caught.value.reason, caught.value.started) == ("packet_too_large", True)


def test_a_connection_that_nobody_uses_is_closed_in_place_of_reading_a_huge_packet(
    sshd: Sshd, now: threading.Event
) -> None:
    with listeners.listener(listeners.says_from(now, bytes([127]) * MIB, sshd.address, sshd.port)) as place:
        connection = dial(sshd.target(address=place[0], port=place[1]), Deadline(20))
        before = connection.sock.received
        now.set()
        connection.transport.join(20)

        assert not connection.alive
        assert connection.sock.received - before < 1024
        connection.close()


def test_the_next_command_goes_over_a_new_connection(sshd: Sshd, pool: Pool, now: threading.Event) -> None:
    with listeners.listener(listeners.says_from(now, TWO_GIB, sshd.address, sshd.port)) as (address, port):
        target = sshd.target(address=address, port=port)
        assert pool.run(target, Command(("echo", "1"))).stdout == b"1\n"
        now.set()
        assert pool.run(target, Command(("echo", "2"))).stdout == b"2\n"

    assert (sshd.connections, sshd.commands) == (2, 2)


def test_the_packets_of_a_real_server_stay_far_below_the_bound(
    sshd: Sshd, pool: Pool, asked: list[int]
) -> None:
    limits = Limits(stdout=9 * MIB)

    completed = pool.run(sshd.target(), Command(("head", "-c", str(8 * MIB), "/dev/zero")), limits=limits)

    assert len(completed.stdout) == 8 * MIB
    assert 32 * 1024 <= max(asked) <= PACKET_BYTES // 4
