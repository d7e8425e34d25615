"""Containers and their interfaces, as the last look saw them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from nodes.capitals import InCapitals
from nodes.choices import ContainerStatus, InterfaceMode
from nodes.models.adapters import Bridge
from nodes.models.servers import PhysicalServer
from nodes.querysets import ContainerInterfaceQuerySet, ServerPartQuerySet


class Container(models.Model):
    """A virtual environment on one physical server."""

    server = models.ForeignKey(PhysicalServer, on_delete=models.CASCADE, related_name="containers")
    # PostgreSQL keeps the column name "ctid" for itself.
    ctid = models.CharField("CTID", max_length=36, db_index=True, db_column="container_ctid")
    name = models.CharField(max_length=64, blank=True, default="", db_index=True)
    hostname = models.CharField(max_length=255, blank=True, default="")
    status = models.CharField(
        max_length=10, choices=ContainerStatus.choices, default=ContainerStatus.UNKNOWN, db_index=True
    )
    ostemplate = models.CharField(max_length=100, blank=True, default="")
    host_routed_text = models.TextField(
        "host-routed addresses", blank=True, default="", help_text="Separated by spaces."
    )
    problem = models.CharField(max_length=300, blank=True, default="")
    joined = models.JSONField(
        default=list,
        blank=True,
        help_text="Groups of interface names that a bridge inside it joins.",
    )
    routing = models.JSONField(
        null=True, blank=True, help_text="What it routes, as seen inside; see nodes/sync_values.py."
    )
    first_seen_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = ServerPartQuerySet.as_manager()

    class Meta:
        ordering = ("server", "ctid")
        indexes = (
            models.Index(InCapitals("ctid"), "id", name="ctid_in_capitals"),
            models.Index(InCapitals("name"), "id", name="container_name_in_capitals"),
            # A page of the administration's list is found in it without reading rows.
            models.Index(
                fields=("server", "ctid", "id"), condition=Q(gone_at=None), name="present_containers"
            ),
        )
        constraints = (models.UniqueConstraint(fields=("server", "ctid"), name="ctid_unique_on_server"),)

    def __str__(self) -> str:
        return f"{self.ctid} {self.name or self.hostname}".strip()

    @property
    def host_routed(self) -> list[str]:
        return self.host_routed_text.split()


class ContainerInterface(models.Model):
    """A network interface of a container: host-routed (venet) or bridged (veth)."""

    container = models.ForeignKey(Container, on_delete=models.CASCADE, related_name="interfaces")
    ifname = models.CharField("name", max_length=32)
    mode = models.CharField(max_length=12, choices=InterfaceMode.choices)
    mac = models.CharField("MAC address", max_length=17, blank=True, default="", db_index=True)
    host_ifname = models.CharField("host-side name", max_length=15, blank=True, default="")
    configured_bridge = models.CharField(
        max_length=64, blank=True, default="", help_text="What vzctl has saved for the next start."
    )
    bridge = models.ForeignKey(
        Bridge, on_delete=models.SET_NULL, null=True, blank=True, related_name="interfaces"
    )
    addresses_text = models.TextField("addresses", blank=True, default="", help_text="Separated by spaces.")
    addresses_known = models.BooleanField(
        default=False, help_text="False: the container is stopped and vzctl keeps no addresses for it."
    )
    is_saved = models.BooleanField(default=True, help_text="False: lost at the container's next restart.")
    first_seen_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = ContainerInterfaceQuerySet.as_manager()

    class Meta:
        ordering = ("container", "ifname")
        indexes = (
            models.Index(InCapitals("host_ifname"), "id", name="host_ifname_in_capitals"),
            models.Index(
                fields=("container", "ifname", "id"), condition=Q(gone_at=None), name="present_interfaces"
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("container", "ifname"), name="ifname_unique_in_container"),
        )

    def __str__(self) -> str:
        return f"{self.ifname} of {self.container}"

    @property
    def addresses(self) -> list[str]:
        return self.addresses_text.split()
