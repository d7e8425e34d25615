"""Building large things that last, without the garbage collector walking them again and again meanwhile."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_guard = threading.Lock()
_inside = [0, False]
"""How many are building, and whether the first of them found the collector at work."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector of cycles from running inside. What is built holds none; it is a third of the time.

    Several threads may be inside: the last one that leaves puts it to work again.
    """
    with _guard:
        if not _inside[0]:
            _inside[1] = gc.isenabled()
            gc.disable()
        _inside[0] += 1
    try:
        yield
    finally:
        with _guard:
            _inside[0] -= 1
            if not _inside[0] and _inside[1]:
                gc.enable()
