"""New connections, one after the other: `python -m bench.cold FOLDER NUMBER`, where the controller is.

Prints the medians in milliseconds as JSON: what the panel's pool takes, and what paramiko takes as it comes.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import paramiko

from nodes.commands import Command
from nodes.ssh import Credential, HostKey, Pool, Target

ROUNDS = 3


def main(folder: Path, number: int) -> None:
    """Measure and print."""
    addresses = [f"10.76.1.{1 + one}" for one in range(number)]
    kind, text, *_ = (folder / "host_ed25519.pub").read_text().split()
    key = paramiko.Ed25519Key.from_private_key_file(str(folder / "client_ed25519"))
    private = (folder / "client_ed25519").read_text()

    def ours(address: str) -> None:
        target = Target(address=address, port=22, username="root", credential=Credential(private_key=private),
                        host_keys=(HostKey(kind, text),), server=address)  # fmt: skip
        pool = Pool()
        done = pool.run(target, Command(("ip", "-o", "link")))
        assert done.ok
        pool.close()

    def stock(address: str) -> None:
        transport = paramiko.Transport((address, 22))
        transport.connect(username="root", pkey=key)
        channel = transport.open_session()
        channel.exec_command("ip -o link")
        while channel.recv(65536):
            pass
        assert channel.recv_exit_status() == 0
        transport.close()

    def took(work: Callable[[str], None], address: str) -> float:
        started = time.perf_counter()
        work(address)
        return (time.perf_counter() - started) * 1000

    found: dict[str, list[float]] = {"ours": [], "stock": []}
    for _ in range(ROUNDS):
        for address in addresses:
            found["ours"].append(took(ours, address))
            found["stock"].append(took(stock, address))
    print(json.dumps({name: statistics.median(times) for name, times in found.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
