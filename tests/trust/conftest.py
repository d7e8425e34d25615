"""What the tests of logins share."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client

from trust import proof, two_factor
from trust.models import TwoFactor

PASSWORD = "correct-horse-battery"


def code_of(user: object) -> str:
    """The code that the user's app shows now."""
    return code_now(TwoFactor.objects.get(user=user).secret)


def code_now(secret: str, steps: int = 0) -> str:
    """The code of that secret now, or so many steps of 30 seconds away."""
    return two_factor._totp(secret).generate(int(time.time()) + steps * two_factor.STEP_S).decode()


def in_with_code(client: Client, user: Any) -> Client:
    """The client, logged in as who has given a code after her password."""
    client.force_login(user)
    session = client.session
    session[proof.TWO_FACTOR] = True
    session.save()
    return client


@pytest.fixture(autouse=True)
def clock(time_machine: Any) -> Any:
    """A clock that can be moved; it starts in the middle of a step, so that no code ends during a test."""
    now = int(time.time())
    time_machine.move_to(now - now % 30 + 10)
    return time_machine
