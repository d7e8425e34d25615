"""What the transaction script costs a server, without SSH: processor time by verb."""

from __future__ import annotations

import re
import statistics
import subprocess
import uuid

from bench.farm import Farm
from networks.host import installation, script_path
from networks.host.grammar import Bridge, HostPlan, KeepBridge, Port, RemoveBridge

WHOLE = "hold and settle"
"""What a Change runs on a server of which it touches no address (networks/engine/hosts.py)."""


AWAY = f"{WHOLE} of taking away"


def script_costs(farm: Farm, runs: int) -> dict[str, float]:
    """Milliseconds of processor time by verb, on one server, medians."""
    inside = [*farm.servers.prefix, "nsenter", "-t", str(farm.processes[0].pid), "-m", "-n"]
    argv, text = installation()
    subprocess.run([*inside, *argv], input=text, check=True)
    there = HostPlan(
        (Bridge("vn-cost", "eth1"), Port("veth101.0", "vn-cost")), (KeepBridge("vn-cost", "eth1"),)
    )
    away = HostPlan((Port("veth101.0"), RemoveBridge("vn-cost", "eth1")))
    costs: dict[str, list[float]] = {}

    def call(verb: str, *words: str, plan: HostPlan | None = None, name: str = "") -> str:
        before = farm.servers.cpu_s()
        command = [*inside, "sh", script_path(), verb, *words]
        text = plan.render() if plan else ""
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        costs.setdefault(name or verb, []).append((farm.servers.cpu_s() - before) * 1000)
        if done.returncode:
            raise RuntimeError(f"{verb}: {done.stdout[-400:]} {done.stderr[-200:]}")
        return done.stdout

    def nothing() -> float:
        before = farm.servers.cpu_s()
        subprocess.run([*inside, "true"], check=True)
        return (farm.servers.cpu_s() - before) * 1000

    # What it takes to come into the namespace and the group is not the script's.
    way_in = min(nothing() for _ in range(5))
    subprocess.run([*inside, "sh", "-c", "rm -rf /etc/vnetpanel"], check=True)
    for _ in range(max(3, runs)):
        for plan, which in ((there, ""), (away, " of taking away")):
            digest = re.search(r"^digest=(\w+)", call("plan", plan=plan), re.M)
            assert digest
            txid = str(uuid.uuid4())
            call("hold", txid, "60", digest[1], plan=plan, name=f"hold{which}")
            call("settle", txid, name=f"settle{which}")
    subprocess.run([*inside, "sh", "-c", "rm -rf /etc/vnetpanel"], check=True)
    medians = {verb: statistics.median(found) - way_in for verb, found in costs.items()}
    there_and_away = {"": WHOLE, " of taking away": AWAY}
    return medians | {
        both: medians[f"hold{which}"] + medians[f"settle{which}"] for which, both in there_and_away.items()
    }
