"""The scheduler, which leaves a sign of life in the broker each time it looks at its schedule."""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery.beat import Scheduler

HEARTBEAT_KEY = "vnetpanel:beat"

log = structlog.get_logger(__name__)


class HeartbeatScheduler(Scheduler):
    """Celery's scheduler kept in memory: the schedule is code, so there is nothing to store between runs."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due and note the time; returns the seconds until the next look."""
        self._leave_the_future()
        wait = super().tick(*args, **kwargs)
        try:
            with self.app.pool.acquire(block=True, timeout=5) as connection:
                connection.default_channel.client.set(HEARTBEAT_KEY, repr(time.time()), ex=3600)
        except Exception as error:
            log.warning("beat could not leave its sign of life", error=str(error))
        return wait

    def _leave_the_future(self) -> None:
        """After the clock was set back Celery would send nothing until it is as late again as it was."""
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at > entry.default_now()]
        for entry in ahead:
            entry.last_run_at = entry.default_now()
        if ahead:
            # It holds the times of what comes next, and is made anew from the entries.
            self._heap = None
