"""Pages as of an earlier revision: `?as_of=NUMBER` on any page that shows what was decided.

While such a request is answered, the parts of desired that pages read (slices.py, services/sight.py,
topology_rows.py) come from that revision instead of the newest one and without a draft, and nobody may change
anything (views/gate.py). So a page needs no code of its own for it. views/looking_back.py starts and ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from networks.as_of import AsOf, without_removed
from networks.desired import Head, head

_THEN: ContextVar[AsOf | None] = ContextVar("looking_back", default=None)


def then() -> AsOf | None:
    """The revision that this request looks back at; None: it is about today."""
    return _THEN.get()


@contextmanager
def looking_back(revision: AsOf) -> Iterator[None]:
    """What is read inside is as of the revision."""
    token = _THEN.set(revision)
    try:
        yield
    finally:
        _THEN.reset(token)


def shown_head() -> Head:
    """What pages show as decided: the revision that the request looks back at, or the newest."""
    revision = _THEN.get()
    return Head(revision.number, without_removed(revision)) if revision else head()
