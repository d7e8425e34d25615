"""The measurements of pages: two sizes of an installation, on SQLite and on a private PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.farm import prefix
from bench.meter import Group
from bench.report import Row, against, alone, exponent

SIZES = (250, 1000)
QUICK_SIZES = (100, 400)
PROGRAMS = Path("/usr/lib/postgresql")
MOST_QUERIES = 6


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
    """Rows of one database."""
    rounds, sizes = (6, QUICK_SIZES) if quick else (15, SIZES)
    found: dict[int, dict[str, Any]] = {}
    for size in sizes:
        say(f"pages with {size} servers on {name}")
        viewers = ["10", "100"] if size == sizes[-1] else []
        address = url.replace("/bench?", f"/bench{size}?") if url else ""
        done = subprocess.run(
            [sys.executable, "-m", "bench.pages", str(size), str(rounds), *viewers],
            env={**os.environ, "DATABASE_URL": address}, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"pages on {name}: {done.stderr[-800:]}")
        found[size] = json.loads(done.stdout)
    small, large = (found[size] for size in sizes)
    rows = []
    for page, figures in large["pages"].items():
        (wall, cpu), *deepest = figures
        about = f"{name}, {page}"
        rows.append(alone(f"{about}: wall", wall, "ms"))
        rows.append(alone(f"{about}: queries", large["queries"][page], "", MOST_QUERIES))
        for _, cpu_there in deepest:
            rows.append(against(f"{about}: CPU of the deepest page, the first", cpu_there, cpu, "ms", 1.5))
        growth = exponent(sizes, (small["pages"][page][0][1], cpu))
        rows.append(alone(f"{about}: growth of CPU with servers", growth, "exponent", 0.1))
    for number, figures in found[sizes[-1]]["viewers"].items():
        about = f"{name}, progress of a Change, {number} viewers"
        rows.append(alone(f"{about}: median", figures["median"], "ms"))
        rows.append(alone(f"{about}: 95 of 100 within", figures["p95"], "ms"))
        rows.append(alone(f"{about}: answers", figures["per_s"], "per s"))
    return rows


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
