"""Nothing secret reaches a log line."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vnetpanel import logs

ROOT = Path(__file__).resolve().parents[2]
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        (f"loaded {KEY} from row 3", "from row 3", "b3BlbnNz"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow cut off", "***", "MIIEow"),
        ("vzctl set 101 --userpasswd root:x password=hunter2 now", "now", "hunter2"),
        ('{"password": "hunter 2", "name": "one"}', '"name": "one"', "hunter"),
        ("api_token: abc123, next", "next", "abc123"),
        ("redis://:hunter2@broker:6379/0", "@broker:6379/0", "hunter2"),
        ("postgres://panel:hunter2@db/panel", "postgres://panel:", "hunter2"),
    ],
)
def test_it_masks_secrets_in_text(text: str, kept: str, gone: str) -> None:
    masked = logs.masked(text)
    assert kept in masked
    assert gone not in masked


def test_it_leaves_ordinary_text_alone() -> None:
    text = "vn-a: eth0 joined at 10.77.0.11/24, fd77::11, http://127.0.0.1:8000/networks/"
    assert logs.masked(text) == text


def test_it_masks_what_stands_under_a_secrets_name_at_any_depth() -> None:
    event = {"event": "login", "row": {"password": "hunter2", "name": "one", "keys": [{"private_key": KEY}]}}
    line = json.dumps(dict(logs.mask_secrets(None, "info", event)))
    assert "hunter2" not in line
    assert "b3BlbnNz" not in line
    assert '"name": "one"' in line


def test_it_masks_a_secret_that_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_known_secrets", set())
    logs.remember_secret("tr0ub4dor")
    assert logs.masked("said tr0ub4dor aloud") == "said *** aloud"


def written(code: str, var_dir: Path) -> list[dict[str, object]]:
    """The JSON lines that a process with the panel's settings logs."""
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\nimport logging, structlog\n{code}"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "VNETPANEL_VAR": str(var_dir),
            "VNETPANEL_LOG": "json",
            "DJANGO_SETTINGS_MODULE": "vnetpanel.settings",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_of_any_library_is_json_with_its_traceback_masked(var_dir: Path) -> None:
    code = """
try:
    raise ValueError("password=hunter2")
except ValueError:
    logging.getLogger("some.library").exception("broke with token=abc123def")
"""
    (line,) = written(code, var_dir)
    assert line["logger"] == "some.library"
    assert line["level"] == "error"
    assert "Traceback" in str(line["exception"])
    assert "hunter2" not in json.dumps(line)
    assert "abc123def" not in json.dumps(line)


def test_our_own_lines_carry_their_fields(var_dir: Path) -> None:
    (line,) = written('structlog.get_logger("x").info("looked", server=7, passphrase="hunter2")', var_dir)
    assert (line["event"], line["server"], line["passphrase"]) == ("looked", 7, "***")


def test_the_packet_logs_of_ssh_stay_silent() -> None:
    assert logging.getLogger("paramiko").getEffectiveLevel() >= logging.WARNING
