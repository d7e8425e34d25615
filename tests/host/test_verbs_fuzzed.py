"""Whatever verbs, ids and plans the script gets: a documented answer, nothing of it run, nothing changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from networks.host.answers import parse_answer
from tests.host import rig
from tests.host.test_plan_grammar import nearly_plans

pytestmark = pytest.mark.netns
SHELLS = (("dash",), ("busybox", "sh"), ("bash", "--posix"))
DOCUMENTED = {0, 64, 65, 69, 74, 75, 76, 77}
VERBS = (
    b"plan", b"apply", b"hold", b"confirm", b"settle", b"extend", b"abort", b"bar", b"status", b"recover",
    b"follow", b"letgo", b"boot", b"-", b"",
)  # fmt: skip
GOOD = b"0f1e2d3c-0000-4000-8000-00112233aabb"
EVIL = (
    b"a;touch RAN", b"$(touch RAN)", b"`touch RAN`", b"'; touch RAN; '", b"&& touch RAN", b"|touch RAN",
    b"../../../../tmp/x", b"..", b".", b"/etc/passwd", b"-", b"--", b"-e", b"*", b"~", b"$0", b"${IFS}",
    b"\\", b"a" * 64, b"a" * 65, b"a" * 5000, b"010", b"0", b"-1", b"15", b"900", b"901", b"9" * 20, b"0x10",
    b"1", b"2", b"16 bytes of name", "ü\u202eé\U0001f600".encode(), b"\xff\xfe", b"\n", b"a\nb", b"\t",
    b"<script>", b"10.0.0.1 1 10.0.0.2 22", b"0" * 64, GOOD,
)  # fmt: skip

words = st.one_of(
    st.sampled_from(EVIL),
    st.sampled_from((GOOD, b"15", b"1", b"0" * 64)),
    st.binary(max_size=12).map(lambda raw: raw.replace(b"\0", b"")),
)
calls = st.tuples(
    st.one_of(st.sampled_from(VERBS), words), st.lists(words, max_size=5), st.one_of(nearly_plans(), words)
)


@pytest.fixture(scope="module", params=SHELLS, ids=" ".join)
def server(request: pytest.FixtureRequest) -> Iterator[rig.Server]:
    """A server that no test here may change; the script runs in a folder of its own."""
    with rig.server(request.param) as made:
        (made.root / "here").mkdir()
        yield made


def links(server: rig.Server) -> str:
    """Its network, without what counts."""
    tables = "ip route show table all; ip -6 route show table all; ip rule; ip neigh show proxy"
    return server.run("sh", "-c", f"ip -o link; ip -o addr; {tables}")


def files(server: rig.Server) -> set[str]:
    """Everything in its folders but the script's own memory of transactions in /run."""
    found = {str(path.relative_to(server.root)) for path in server.root.rglob("*")}
    return {path for path in found if not path.startswith("run")}


@given(calls)
@example((b"abort", [b"../../../../tmp/x"], b""))
@example((b"apply", [GOOD, b"15", b"$(touch RAN)"], b"vnetpanel-plan 1\nstep port veth101.0 -\nend\n"))
@example((b"-", [b"abort"], b"$(touch RAN) ; touch RAN\n"))
@settings(max_examples=60, deadline=None)
def test_it_answers_as_documented_and_nothing_is_changed(
    server: rig.Server, call: tuple[bytes, list[bytes], bytes]
) -> None:
    verb, arguments, plan = call
    before = links(server), files(server)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SSH_")} | server.environment()
    argv = [*map(os.fsencode, (*server.inside(), *server.shell, str(server.script))), verb, *arguments]
    done = subprocess.run(
        argv, input=plan, capture_output=True, env=environment, timeout=60, cwd=server.root / "here"
    )
    assert done.returncode in DOCUMENTED, done
    assert not done.stderr, done
    answer = parse_answer(done.stdout)
    assert answer.get("done") == str(done.returncode), done
    if done.returncode == 64:
        assert answer.get("error"), done
    assert (links(server), files(server)) == before, done
    memory = server.run_dir / "txn"
    assert all(path.parent == memory for path in memory.glob("*")) and not list(server.root.rglob("RAN"))
