"""Gunicorn's logs in the panel's own form."""

from __future__ import annotations

import datetime as dt
from typing import Any

import structlog
from gunicorn.glogging import Logger


class PanelLogger(Logger):
    """Hands gunicorn's messages to the handlers that the settings set up; one line per request."""

    def setup(self, cfg: Any) -> None:
        """Import the settings, which set up the handlers."""
        import vnetpanel.settings  # noqa: F401

        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel("INFO")

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: dt.timedelta) -> None:
        """One line per request, without the query string: it may hold what a person typed."""
        structlog.get_logger("vnetpanel.access").info(
            "request",
            method=environ.get("REQUEST_METHOD"),
            path=environ.get("PATH_INFO"),
            status=int(str(resp.status).split()[0]),
            ms=round(request_time.total_seconds() * 1000, 1),
            remote=environ.get("REMOTE_ADDR"),
        )
