"""Things that answer on a TCP port and are no proper SSH server, and a slow line to one that is."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nodes.ssh.deadline import Deadline
from nodes.ssh.tcp import connect

Answer = Callable[[socket.socket], None]


@contextmanager
def listener(answer: Answer) -> Iterator[tuple[str, int]]:
    """Address and port of a listener that gives every connection to `answer`, each in a thread."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        taken: list[socket.socket] = []

        def accept() -> None:
            while not stopped.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                client.settimeout(None)
                taken.append(client)
                threading.Thread(target=_quietly, args=(answer, client), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server.getsockname()
        finally:
            stopped.set()
            thread.join()
            for client in taken:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                client.close()


def _quietly(answer: Answer, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        answer(client)


def silent(client: socket.socket) -> None:
    """Says nothing, for ever."""
    client.recv(65536)
    threading.Event().wait(60)


def hangs_up(client: socket.socket) -> None:
    """Closes at once."""
    client.close()


def says(data: bytes) -> Answer:
    """Says one thing, then waits."""

    def answer(client: socket.socket) -> None:
        client.sendall(data)
        while client.recv(65536):
            pass

    return answer


def never_stops(data: bytes) -> Answer:
    """Says the same thing again and again."""

    def answer(client: socket.socket) -> None:
        while True:
            client.sendall(data)

    return answer


def delayed(address: str, port: int, one_way_s: float) -> Answer:
    """Passes bytes to and from a server, each way later by so many seconds: a line with a long round trip."""

    def answer(client: socket.socket) -> None:
        # Acknowledges at once, as the line's far end would: sshd's Nagle waits for it.
        server = connect(address, port, Deadline(5))
        server.settimeout(None)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_quietly, args=(lambda _: _pass(server, client, one_way_s), server)).start()
        _pass(client, server, one_way_s)

    return answer


def _pass(source: socket.socket, sink: socket.socket, one_way_s: float) -> None:
    """Pass on each piece so many seconds after it came, however many are under way."""
    under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

    def deliver(_: socket.socket) -> None:
        while True:
            due, data = under_way.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)

    threading.Thread(target=_quietly, args=(deliver, sink), daemon=True).start()
    data = b"-"
    while data:
        data = source.recv(65536)
        under_way.put((time.monotonic() + one_way_s, data))


def mute_on(event: threading.Event, address: str, port: int) -> Answer:
    """Passes bytes to and from a server until the event; then swallows everything, ends included."""

    def swallow(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            if not event.is_set():
                sink.sendall(data)
        if not event.is_set():
            sink.shutdown(socket.SHUT_WR)

    def answer(client: socket.socket) -> None:
        server = socket.create_connection((address, port))
        threading.Thread(
            target=_quietly, args=(lambda _: swallow(server, client), server), daemon=True
        ).start()
        swallow(client, server)

    return answer


def says_from(event: threading.Event, data: bytes, address: str, port: int) -> Answer:
    """Passes bytes to and from a server; on the event one connection is told the data again and again."""

    def answer(client: socket.socket) -> None:
        threading.Thread(target=_quietly, args=(delayed(address, port, 0.0), client), daemon=True).start()
        event.wait()
        event.clear()
        never_stops(data)(client)

    return answer
