"""Behind a sudoers file without wildcards a verb's arguments are the first line of its standard input."""

from __future__ import annotations

import pytest

from networks.host.grammar import Bridge, HostPlan, KeepBridge
from tests.host.rig import Server

pytestmark = pytest.mark.netns
PLAN = HostPlan((Bridge("vn-c"),), (KeepBridge("vn-c"),))


def test_a_whole_change_goes_by_its_input(server: Server) -> None:
    digest = server.call("-", "plan", stdin=f"\n{PLAN.render()}", check=True).answer.digest
    assert digest == server.plan(PLAN).answer.digest
    done = server.call("-", "apply", stdin=f"tx-1 15 {digest} 0af1\n{PLAN.render()}", check=True)
    assert done.state == "committed"
    assert server.call("-", "status", stdin="tx-1\n", check=True).state == "committed"
    assert server.call("-", "follow", stdin="-\n").code in (0, 75)
    assert server.call("-", "status", stdin="\n", check=True).answer.get("committed") == "tx-1"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "$(touch @)\n",
        "`touch @`\n",
        "t;touch @\n",
        "*\n",
        "../../etc\n",
        "t\\ x\n",
        f"{'t' * 400}\n",
        "é\n",
    ],
    ids=repr,
)
@pytest.mark.parametrize("verb", ["apply", "confirm", "abort", "status"])
def test_anything_else_is_refused(server: Server, verb: str, line: str) -> None:
    owned = server.root / "owned"
    done = server.call("-", verb, stdin=line.replace("@", str(owned)))
    assert done.code == 64 and not owned.exists()
    assert not list(server.run_dir.glob("txn/*"))
