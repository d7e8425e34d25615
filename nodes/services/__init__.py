"""Use cases of the inventory: each checks who asks, checks what is asked, and stores in one transaction.

Pages, the admin, the API and the command line come through here. What cannot be done is a `ServiceError`
with a sentence for the person who asked. Objects that a user may not see do not exist for her: whoever calls
fetches them through the querysets of nodes/querysets.py and answers 404.
"""

from __future__ import annotations

from nodes.services.credentials import (
    Secrets,
    change_credential,
    create_credential,
    create_key_credential,
    remove_credential,
)
from nodes.services.errors import NotAllowed, ServiceError
from nodes.services.groups import change_group, create_group, may_remove, remove_group
from nodes.services.host_keys import approve_host_key, ask_host_key, refuse_host_key
from nodes.services.key_install import install_key
from nodes.services.looks import request_look, request_looks
from nodes.services.preflight import Check, Status, preflight
from nodes.services.servers import add_server, change_server, remove_server

__all__ = [
    "Check",
    "NotAllowed",
    "Secrets",
    "ServiceError",
    "Status",
    "add_server",
    "approve_host_key",
    "ask_host_key",
    "change_credential",
    "change_group",
    "change_server",
    "create_credential",
    "create_group",
    "create_key_credential",
    "install_key",
    "may_remove",
    "preflight",
    "refuse_host_key",
    "remove_credential",
    "remove_group",
    "remove_server",
    "request_look",
    "request_looks",
]
