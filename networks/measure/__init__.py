"""Measuring who answers whom: one exec of a sh script on each server (measure.sh), and its answer. Pure."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from networks.measure.answers import BadMeasure, Heard, read_answer
from networks.measure.jobs import Place, Witness, job_lines
from nodes.commands import Command

__all__ = [
    "DEADLINE_S",
    "BadMeasure",
    "Heard",
    "Place",
    "Witness",
    "job_lines",
    "job_text",
    "measure_command",
    "measure_script",
    "read_answer",
]

DEADLINE_S = 150.0
"""After this long a measurement of one server is given up; the script's own limits end most much earlier."""


@cache
def measure_script() -> str:
    """The text of measure.sh, without the lines that are only for those who read it."""
    text = Path(__file__).with_name("measure.sh").read_text(encoding="utf-8")
    return re.sub(r"(?m)^[ \t]*#(?!!).*\n|^\n", "", text)


def job_text(places: tuple[Place, ...], witnesses: tuple[Witness, ...] = ()) -> bytes:
    """The jobs as the program reads them on its standard input, below the nonce."""
    return "".join(f"{line}\n" for line in job_lines(places, witnesses)).encode()


def measure_command(nonce: str, places: tuple[Place, ...], witnesses: tuple[Witness, ...] = ()) -> Command:
    """The command that measures from those places of one server.

    Everything in the jobs has been checked letter by letter (`jobs.py`): they travel inside the script.
    """
    if not re.fullmatch(r"[0-9a-f]{16,64}", nonce):
        raise ValueError("a nonce is 16 to 64 hexadecimal digits")
    lines = "\n".join(job_lines(places, witnesses))
    return Command(("sh", "-s", nonce), stdin=measure_script().replace("@JOBS@", lines).encode())
