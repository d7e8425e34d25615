"""`?as_of=NUMBER`: pages as an earlier revision has them, for every page that shows what was decided.

The middleware starts and ends the looking back (networks/looking_back.py). In the page's main part it then
carries `as_of` on in links to pages that have a past, so that one stays in it while walking about, and puts
every form that changes something into a disabled fieldset. What is sent all the same is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import escape, unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve

from networks.as_of import AsOf, as_of
from networks.looking_back import looking_back, then
from networks.models import Revision
from vnetpanel.numbers import number

NAME = "as_of"
NOW = "now"
"""A link that ends in #now leads out of the past."""
_LINK = re.compile(r'\b(href|hx-get)="((?:/|\?)[^"]*)"')
_FORM = re.compile(r"(<form\b[^>]*>)(.*?)(</form>)", re.DOTALL)
_MAIN = re.compile(r"<main\b.*?</main>", re.DOTALL)


class LookingBack:
    """The middleware. Raises Http404 for a revision that does not exist."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if NAME not in request.GET:
            return self.get_response(request)
        with ExitStack() as stack:
            request.looking_back = stack  # type: ignore[attr-defined]
            response = self.get_response(request)
            seen = then()
            if seen is not None and isinstance(response, StreamingHttpResponse):
                response.streaming_content = _sent_then(iter(response), seen)
            elif seen is not None and isinstance(response, HttpResponse):
                _keep_looking(response, seen)
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Begin, once the user is known to be logged in."""
        if NAME not in request.GET or not hasattr(request, "looking_back"):
            return None
        if request.method not in ("GET", "HEAD"):
            return render(request, "networks/past.html", status=409)
        wanted = number(request.GET[NAME])
        if wanted is None:
            raise Http404("A revision is a number.")
        if not hasattr(view, "has_a_past"):
            return None
        try:
            request.looking_back.enter_context(looking_back(as_of(wanted, request.user)))
        except Revision.DoesNotExist:
            raise Http404("There is no such revision.") from None
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """What was not there then: said with the ways to other revisions, where it may have been."""
        if then() is None or not isinstance(exception, Http404):
            return None
        return render(request, "networks/not_then.html", status=404)


def _sent_then(parts: Iterator[bytes], seen: AsOf) -> Iterator[bytes]:
    """The parts of a file, each made in the past, though the request has been answered by then."""
    while True:
        with looking_back(seen):
            part = next(parts, None)
        if part is None:
            return
        yield part


def _keep_looking(response: HttpResponse, seen: AsOf) -> None:
    if not response.get("Content-Type", "").startswith("text/html"):
        return
    text = response.content.decode(response.charset)
    main = _MAIN.sub(lambda found: _still(found[0], seen.number), text)
    response.content = (main if _MAIN.search(text) else _still(text, seen.number)).encode(response.charset)
    if response.has_header("Content-Length"):
        response["Content-Length"] = str(len(response.content))


def _still(text: str, revision: int) -> str:
    """The part of a page with its links kept in the past, and its forms in the present out of use."""
    return _FORM.sub(
        lambda found: _form(found, revision), _LINK.sub(lambda found: _link(found, revision), text)
    )


def _link(found: re.Match[str], revision: int) -> str:
    address = urlsplit(unescape(found[2]))
    query = parse_qsl(address.query, keep_blank_values=True)
    leads_to_now = address.fragment == NOW or any(name == NAME for name, _ in query)
    if leads_to_now or (address.path and not _has_a_past(address.path)):
        return found[0]
    said = urlunsplit(address._replace(query=urlencode([*query, (NAME, str(revision))])))
    return f'{found[1]}="{escape(said)}"'


def _has_a_past(path: str) -> bool:
    try:
        return hasattr(resolve(path).func, "has_a_past")
    except Resolver404:
        return False


def _form(found: re.Match[str], revision: int) -> str:
    start, inside, end = found.groups()
    if 'method="post"' in start:
        return f'{start}<fieldset class="then-still" disabled>{inside}</fieldset>{end}'
    return f'{start}<input type="hidden" name="{NAME}" value="{revision}">{inside}{end}'
