"""The lab's servers as inventory: what a person would click together for them, done twice it changes nothing.

Runs where the lab's addresses can be reached (the lab's panel network namespace).
"""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connections, transaction
from django.utils import timezone

from nodes import observe
from nodes.choices import HostKeyState, ServerState
from nodes.models import Credential, HostKey, PhysicalServer, ServerGroup
from nodes.services.credentials import Secrets, save_credential
from trust.watch import delete_untold

if TYPE_CHECKING:
    from lab.place import Place

GROUP = "Lab"
CREDENTIAL = "Lab"
HOST_KEY_TYPE = "ssh-ed25519"


@dataclass(frozen=True, slots=True)
class LabServers:
    """What must be known of a lab: its servers' names and addresses, the login, the host keys.

    `known_hosts` is a file of OpenSSH's form, naming servers by address.
    """

    addresses: dict[str, str]
    private_key: str = field(repr=False)
    known_hosts: str
    username: str = "root"

    def host_key(self, address: str) -> tuple[str, str]:
        """Type and base64 of the server's own ed25519 key; LookupError if the lab does not name it."""
        for line in self.known_hosts.splitlines():
            match line.split():
                case [host, kind, text, *_] if host == address and kind == HOST_KEY_TYPE:
                    return kind, text
        raise LookupError(f"the lab names no {HOST_KEY_TYPE} host key of {address}")


def servers_of(place: Place | None = None) -> LabServers:
    """The lab at that place (None: this checkout's own), which must have been up once; else OSError."""
    from lab.definition import SERVERS
    from lab.place import default_place

    place = place or default_place()
    return LabServers(
        addresses={one.name: one.address for one in SERVERS},
        private_key=place.client_key.read_text(),
        known_hosts=place.known_hosts.read_text(),
    )


def are_all_others() -> bool:
    """Whether there are servers and none of them is the lab's: this is the panel of real ones."""
    from lab.definition import SERVERS

    addresses = set(PhysicalServer.objects.values_list("address", flat=True))
    return bool(addresses) and addresses.isdisjoint(server.address for server in SERVERS)


def register(lab: LabServers | None = None) -> list[PhysicalServer]:
    """Put the lab's servers into the group "Lab", their host keys approved, and look at each once.

    Again: what the lab has made anew (keys) is brought up to date, what people changed (group) is kept.
    """
    lab = lab or servers_of()
    with transaction.atomic():
        group, _ = ServerGroup.objects.get_or_create(
            name=GROUP, parent=None, defaults={"description": "Servers on this machine, to try things on."}
        )
        credential = _credential(lab, group)
        servers = [_server(name, address, group, credential) for name, address in lab.addresses.items()]
        for server in servers:
            _pin(server, *lab.host_key(server.address))
    _look_at([server.pk for server in servers])
    return list(PhysicalServer.objects.filter(pk__in=[server.pk for server in servers]))


def _credential(lab: LabServers, group: ServerGroup) -> Credential:
    credential = Credential.objects.filter(name=CREDENTIAL).first()
    if credential is None:
        credential = Credential(name=CREDENTIAL, username=lab.username, group=group)
    elif credential.private_key == lab.private_key:
        return credential
    return save_credential(credential, Secrets(private_key=lab.private_key))


def _server(name: str, address: str, group: ServerGroup, credential: Credential) -> PhysicalServer:
    server, _ = PhysicalServer.objects.get_or_create(
        name=name,
        defaults={
            "group": group,
            "address": address,
            "credential": credential,
            "state": ServerState.WAITING,
            "state_since": timezone.now(),
        },
    )
    return server


def _pin(server: PhysicalServer, kind: str, text: str) -> None:
    """Trust the key that the lab itself made for the server, and no other."""
    digest = base64.b64encode(hashlib.sha256(base64.b64decode(text)).digest()).decode().rstrip("=")
    key, _ = HostKey.objects.get_or_create(
        server=server, sha256=f"SHA256:{digest}", defaults={"key_type": kind, "base64": text}
    )
    if key.state != HostKeyState.PINNED:
        HostKey.objects.filter(pk=key.pk).update(state=HostKeyState.PINNED, decided_at=timezone.now())
    HostKey.objects.filter(server=server, state=HostKeyState.PINNED).exclude(pk=key.pk).update(
        state=HostKeyState.RETIRED
    )
    delete_untold(HostKey.objects.filter(server=server, state=HostKeyState.OFFERED))


def _look_at(pks: list[int]) -> None:
    def one(pk: int) -> None:
        try:
            observe.observe(pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(pks)) as pool:
        list(pool.map(one, pks))
