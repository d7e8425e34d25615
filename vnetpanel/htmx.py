"""The few things that requests made by htmx need from the server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import urlencode
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails


class HtmxHttpRequest(HttpRequest):
    """A request as views see it: with what htmx said about itself."""

    htmx: HtmxDetails


def wants_fragment(request: HttpRequest) -> bool:
    """Whether to answer with a part of the page: asked by htmx, and not in place of following a link."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')
Words = ParamSpec("Words")


def polled(
    view: Callable[Concatenate[HttpRequest, Words], HttpResponse],
) -> Callable[Concatenate[HttpRequest, Words], HttpResponse]:
    """A view whose fragment pages ask for again and again: as long as it is the same, it is an empty 304.

    Compared by what it says, so that nobody is shown what another reader saw. Whole pages are left alone.
    """

    @wraps(view)
    def answer(request: HttpRequest, /, *args: Words.args, **kwargs: Words.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if request.method != "GET" or not wants_fragment(request) or response.status_code != 200:
            return response
        # The token of a form is written anew each time and stays good.
        said = hashlib.sha256(_TOKEN.sub(b"", response.content)).hexdigest()
        response["ETag"] = f'"{said}"'
        patch_cache_control(response, private=True, no_cache=True)
        return get_conditional_response(request, etag=response["ETag"], response=response) or response

    return answer


#: Pages that stand before others: the whole page goes there, and from there back.
DOORS = ("login", "prove", "two_factor")


class LoginRedirectMiddleware:
    """When the session has ended, takes the whole page to the login instead of putting it into a fragment.

    The same for the other doors: the password asked for again, the set-up of a second factor.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Replace a redirect to a door, which the browser would follow unseen, by one for the page."""
        response = self.get_response(request)
        htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
        if not htmx or response.status_code != 302:
            return response
        door = urlsplit(response["Location"]).path
        if door not in [resolve_url(name) for name in DOORS]:
            return response
        # Back to the page that the person sees, not to the fragment's address.
        page = htmx.current_url_abs_path or resolve_url(settings.LOGIN_REDIRECT_URL)
        return HttpResponseClientRedirect(f"{door}?{urlencode({'next': page})}")
