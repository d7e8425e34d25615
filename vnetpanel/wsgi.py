"""The door for a WSGI server: `gunicorn vnetpanel.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from vnetpanel.lasting import keep_what_is_loaded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vnetpanel.settings")

application = get_wsgi_application()
# Pages are loaded now, not by the first who asks for one.
_ = get_resolver().url_patterns
keep_what_is_loaded()
