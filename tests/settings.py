"""The panel as it ships, but for a var/ of its own, plain static files and quick passwords."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from tests.postgresql import PostgreSQL

# Before the import below, which reads it. Each xdist worker is a process of its own, so each has its own.
os.environ["VNETPANEL_VAR"] = tempfile.mkdtemp(prefix="vnp-")
atexit.register(shutil.rmtree, os.environ["VNETPANEL_VAR"], ignore_errors=True)
os.environ.pop("DATABASE_URL", None)
os.environ.pop("REDIS_URL", None)
if os.environ.get("VNP_TEST_DATABASE") == "postgresql":  # make test-postgresql
    server = PostgreSQL()
    atexit.register(server.stop)
    os.environ["DATABASE_URL"] = server.url

from vnetpanel.settings import *  # noqa: E402, F403

STATIC_ROOT.mkdir()  # noqa: F405  whitenoise warns where there is none
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Half of the tests make a user, and Argon2 is slow on purpose; that it is what ships is tested.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A file, as it ships: Django's default for tests is a database in memory, where threads do not wait for
# each other's transactions but fail.
if "DATABASE_URL" not in os.environ:
    DATABASES["default"].setdefault("TEST", {})["NAME"] = VAR_DIR / "test.sqlite3"  # noqa: F405
