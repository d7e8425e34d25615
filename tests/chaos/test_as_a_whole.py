"""The oracle compares a server with how it was when the same was decided, once it has had its minute."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaos import oracle
from chaos.oracle import Oracle
from networks.domain.state import Desired

WHOLE = "==\n" * 7


class Console:
    """A lab whose server answers as told, and is as it should be only after its timer has run."""

    def __init__(self, *, needs_its_timer: bool, setting: str = "forwarding:0") -> None:
        self.waits, self.setting = needs_its_timer, setting

    def execute(self, name: str, command: str, timeout_s: float = 0) -> Any:
        if command == oracle.MINUTE:
            self.waits = False
        return SimpleNamespace(stdout="")

    def check(self, name: str, command: str) -> str:
        parts = WHOLE.split("==\n")
        parts[5] = "/proc/sys/net/ipv4/conf/vn-c/" + ("forwarding:1" if self.waits else self.setting) + "\n"
        return "==\n".join(parts)


@pytest.fixture(autouse=True)
def the_same_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "decided_on", lambda pk: Desired())
    monkeypatch.setattr(oracle.time, "sleep", lambda seconds: None)


SERVER = cast(Any, SimpleNamespace(pk=1, name="server1"))


def asked(judge: Oracle, console: Console) -> list[str]:
    judge.lab = cast(Any, console)
    return judge._differs(SERVER)


def test_what_others_are_compared_with_has_had_its_minute() -> None:
    judge = Oracle(cast(Any, None))
    assert asked(judge, Console(needs_its_timer=True)) == []
    assert asked(judge, Console(needs_its_timer=False)) == []


def test_one_that_still_waits_for_its_timer_does_not_differ() -> None:
    judge = Oracle(cast(Any, None))
    asked(judge, Console(needs_its_timer=False))
    assert asked(judge, Console(needs_its_timer=True)) == []


def test_one_that_stays_different_is_said_once_and_judges_nobody_after() -> None:
    judge = Oracle(cast(Any, None))
    asked(judge, Console(needs_its_timer=False))
    (said,) = asked(judge, Console(needs_its_timer=False, setting="forwarding:2"))
    assert said.startswith("server1 is not as the other time") and "forwarding:2" in said
    assert asked(judge, Console(needs_its_timer=False)) == []
