"""Building large things that last, without the garbage collector walking them again and again meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector of cycles from running inside. What is built holds none; it is a third of the time.

    Several threads may be inside: it is at work again, at the latest, when the last of them has left.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
