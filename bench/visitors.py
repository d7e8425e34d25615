"""People at their browsers: `python -m bench.visitors ORDER` reads pages until told "end", then prints JSON.

Each keeps one connection, as a browser does, looks at a page for a few seconds, and goes to another.
"""

from __future__ import annotations

import http.client
import json
import random
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PAUSE_S = (3.0, 12.0)
"""How long a page is looked at."""
TIMEOUT_S = 60


class Visitor(threading.Thread):
    """One user. `took` has (page, milliseconds); `faults` what went wrong, a sentence each."""

    def __init__(self, number: int, order: dict[str, Any], ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(number)
        self.where = urlsplit(order["url"])
        self.headers = {"Cookie": order["cookies"][number], "Accept": "text/html"}
        self.pages: dict[str, list[str]] = order["pages"]
        self.ended = ended
        self.took: list[tuple[str, float]] = []
        self.faults: list[str] = []
        self.connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        # Not all in the same second.
        self.ended.wait(self.random.uniform(0, PAUSE_S[1]))
        while not self.ended.is_set():
            name = self.random.choice(sorted(self.pages))
            self.open(name, self.random.choice(self.pages[name]))
            self.ended.wait(self.random.uniform(*PAUSE_S))

    def open(self, name: str, address: str) -> None:
        """One page; a kept connection that the server has closed meanwhile is opened anew, as browsers do."""
        began = time.perf_counter()
        for attempt in (1, 2):
            is_new = self.connection is None
            if self.connection is None:
                host, port = self.where.hostname or "", self.where.port
                self.connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
            try:
                self.connection.request("GET", address, headers=self.headers)
                answer = self.connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.connection.close()
                self.connection = None
                if is_new or attempt == 2:
                    self.faults.append(f"{address}: {type(error).__name__} {error}")
                    return
                continue
            break
        self.took.append((name, (time.perf_counter() - began) * 1000))
        if answer.status != 200 or b"</html>" not in body:
            self.faults.append(f"{address}: {answer.status}")


def main(order: dict[str, Any]) -> None:
    """All of them, until the word comes."""
    ended = threading.Event()
    crowd = [Visitor(number, order, ended) for number in range(len(order["cookies"]))]
    timer = threading.Timer(order["most_s"], ended.set)
    timer.daemon = True
    timer.start()
    began = time.monotonic()
    for one in crowd:
        one.start()
    sys.stdin.readline()
    ended.set()
    seconds = time.monotonic() - began
    for one in crowd:
        one.join(TIMEOUT_S + 5)
    times: dict[str, list[float]] = {}
    for one in crowd:
        for name, took in one.took:
            times.setdefault(name, []).append(took)
    rows = {name: figures(taken) for name, taken in times.items()}
    faults = [fault for one in crowd for fault in one.faults]
    users = [len(one.took) for one in crowd]
    print(json.dumps({"pages": rows, "faults": faults, "users": users, "seconds": seconds}))


def figures(taken: list[float]) -> dict[str, float]:
    """Count, median, 95th of a hundred, and the longest."""
    taken = sorted(taken)
    p95 = taken[min(len(taken) - 1, int(len(taken) * 0.95))]
    return {"count": len(taken), "median": statistics.median(taken), "p95": p95, "max": taken[-1]}


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
