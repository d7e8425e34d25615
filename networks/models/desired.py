"""The head of desired, as rows: written only when a Change is decided (networks/services/decide.py).

The constraints repeat the rules of networks/domain/rules that a database can express, so that two
simultaneous requests cannot break them either.
"""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from networks.querysets import VirtualNetworkQuerySet
from nodes.models import Adapter, ContainerInterface, PhysicalServer
from nodes.validators import validate_link_name


class VirtualNetwork(models.Model):
    """A named group of bridged container interfaces, known to every registered server."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=500, blank=True)
    bridge = models.CharField(
        "bridge name",
        max_length=15,
        unique=True,
        null=True,
        blank=True,
        editable=False,
        validators=[validate_link_name],
        help_text="Its name on the servers, fixed at the first apply.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VirtualNetworkQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                Lower("name"),
                name="network_name_unique",
                violation_error_message="A virtual network of that name exists already. Enter another name.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Assignment(models.Model):
    """A virtual network on one server: to one adapter, or local (no adapter)."""

    network = models.ForeignKey(VirtualNetwork, on_delete=models.PROTECT, related_name="assignments")
    server = models.ForeignKey(PhysicalServer, on_delete=models.PROTECT, related_name="assignments")
    adapter = models.OneToOneField(
        Adapter, on_delete=models.PROTECT, null=True, blank=True, related_name="assignment"
    )
    bridge = models.CharField(
        max_length=15, blank=True, default="", help_text="Name of the bridge that was adopted, if one was."
    )

    class Meta:
        ordering = ("network", "server")
        constraints = (
            models.UniqueConstraint(fields=("network", "server"), name="one_assignment_per_server"),
        )

    def __str__(self) -> str:
        return f"{self.network} on {self.server}"


class Member(models.Model):
    """A bridged container interface in a virtual network; an interface is in at most one."""

    network = models.ForeignKey(VirtualNetwork, on_delete=models.PROTECT, related_name="members")
    interface = models.OneToOneField(ContainerInterface, on_delete=models.PROTECT, related_name="membership")

    class Meta:
        ordering = ("network", "interface")

    def __str__(self) -> str:
        return f"{self.interface} in {self.network}"


class ManagedVlan(models.Model):
    """A VLAN adapter that this panel made on a server and keeps."""

    server = models.ForeignKey(PhysicalServer, on_delete=models.PROTECT, related_name="managed_vlans")
    name = models.CharField(max_length=15, validators=[validate_link_name])
    base = models.CharField(max_length=15, validators=[validate_link_name])
    vid = models.PositiveSmallIntegerField(
        "VLAN id", validators=[MinValueValidator(1), MaxValueValidator(4094)]
    )

    class Meta:
        ordering = ("server", "name")
        constraints = (
            models.UniqueConstraint(fields=("server", "name"), name="managed_vlan_name_unique"),
            models.UniqueConstraint(fields=("server", "base", "vid"), name="managed_vlan_id_unique_on_base"),
            models.CheckConstraint(condition=Q(vid__gte=1, vid__lte=4094), name="managed_vlan_id_in_range"),
        )

    def __str__(self) -> str:
        return f"{self.name} on {self.server}"
