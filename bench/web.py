"""The measurements of pages: two sizes of an installation, on SQLite and on a private PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Any
from urllib.parse import quote

from bench.farm import prefix
from bench.meter import Group
from bench.report import Row, against, alone, exponent

SIZES = (250, 1000)
QUICK_SIZES = (100, 300)
PROGRAMS = Path("/usr/lib/postgresql")
MOST_QUERIES = 6
VIEWERS = (10, 100)


def measure_pages(folder: Path, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Rows for each database; PostgreSQL is left out where Debian's is not installed, and by quick runs."""
    rows = measured("SQLite", "", quick, say)
    if quick:
        return rows
    found = sorted(PROGRAMS.glob("*/bin/initdb"))
    if not found:
        say("no PostgreSQL here (apt install postgresql): its pages are left out")
        return rows
    with postgres(found[-1].parent, folder / "pg") as url:
        return rows + measured("PostgreSQL", url, quick, say)


def measured(name: str, url: str, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """Rows of one database. Each page in both sizes in turn: a machine is not always as fast."""
    turns, rounds, sizes = (1, 1, QUICK_SIZES) if quick else (9, 2, SIZES)
    rows = []
    with ExitStack() as stack:
        made = []
        for size in sizes:
            say(f"pages with {size} servers on {name}")
            address = url.replace("/bench?", f"/bench{size}?") if url else ""
            made.append(stack.enter_context(installation(size, rounds, address)))
        small, large = made
        for page in large.pages:
            asked = [(small.ask(page=page), large.ask(page=page, counts=True)) for _ in range(turns)]
            ((_, cpu_of_few), *_), ((wall, cpu), *deepest) = (
                medians(column) for column in zip(*asked, strict=True)
            )
            about = f"{name}, {page}"
            rows.append(alone(f"{about}: wall", wall, "ms"))
            rows.append(alone(f"{about}: queries", asked[0][1]["queries"], "", MOST_QUERIES))
            for _, cpu_there in deepest:
                rows.append(
                    against(f"{about}: CPU of the deepest page, the first", cpu_there, cpu, "ms", 1.5)
                )
            growth = exponent(sizes, (cpu_of_few, cpu))
            # One request of a size, whose lists may not fill a page, tells nothing.
            bar = None if quick else 0.1
            rows.append(alone(f"{about}: growth of CPU with servers", growth, "exponent", bar))
        for number in VIEWERS[:1] if quick else VIEWERS:
            figures = large.ask(viewers=number)
            about = f"{name}, progress of a Change, {number} viewers"
            rows.append(alone(f"{about}: median", figures["median"], "ms"))
            rows.append(alone(f"{about}: 95 of 100 within", figures["p95"], "ms"))
            rows.append(alone(f"{about}: answers", figures["per_s"], "per s"))
    return rows


def medians(answers: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """Of each address of a page the medians of wall and processor time over several answers."""
    return [
        (median(wall for wall, _ in turns), median(cpu for _, cpu in turns))
        for turns in zip(*(answer["figures"] for answer in answers), strict=True)
    ]


@dataclass
class Installation:
    """A process of bench/pages.py that waits for what to measure."""

    process: subprocess.Popen[str]
    errors: IO[str]
    pages: list[str] = field(default_factory=list)

    def ask(self, **what: Any) -> Any:
        """Its answer; RuntimeError with its last words if it has none."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """The next line that it says."""
        assert self.process.stdout
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.errors.seek(0)
        raise RuntimeError(f"{' '.join(map(str, self.process.args))}: {self.errors.read()[-800:]}")


@contextmanager
def installation(size: int, rounds: int, address: str) -> Iterator[Installation]:
    """An installation of so many servers, with its web server; ended by the end of its input."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.pages", str(size), str(rounds)],
            env={**os.environ, "DATABASE_URL": address},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        found = Installation(process, errors)
        try:
            found.pages = found.answer()
            yield found
        finally:
            assert process.stdin
            with suppress(OSError):
                process.stdin.close()
            process.wait(60)


@contextmanager
def postgres(programs: Path, folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own on a unix socket; the URL of a database whose name ends with a size."""
    folder.mkdir()
    shutil.chown(folder, "postgres", "postgres")
    folder.parent.chmod(0o711)
    as_owner = ("runuser", "-u", "postgres", "--")
    data = str(folder / "data")
    run(*as_owner, str(programs / "initdb"), "-D", data, "-A", "trust", "-E", "UTF8")
    group = Group(f"{prefix()}-database")
    words = [str(programs / "postgres"), "-D", data, "-k", str(folder), "-h", "", "-p", "5432"]
    words += ["-c", "autovacuum=off"]  # bench/pages.py does its work, before anything is measured
    with (folder.parent / "pg.log").open("wb") as log:
        server = subprocess.Popen([*group.prefix, *as_owner, *words], stdout=subprocess.DEVNULL, stderr=log)
    try:
        _wait_until_ready(programs, folder)
        for size in SIZES:
            run(*as_owner, str(programs / "createdb"), "-h", str(folder), f"bench{size}")
        yield f"postgres://postgres@{quote(str(folder), safe='')}/bench?"
    finally:
        server.terminate()
        server.wait()
        group.remove()


def _wait_until_ready(programs: Path, folder: Path) -> None:
    for _ in range(200):
        if not subprocess.run(
            [str(programs / "pg_isready"), "-h", str(folder)], capture_output=True
        ).returncode:
            return
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not start")


def run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} gave {done.returncode}: {done.stderr[-400:]}")
