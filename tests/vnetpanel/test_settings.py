"""Settings come from the environment and fail loudly."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from vnetpanel import env

ROOT = Path(__file__).resolve().parents[2]


def load_settings(var_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Import the settings in a process of their own."""
    environment = {"PATH": os.environ["PATH"], "VNETPANEL_VAR": str(var_dir), **variables}
    code = "from vnetpanel import settings as s; print(s.DEBUG, s.DATABASES['default']['ENGINE'])"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_it_works_without_any_variable(var_dir: Path) -> None:
    done = load_settings(var_dir)
    assert done.stdout == "False django.db.backends.sqlite3\n", done.stderr


def test_it_makes_its_secret_key_once_and_for_its_owner_only(var_dir: Path) -> None:
    load_settings(var_dir)
    path = var_dir / "secret-key"
    first = path.read_text()
    load_settings(var_dir)
    assert path.read_text() == first
    assert len(first) > 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_folders_that_it_makes_are_its_owners_only(var_dir: Path) -> None:
    load_settings(var_dir / "panel" / "demo")
    for folder in (var_dir / "panel", var_dir / "panel" / "demo"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_somebody_elses_folder_stops_it_with_a_sentence(var_dir: Path) -> None:
    var_dir.chmod(0o755)
    code = """
import os, pathlib
from vnetpanel import env
os.setuid(65534)
env.envfolder("VNETPANEL_VAR", pathlib.Path("var"))
"""
    for folder, sentence in ((var_dir, "belongs to somebody else"), (var_dir / "new", "cannot be made")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "VNETPANEL_VAR": str(folder)},
            capture_output=True,
            text=True,
        )
        assert f"ImproperlyConfigured: VNETPANEL_VAR: {folder} {sentence}" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("VNETPANEL_DEBUG", "maybe", "VNETPANEL_DEBUG='maybe': expected one of 1, true"),
        ("VNETPANEL_WEB_THREADS", "many", "VNETPANEL_WEB_THREADS='many': expected a whole number from 1"),
        ("VNETPANEL_WEB_THREADS", "0", "VNETPANEL_WEB_THREADS='0': expected a whole number from 1"),
        ("VNETPANEL_LOG", "loud", "VNETPANEL_LOG='loud': expected one of auto, json, console"),
        ("DATABASE_URL", "mysql://db/panel", "DATABASE_URL: expected postgres://"),
        ("DATABASE_URL", "postgres://u:hu[sh@db/panel", "DATABASE_URL: its address or port cannot be read"),
        ("DATABASE_URL", "postgres://u:hush@db:x/panel", "DATABASE_URL: its address or port cannot be read"),
        ("REDIS_URL", "amqp://broker", "REDIS_URL: expected redis://"),
        ("REDIS_URL", "redis://:hush@broker:x/0", "REDIS_URL: its address or port cannot be read"),
        ("REDIS_URL", "redis://:hu[sh@broker/0", "REDIS_URL: its address or port cannot be read"),
        ("VNETPANEL_HOSTS", "https://panel.example.org", "expected names or addresses without https://"),
        ("VNETPANEL_HOSTS", "panel.example.org:8443", "expected names or addresses without https://"),
        ("VNETPANEL_HOSTS", "::1", "expected names or addresses without https://"),
        ("VNETPANEL_HOSTS", " , ", "expected names or addresses without https://"),
        ("VNETPANEL_TIME_ZONE", "Mars", "VNETPANEL_TIME_ZONE='Mars': expected a time zone such as UTC or"),
        ("VNETPANEL_TIME_ZONE", "../passwd", "VNETPANEL_TIME_ZONE='../passwd': expected a time zone"),
        ("VNETPANEL_TIME_ZONE", "Europe", "VNETPANEL_TIME_ZONE='Europe': expected a time zone"),
        ("VNETPANEL_SECRET_KEY_FILE", "/nonexistent", "The secret file /nonexistent cannot be read"),
    ],
)
def test_it_stops_at_a_value_it_cannot_read(var_dir: Path, name: str, value: str, sentence: str) -> None:
    done = load_settings(var_dir, **{name: value})
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "hush" not in done.stderr and "hu[sh" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VNETPANEL_DEBUG", "maybe"),
        ("VNETPANEL_WORKERS", "99"),
        ("DATABASE_URL", "mysql://x"),
        ("VNETPANEL_TIME_ZONE", "Mars"),
    ],
)
def test_at_the_command_line_that_is_one_sentence(var_dir: Path, name: str, value: str) -> None:
    environment = {"PATH": os.environ["PATH"], "VNETPANEL_VAR": str(var_dir), name: value}
    done = subprocess.run(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(name)
    assert len(done.stderr.splitlines()) == 1


def test_it_refuses_a_secret_file_that_others_may_read(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("secret")
    path.chmod(0o644)
    with pytest.raises(ImproperlyConfigured, match="chmod 600"):
        env.read_secret(path)


def test_it_refuses_an_empty_secret_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    with pytest.raises(ImproperlyConfigured, match="empty"):
        env.read_secret(path)


def test_a_secret_written_twice_keeps_its_first_value(tmp_path: Path) -> None:
    env.write_secret(tmp_path / "key", "first")
    env.write_secret(tmp_path / "key", "second")
    assert env.read_secret(tmp_path / "key") == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_postgres_urls_may_carry_escaped_characters_and_options() -> None:
    found = env.database("postgres://pan%40el:p%2Fw@db.example:5433/panel?sslmode=require", Path("x"))
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"], found["NAME"]) == (
        "pan@el",
        "p/w",
        "db.example",
        "5433",
        "panel",
    )
    assert found["OPTIONS"] == {"sslmode": "require"}


def test_a_postgres_socket_folder_is_a_percent_encoded_host() -> None:
    assert env.database("postgres://panel@%2Frun%2Fpostgresql/panel", Path("x"))["HOST"] == "/run/postgresql"


def test_a_socket_folder_keeps_its_capitals() -> None:
    found = env.database("postgres://panel@%2FSrv%2FPG:5433/panel", Path("x"))
    assert (found["HOST"], found["PORT"]) == ("/Srv/PG", "5433")


def test_sqlite_takes_the_write_lock_at_the_start_and_syncs_each_commit() -> None:
    options = env.database("", Path("panel.sqlite3"))["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]
    assert "synchronous=FULL" in options["init_command"]


@pytest.mark.parametrize(
    ("given", "kombu"),
    [
        ("", "redis+socket:///var/broker.sock"),
        ("redis://:pw@10.0.0.5:6379/0", "redis://:pw@10.0.0.5:6379/0"),
        ("unix:///run/redis.sock?db=2", "redis+socket:///run/redis.sock?virtual_host=2"),
        ("rediss://:pw@broker:6379/0", "rediss://:pw@broker:6379/0?ssl_cert_reqs=required"),
        ("rediss://broker?ssl_ca_certs=/ca", "rediss://broker?ssl_ca_certs=/ca&ssl_cert_reqs=required"),
        ("rediss://broker?ssl_cert_reqs=none", "rediss://broker?ssl_cert_reqs=none"),
    ],
)
def test_the_broker_url_is_said_in_celerys_words(given: str, kombu: str) -> None:
    assert env.broker(given, Path("/var/broker.sock")) == kombu


ANSWER = """
import django
django.setup()
from django.conf import settings
from django.test import Client
client = Client(SERVER_NAME="panel.example")
plain, safe = client.get("/healthz"), client.get("/healthz", secure=True)
hsts = safe.headers.get("Strict-Transport-Security")
secure = settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE
print(plain.headers.get("Location"), hsts, secure)
"""


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "None None False"),
        (
            {"VNETPANEL_HTTPS": "1"},
            "https://panel.example/healthz max-age=31536000; includeSubDomains; preload True",
        ),
        (
            {"VNETPANEL_HTTPS": "1", "VNETPANEL_HSTS_SUBDOMAINS": "0", "VNETPANEL_HSTS_PRELOAD": "0"},
            "https://panel.example/healthz max-age=31536000 True",
        ),
    ],
    ids=["plain", "HTTPS", "HTTPS for this name only"],
)
def test_https_is_kept_to_and_cookies_with_it(var_dir: Path, variables: dict[str, str], said: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "VNETPANEL_VAR": str(var_dir),
        "VNETPANEL_HOSTS": "panel.example",
        "DJANGO_SETTINGS_MODULE": "vnetpanel.settings",
        **variables,
    }
    words = [sys.executable, "-W", "ignore", "-c", ANSWER]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == [said], done.stderr[-2000:]
