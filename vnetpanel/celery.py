"""The Celery application: work that talks to servers runs in its worker, never in a web request.

The broker holds nothing that cannot be sent again. A task takes primary keys only; the row it names is the
outbox, carries the lease, and a sweeper on the schedule sends it again. So a lost or doubled message costs
time, never a Change.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_ready

from vnetpanel.lasting import keep_what_is_loaded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vnetpanel.settings")

#: A message that no worker has acknowledged after this many seconds is given to another one. Longer than any
#: task runs (they keep their own deadlines), because a longer task would be delivered twice.
VISIBILITY_TIMEOUT_S = 600


def server_queue(number: int) -> str:
    """The queue of looks at the servers that a worker, counted from 0, keeps connections to."""
    return f"servers-{number}"


app = Celery("vnetpanel")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    task_ignore_result=True,
    # The threads pool enforces no time limits: every socket and channel carries its own deadline instead.
    worker_pool="threads",
    worker_prefetch_multiplier=1,
    task_acks_late=True,
    task_track_started=False,
    worker_soft_shutdown_timeout=30,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=5,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        # kombu looks for messages of dead workers every `interval` seconds and on every `throttle`-th look;
        # its own defaults of 10 and 10 let about 100 s pass, whatever the visibility timeout.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 5,
        # A broker that takes connections and answers nothing would otherwise hold a web request for ever.
        "socket_timeout": 5,
        "socket_keepalive": True,
    },
    # A web request must not hang when the broker is away: the row stays queued and the sweeper sends it.
    task_publish_retry=True,
    task_publish_retry_policy={
        "max_retries": 1,
        "interval_start": 0.1,
        "interval_step": 0.1,
        "interval_max": 0.2,
    },
    beat_scheduler="vnetpanel.beat:HeartbeatScheduler",
    beat_max_loop_interval=5,
    beat_schedule={
        # Spreads the looks over the minute; a run that waited longer than its interval is not worth having.
        "look at servers that are due": {
            "task": "nodes.observe_due",
            "schedule": 10.0,
            "options": {"expires": 10},
        },
        # Sends Changes again whose message or worker was lost; settles what servers left open.
        "sweep up after lost messages and dead workers": {
            "task": "networks.sweep",
            "schedule": 10.0,
            "options": {"expires": 10},
        },
        # Costs little while nothing has changed: the rules are asked only when they could say something else.
        "check for problems": {
            "task": "networks.check_problems",
            "schedule": 30.0,
            "options": {"expires": 30},
        },
        # A query for each kind of row while the clock is right.
        "bring times back after the clock was set back": {
            "task": "vnetpanel.bring_times_back",
            "schedule": 30.0,
            "options": {"expires": 30},
        },
    },
    timezone="UTC",
)
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging_as_configured(**kwargs: Any) -> None:
    """Stops Celery from replacing the log handlers that the settings have set up."""


@worker_ready.connect
def keep_what_the_worker_has_loaded(**kwargs: Any) -> None:
    """Its tasks, and what they import, are there by now."""
    keep_what_is_loaded()
