"""Global search: each app says what it finds (settings.SEARCH_PROVIDERS), and this puts it in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Found:
    """One thing found: what it is called, of which kind and where, and the page it is shown on.

    `detail` is what else it may have been found by, such as an address.
    """

    kind: str
    icon: str
    title: str
    detail: str
    place: str
    address: str

    def rank(self, wanted: str) -> int:
        """0: the very thing, 1: begins so, 2: has it somewhere. `wanted` is in lower case."""
        title = self.title.lower()
        words = [title, *self.detail.lower().split()]
        if any(wanted == word or wanted == word.partition("/")[0] for word in words):
            return 0
        return 1 if any(word.startswith(wanted) for word in words) else 2


Provider = Callable[[AbstractBaseUser | AnonymousUser, str, int], Iterable[Found]]
"""(user, text, limit) to what that user may see and the text is found in, best first."""


def search(user: AbstractBaseUser | AnonymousUser, text: str, limit: int) -> list[Found]:
    """What all providers find, the very thing first, otherwise in the providers' order; at most `limit`."""
    # PostgreSQL refuses NUL in any text, even in what is only compared.
    text = text.replace("\0", "").strip()[:100]
    if not text:
        return []
    providers: list[Provider] = [import_string(path) for path in settings.SEARCH_PROVIDERS]
    found = [one for provider in providers for one in provider(user, text, limit)]
    return sorted(found, key=lambda one: one.rank(text.lower()))[:limit]
