"""Structured logs with secrets masked: lines for people on a terminal, one JSON object per line elsewhere."""

from __future__ import annotations

import logging
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

MASK = "***"

SECRET_KEY_NAME = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|private_?key|authorization|cookie|credential", re.IGNORECASE
)
SECRET_IN_TEXT = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    # name=value, name: value and "name": "value"; the name is kept, the value is not.
    re.compile(
        r"(?P<name>\b[\w-]*(?:passw(?:or)?d|passphrase|secret|token)[\w-]*[\"']?\s*[=:]\s*)"
        r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
        re.IGNORECASE,
    ),
    # The user part of an URL: redis://:secret@host, postgres://user:secret@host
    re.compile(r"(?P<name>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)", re.IGNORECASE),
)

_known_secrets: set[str] = set()


def remember_secret(value: str) -> None:
    """Mask this value wherever it turns up in a log line from now on (shorter than 6 characters: ignored)."""
    if len(value) >= 6:
        _known_secrets.add(value)


def masked(text: str) -> str:
    """The text without known secrets, private keys, passwords in assignments, or passwords in URLs."""
    for secret in _known_secrets:
        text = text.replace(secret, MASK)
    for pattern in SECRET_IN_TEXT:
        text = pattern.sub(lambda found: (found.groupdict().get("name") or "") + MASK, text)
    return text


def mask_value(value: Any) -> Any:
    """The value with every text inside it masked, and what stands under a secret's name left out."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, bytes):
        return masked(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(key, str) and SECRET_KEY_NAME.search(key) else mask_value(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return masked(str(value))


def mask_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """structlog processor: mask every field of the line, the traceback included."""
    kept = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    return {**mask_value(event), **kept}


def configure(style: str, level: str, secrets: Iterable[str] = ()) -> None:
    """Send all logs, ours and the libraries', to standard error through the masking processor.

    Style is `json`, `console`, or `auto`: console on a terminal, JSON otherwise.
    """
    for secret in secrets:
        remember_secret(secret)
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[mask_secrets, structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if getattr(one, "of_panel", False)]:
        root.removeHandler(old)
    handler.of_panel = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    # paramiko writes a line per packet at DEBUG, some with what was sent.
    for noisy in ("paramiko", "kombu", "amqp", "celery.utils.functional"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class RequestContextMiddleware:
    """Puts a request's id and user's name on every log line that is written while it is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request with the context bound, and say the id in the answer."""
        request_id = uuid.uuid4().hex[:12]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        try:
            response = self.get_response(request)
        finally:
            structlog.contextvars.clear_contextvars()
        response["X-Request-Id"] = request_id
        return response

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Add the user, but only where a login is asked for: looking at the user reads the session."""
        if getattr(view, "login_required", True):
            structlog.contextvars.bind_contextvars(user=request.user.get_username() or "-")
