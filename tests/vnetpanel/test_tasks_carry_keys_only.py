"""What goes into the broker is primary keys: no secret, no name, nothing that a row does not say better."""

from __future__ import annotations

import inspect
from typing import get_type_hints

import pytest

from vnetpanel.celery import app

OURS = ("nodes.", "networks.", "trust.", "vnetpanel.")
KEYS = {int, str, list[int], list[str]}


def tasks() -> list[str]:
    app.loader.import_default_modules()
    return sorted(name for name in app.tasks if name.startswith(OURS))


@pytest.mark.parametrize("name", tasks())
def test_a_task_takes_primary_keys(name: str) -> None:
    function = inspect.unwrap(app.tasks[name].run)
    hints = get_type_hints(function)
    for parameter in inspect.signature(function).parameters:
        assert hints[parameter] in KEYS, f"{name}: {parameter}"
        assert parameter.endswith(("pk", "pks", "id", "ids")), (
            f"{name}: {parameter} does not say that it is a key"
        )


def test_there_are_tasks_to_look_at() -> None:
    assert {"nodes.observe_server", "networks.run_change", "networks.plan_change"} <= set(tasks())


def test_messages_are_plain_json_and_nothing_else_is_read() -> None:
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"] and app.conf.result_accept_content == ["json"]
