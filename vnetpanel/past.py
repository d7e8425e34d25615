"""Which pages have a past.

A page that shows what was decided can be looked at as of an earlier revision (`?as_of=NUMBER`). Any app may
have such pages; who answers for the past is the middleware of networks/views/looking_back.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.http.response import HttpResponseBase

_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])


def has_a_past(view: _View) -> _View:
    """Mark a view whose page shows what was decided."""
    view.has_a_past = True  # type: ignore[attr-defined]
    return view
