"""Times of logins that are compared with now; see vnetpanel.clock."""

from __future__ import annotations

from trust.models import FailedLogin
from vnetpanel.clock import NEVER_AHEAD, Times

TIMES = (Times(FailedLogin.objects.all(), {"at": NEVER_AHEAD}),)
