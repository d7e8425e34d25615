"""What was measured, as rows: tables for people, bench/results/ for programs."""

from __future__ import annotations

import json
import math
import platform
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from bench.panel import Cost

RESULTS = Path(__file__).resolve().parent / "results" / "latest.json"
PARTIAL = RESULTS.with_name("partial.json")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
MARKER = "<!-- below: written by `make bench ARGS=--page` -->"


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` is ours / peer (ours itself without a peer), `bar` the most it may be."""

    name: str
    ours: float
    peer: float | None
    unit: str
    ratio: float
    bar: float | None
    ok: bool | None


def against(name: str, ours: float, peer: float, unit: str, bar: float | None = None) -> Row:
    """Ours beside a rival's figure of the same run."""
    ratio = ours / peer if peer else math.inf
    return Row(
        name,
        round(ours, 3),
        round(peer, 3),
        unit,
        round(ratio, 4),
        bar,
        None if bar is None else ratio <= bar,
    )


def alone(name: str, ours: float, unit: str, bar: float | None = None) -> Row:
    """A figure that is compared with its bar only."""
    return Row(name, round(ours, 3), None, unit, round(ours, 4), bar, None if bar is None else ours <= bar)


def median(costs: Iterable[Cost], size: int) -> Cost:
    """Medians of the runs, each column by itself; processor time in milliseconds per server."""
    runs = list(costs)

    def middle(name: str, scale: float = 1.0) -> float:
        return statistics.median(getattr(run, name) for run in runs) * scale

    per_server = 1000 / size
    return Cost(
        middle("wall_s"), middle("controller_s", per_server), middle("servers_s", per_server),
        middle("machine_s", per_server), middle("memory_mb"),
    )  # fmt: skip


def exponent(sizes: tuple[int, int], walls: tuple[float, float]) -> float:
    """How wall time grows with the number between two sizes: 1 is in proportion, 0 not at all."""
    return math.log(walls[1] / walls[0]) / math.log(sizes[1] / sizes[0])


def figure(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def bar_text(row: Row) -> str:
    """The bar as people say it: 1/30 instead of 0.0333."""
    if row.bar is None:
        return "-"
    return f"1/{round(1 / row.bar)}" if 0 < row.bar < 0.2 and row.peer is not None else f"{row.bar:g}"


def verdict(row: Row) -> str:
    """Whether the bar was reached, and how many times over it was missed."""
    if row.ok is None or row.ok:
        return "yes" if row.ok else ""
    if not row.bar:
        return "no"
    times = row.ratio / row.bar
    return f"no, {times:.1f}x" if times >= 1.05 else f"no, {max(times, 1.001):.3f}x"


HEAD = ("what", "ours", "peer", "unit", "ratio", "bar", "reached")


def cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        figure(row.ours),
        figure(row.peer),
        row.unit,
        figure(row.ratio),
        bar_text(row),
        verdict(row),
    )


def plain(rows: Iterable[Row]) -> str:
    """A table for a terminal."""
    table = [HEAD, *map(cells, rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(text.ljust(width) if column in (0, 3) else text.rjust(width)
                  for column, (text, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in table
    )  # fmt: skip


def markdown(rows: Iterable[Row]) -> str:
    """The same table for docs/performance.md."""
    lines = ["| " + " | ".join(line) + " |" for line in map(cells, rows)]
    return "\n".join(["| " + " | ".join(HEAD) + " |", "|---|--:|--:|---|--:|--:|---|", *lines])


def write(rows: Iterable[Row], *, whole: bool) -> Path:
    """Keep the rows for whoever reads them by program; those of a part do not replace those of the whole."""
    file = RESULTS if whole else PARTIAL
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return file


def write_page(rows: Iterable[Row], notes: Iterable[str]) -> None:
    """Put the figures into docs/performance.md, below its marker; what is above it people write."""
    above = PAGE.read_text().partition(MARKER)[0]
    facts = "\n".join(f"- {note}" for note in notes)
    PAGE.write_text(f"{above}{MARKER}\n\n{facts}\n\n{markdown(rows)}\n")


def machine(ansible: Path, command: str) -> list[str]:
    """What it ran on, with which versions and by which command, a sentence a line."""
    import celery
    import django
    import paramiko

    cpus = subprocess.run(("nproc",), capture_output=True, text=True).stdout.strip()
    memory = next(
        line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    ssh = subprocess.run(("ssh", "-V"), capture_output=True, text=True).stderr.strip()
    iproute = subprocess.run(("ip", "-V"), capture_output=True, text=True).stdout.strip()
    return [
        time.strftime("%Y-%m-%d %H:%M"),
        f"{cpus} processors, {int(memory.split()[1]) // 1024**2} GB, Linux {platform.release()}",
        f"Python {platform.python_version()}, Django {django.__version__}, Celery {celery.__version__},"
        f" paramiko {paramiko.__version__}",
        f"{ssh}; {iproute}",
        f"gunicorn {version('gunicorn')}, SQLite {sqlite3.sqlite_version}, {_postgresql()},"
        f" ansible-core {ansible_version(ansible)}",
        f"`{command.strip()}`",
    ]


def _postgresql() -> str:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        return "no PostgreSQL"
    said = subprocess.run((str(found[-1]), "-V"), capture_output=True, text=True).stdout
    return said.strip().replace("postgres (PostgreSQL)", "PostgreSQL")


def ansible_version(programs: Path) -> str:
    """The version in "ansible [core 2.17.1]"; "none" where it is not there."""
    program = programs / "ansible"
    if not program.exists():
        return "none"
    said = subprocess.run((str(program), "--version"), capture_output=True, text=True).stdout
    return said.partition("[core ")[2].partition("]")[0] or "unknown"
