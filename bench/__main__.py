"""`python -m bench --help`; what is measured and how: docs/performance.md."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.farm import FarmInUse
from bench.meter import NoControlGroups

if TYPE_CHECKING:
    from bench.report import Row

ANSIBLE = Path(".venv-bench/bin")


def main() -> int:
    """Measure, print the tables, keep the results."""
    options = arguments()
    # As Ctrl-C: servers, namespaces and control groups are removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.geteuid() != 0:
        print("The benchmark needs root: it makes network namespaces and control groups.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="vb", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ.update(
            VNETPANEL_VAR=str(folder),
            DJANGO_SETTINGS_MODULE="vnetpanel.settings",
            VNETPANEL_LOG_LEVEL="WARNING",
            DATABASE_URL="",
            REDIS_URL="",
        )
        import django

        django.setup()
        try:
            return measured(folder, options)
        except KeyboardInterrupt:
            print("Interrupted; what it had made is removed.", file=sys.stderr)
            return 130
        except NoControlGroups as error:
            print(f"The benchmark needs control groups: {error}", file=sys.stderr)
            return 1
        except FarmInUse:
            print(
                "Another benchmark of this checkout is running; try again when it has ended.", file=sys.stderr
            )
            return 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure the panel beside its rivals."
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few servers, one run each: under three minutes"
    )
    parser.add_argument(
        "--sizes", default="", help="numbers of servers, ascending (default 10,50,200; quick 2,4)"
    )
    parser.add_argument("--runs", type=int, default=0, help="runs of each measurement (default 3; quick 1)")
    parser.add_argument("--no-web", action="store_true", help="leave the pages out")
    parser.add_argument("--no-servers", action="store_true", help="the pages only")
    parser.add_argument("--ansible-at-most", type=int, help="no Ansible on more servers")
    parser.add_argument("--guarded-at-most", type=int, help="no guarded Changes on more servers")
    parser.add_argument("--page", action="store_true", help="write the figures into docs/performance.md too")
    parser.add_argument("--ansible", type=Path, default=ANSIBLE, help="folder of Ansible's programs")
    found = parser.parse_args()
    limited = found.ansible_at_most is not None or found.guarded_at_most is not None
    part = found.quick, found.sizes, found.no_web, found.no_servers, limited
    found.whole = not any(part) and (found.runs == 0 or found.runs >= 3)
    found.sizes = [int(one) for one in (found.sizes or ("2,4" if found.quick else "10,50,200")).split(",")]
    if found.ansible_at_most is None:
        found.ansible_at_most = found.sizes[-1]
    if found.guarded_at_most is None:
        found.guarded_at_most = found.sizes[0 if found.quick else -1]
    found.runs = found.runs or (1 if found.quick else 3)
    return found


def measured(folder: Path, options: argparse.Namespace) -> int:
    """All measurements; the exit code says whether they could be made, not whether bars were reached."""
    from bench import report

    def say(text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    started = time.monotonic()
    rows: list[report.Row] = []
    notes = report.machine(options.ansible, f"python -m bench {' '.join(sys.argv[1:])}")
    if not options.no_servers:
        found, noise = on_servers(folder, options, say)
        rows += found
        notes.append(noise)
    if not options.no_web:
        from bench.web import measure_pages

        # Half an hour's figures, should the pages come to grief.
        if rows:
            report.write(rows, whole=False)
        rows += measure_pages(folder, options.quick, say)
    file = report.write(rows, whole=options.whole)
    if options.page:
        report.write_page(rows, notes)
    print("\n".join(notes))
    print(report.plain(rows))
    print(f"{time.monotonic() - started:.0f} s; also in {file}")
    return 0


def on_servers(
    folder: Path, options: argparse.Namespace, say: Callable[[str], None]
) -> tuple[list[Row], str]:
    """What is measured on servers, and how quiet the machine was."""
    from bench import report
    from bench.contenders import Contenders
    from bench.farm import farm, prefix
    from bench.meter import Group
    from bench.panel import panel
    from bench.scenario import Bench
    from bench.slow import slow_servers

    sizes = options.sizes
    say(f"starting {sizes[-1]} servers")
    group = Group(f"{prefix()}-rivals")
    with farm(sizes[-1], folder) as servers, panel(servers, say) as ours:
        rivals = Contenders(servers, group, options.ansible.absolute())
        limits = options.ansible_at_most, options.guarded_at_most
        bench = Bench(servers, ours, rivals, options.runs, *limits, say)
        try:
            bench.script()
            bench.cold()
            for size in sizes:
                bench.size(size)
            slow = [size for size in sizes if size <= 100]
            largest = 100 if sizes[-1] >= 100 else slow[-1]
            slow_servers(bench, slow[0], largest, changes=not options.quick)
            bench.growth(sizes[0], sizes[-1])
        except BaseException:
            # An hour's figures, should a late part come to grief.
            if bench.rows:
                say(f"what was measured before is in {report.write(bench.rows, whole=False)}")
            raise
        finally:
            rivals.close()
            group.remove()
        return bench.rows, (
            f"noise: of the processor time while something was measured, other programs took"
            f" {bench.noise_s / bench.measured_s:.0%}"
        )


if __name__ == "__main__":
    sys.exit(main())
