"""A server whose script answers too much, for ever, in bytes, or nothing: a clear, bounded error."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from networks.engine.hosts import Host, NoAnswer
from nodes.models import PhysicalServer
from tests.nodes.test_observe_bad_input import Start, start

__all__ = ["start"]
pytestmark = pytest.mark.django_db
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize(
    "command",
    [
        "head -c 10485760 /dev/zero",
        "yes '<script>'",
        "yes state=applied",
        "yes >&2",
        "head -c 100000 /dev/urandom",
        "printf 'state=\\342\\200\\256\\033[31mx\\ndone=0'",
        "printf 'done=0\\nstate=applied\\n'",
        "true",
        "exit 3",
    ],
)
def test_it_is_no_answer_and_says_so(start: Start, server: PhysicalServer, command: str) -> None:
    start(f"ForceCommand {command}")
    began = time.monotonic()
    for ask in (
        lambda: Host(server).plan("vnetpanel-plan 1\nend\n"),
        lambda: Host(server).status(uuid.uuid4()),
        lambda: Host(server).settle_and_look(uuid.uuid4()),
    ):
        with pytest.raises(NoAnswer) as caught:
            ask()
        assert str(caught.value).strip() and len(str(caught.value)) < 1000
        assert not UNSEEN.search(str(caught.value))
    assert time.monotonic() - began < 60


def test_one_that_never_ends_is_given_up(
    start: Start, server: PhysicalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start("ForceCommand sleep 600")
    run = Host._run

    def quickly(self: Host, *args: str, **how: object) -> object:
        return run(self, *args, **{**how, "deadline_s": 1.0})  # type: ignore[arg-type]

    monkeypatch.setattr(Host, "_run", quickly)
    with pytest.raises(NoAnswer, match=r"did not answer|not answered|in time|within") as caught:
        Host(server).plan("vnetpanel-plan 1\nend\n")
    assert caught.value.started
