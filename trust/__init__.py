"""Who may come in, and what was written down: logins, second factors, and the audit trail.

Below the inventory and the networks: both record here, and this package knows neither.
"""

from __future__ import annotations
