"""One campaign over several labs: each has a panel and a share of the numbers; all are counted together.

A lab is mostly waiting (clocks of the protocol, servers that boot), so that several fit on one machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

from chaos.verdict import Run, Verdict
from lab.place import CHECKOUT


def shares(first: int, runs: int, labs: int) -> list[range]:
    """The numbers from `first` on in so many pieces, as even as can be; none is empty."""
    cuts = [first + runs * lab // labs for lab in range(labs + 1)]
    return [range(a, b) for a, b in pairwise(cuts) if a < b]


def on_several_labs(arguments: Sequence[str], first: int, runs: int, labs: int) -> list[Run]:
    """Start `python -m chaos` once for each lab, wait for all, and give back what they recorded.

    `arguments` are those that all have in common. A lab that ends early leaves its runs out.
    """
    with tempfile.TemporaryDirectory(prefix="vnp-chaos-records-") as folder:
        records = []
        processes = []
        try:
            for number, share in enumerate(shares(first, runs, labs), 1):
                record = Path(folder) / f"{number}"
                records.append(record)
                words = ["--first", str(share.start), "--runs", str(len(share)), "--record", str(record)]
                state = CHECKOUT / "var" / "chaos" / f"lab{number}"
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-u", "-m", "chaos", *arguments, *words],
                        cwd=CHECKOUT,
                        env={**os.environ, "VNETPANEL_LAB_STATE": str(state)},
                    )
                )
            for process in processes:
                process.wait()
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()
        return [run for record in records if record.exists() for run in read(record)]


def write(run: Run, record: Path) -> None:
    """Add a run to a record, as a line."""
    with record.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(run)) + "\n")


def read(record: Path) -> list[Run]:
    """The runs of a record."""
    rows = (json.loads(line) for line in record.read_text(encoding="utf-8").splitlines())
    return [Run(**{**row, "verdict": Verdict(**row["verdict"])}) for row in rows]
