"""`make chaos N=60`: N runs; the last line says how they ended, the exit code whether all were ok."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from chaos import labs
from chaos.lanes import side_by_side
from chaos.panel import Panel, PanelDied
from chaos.verdict import SECOND, Run, last_line, taken_part, times
from lab.errors import LabError
from lab.lab import Lab


def main() -> int:
    """Boot lab and panel, run, end both."""
    words = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    words.add_argument("--runs", type=int, default=60)
    words.add_argument("--seed", type=int, default=int(time.time()), help="the same seed draws the same runs")
    words.add_argument("--first", type=int, default=1, help="number of the first run")
    words.add_argument("--seconds", type=float, default=0, help="begin no run after so many seconds")
    words.add_argument("--only", default="", help="no other faults than those with this in their name")
    words.add_argument(
        "--second", type=float, default=0.08, help="the second panel's share of the runs, 0 to 1"
    )
    words.add_argument(
        "--lanes", type=int, default=2, help="so many runs beside each other, on other servers"
    )
    words.add_argument("--labs", type=int, default=1, help="so many labs beside each other, each with lanes")
    words.add_argument("--log", default="", help="a file that gets each run's line as well")
    words.add_argument("--record", default="", help=argparse.SUPPRESS)
    chosen = words.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if chosen.labs > 1:
        return several(chosen)
    lab = Lab(report=say)
    try:
        held = lab.use(alone=True)
        was_up = lab.state("server1") != "off"
    except LabError as error:
        say(str(error))
        return 2
    try:
        lab.up()
        lab.enter_panel()
        return beside_a_panel(lab, chosen)
    except LabError as error:
        say(str(error))
        return 2
    finally:
        held.close()
        if not was_up:
            lab.down()


def beside_a_panel(lab: Lab, chosen: argparse.Namespace) -> int:
    """The runs, with a panel that is ended afterwards."""
    panel = Panel()
    try:
        panel.wait_ready()
        return run(lab, panel, chosen)
    except PanelDied as died:
        say(f"The panel ended:\n{died}")
        return 2
    finally:
        panel.stop()


def several(chosen: argparse.Namespace) -> int:
    """The runs shared out among labs, and the last line of all."""
    common = ["--seed", str(chosen.seed), "--lanes", str(chosen.lanes), "--second", str(chosen.second)]
    common += ["--seconds", str(chosen.seconds), "--only", chosen.only, "--log", chosen.log]
    began = time.monotonic()
    runs = labs.on_several_labs(common, chosen.first, chosen.runs, chosen.labs)
    return ended(runs, chosen, began) or int(len(runs) < chosen.runs)


def run(lab: Lab, panel: Panel, chosen: argparse.Namespace) -> int:
    """All runs, a line each, and the last line."""
    import django

    django.setup()
    from chaos.runs import Chaos
    from nodes.lab_registration import register

    lab.renew()
    register()
    say(f"chaos: seed {chosen.seed}, {chosen.runs} runs, {machine()}, {datetime.now(UTC):%Y-%m-%d}")
    chaos = Chaos(lab, panel, chosen.seed, chosen.only, chosen.second, chosen.lanes)
    chaos.begin()
    runs: list[Run] = []
    began = time.monotonic()

    def work(number: int, lane: int) -> None:
        done = chaos.run(number, lane)
        runs.append(done)
        tell(done, chosen.log)
        if chosen.record:
            labs.write(done, Path(chosen.record))

    numbers = range(chosen.first, chosen.first + chosen.runs)
    try:
        side_by_side(numbers, chaos.needs, work, chosen.lanes, chosen.seconds)
    finally:
        if chaos.rival is not None:
            chaos.rival.stop()
    return ended(runs, chosen, began)


def ended(runs: list[Run], chosen: argparse.Namespace, began: float) -> int:
    """The last lines, and the exit code. The process that has started this one counts for itself."""
    line, code = last_line(runs)
    if chosen.record:
        return code
    if runs:
        say(taken_part(runs, SECOND))
        say(times(runs))
        lanes = chosen.lanes * chosen.labs
        say(f"chaos: all took {(time.monotonic() - began) / 60:.0f} minutes, {lanes} at a time")
    say(line)
    return code


def tell(done: Run, log: str) -> None:
    """One run as a line, and what was wrong below it."""
    lines = done.lines()
    for line in lines:
        say(line)
    if log:
        with Path(log).open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def machine() -> str:
    """The machine in a few words."""
    return f"{os.cpu_count()} processors, {platform.machine()}, Linux {platform.release()}"


def say(line: str) -> None:
    """A line now, also into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
