"""Network adapters, the wires they share, and bridges."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import Q

from nodes.capitals import InCapitals
from nodes.choices import AdapterKind, Origin
from nodes.models.servers import PhysicalServer
from nodes.querysets import AdapterQuerySet, ServerPartQuerySet
from nodes.validators import validate_link_name, validate_new_name


class PhysicalSegment(models.Model):
    """A wire that adapters of several servers share, such as "the untagged LAN"."""

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=500, blank=True)
    is_default = models.BooleanField(default=False, help_text="New NICs and bonds are put on this segment.")

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("is_default",), condition=Q(is_default=True), name="one_default_segment"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the segment; making it the default takes that from the one which was."""
        with transaction.atomic():
            if self.is_default:
                PhysicalSegment.objects.filter(is_default=True).exclude(pk=self.pk).update(is_default=False)
            super().save(*args, **kwargs)

    def clean(self) -> None:
        validate_new_name(self, PhysicalSegment.objects)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """As declared, but for the one default: `save` sees to that."""
        super().validate_constraints(exclude={*(exclude or ()), "is_default"})


class Bridge(models.Model):
    """A bridge on a server, as the last look saw it."""

    server = models.ForeignKey(PhysicalServer, on_delete=models.CASCADE, related_name="bridges")
    name = models.CharField(max_length=15, validators=[validate_link_name])
    mac = models.CharField("MAC address", max_length=17, blank=True, default="")
    mtu = models.PositiveIntegerField(null=True, blank=True)
    is_up = models.BooleanField(default=False)
    vlan_filtering = models.BooleanField(null=True, blank=True)
    addresses_text = models.TextField("addresses", blank=True, default="", help_text="Separated by spaces.")
    foreign_ports = models.JSONField(
        default=list, help_text="Ports that are neither adapters nor known container interfaces."
    )
    answers = models.BooleanField(
        null=True, blank=True, help_text="The server answers ARP on it, also without an address there."
    )
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.FOUND)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = ServerPartQuerySet.as_manager()

    class Meta:
        ordering = ("server", "name")
        constraints = (
            models.UniqueConstraint(fields=("server", "name"), name="bridge_name_unique_on_server"),
        )

    def __str__(self) -> str:
        return f"{self.name} on {self.server}"

    @property
    def addresses(self) -> list[str]:
        return self.addresses_text.split()


class Adapter(models.Model):
    """A NIC, bond or VLAN adapter of a physical server."""

    server = models.ForeignKey(PhysicalServer, on_delete=models.CASCADE, related_name="adapters")
    name = models.CharField(
        max_length=64, help_text="On Linux at most 15 bytes. Windows adapter names may be longer."
    )
    kind = models.CharField(max_length=5, choices=AdapterKind.choices, default=AdapterKind.NIC)
    # RESTRICT, not PROTECT: a base goes together with its VLANs when their server is removed, never alone.
    base = models.ForeignKey(
        "self", on_delete=models.RESTRICT, null=True, blank=True, related_name="vlans", help_text="VLAN only."
    )
    vlan_id = models.PositiveSmallIntegerField(
        "VLAN id", null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(4094)]
    )
    bond = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="slaves",
        help_text="The bond that this NIC is a slave of.",
    )  # fmt: skip
    bond_mode = models.PositiveSmallIntegerField(null=True, blank=True)
    segment = models.ForeignKey(
        PhysicalSegment, on_delete=models.SET_NULL, null=True, blank=True, related_name="adapters",
        help_text="The wire this NIC or bond is on; empty: unknown. A VLAN adapter is on its base's.",
    )  # fmt: skip
    mac = models.CharField("MAC address", max_length=17, blank=True, default="")
    mtu = models.PositiveIntegerField(null=True, blank=True)
    is_up = models.BooleanField(default=False)
    has_carrier = models.BooleanField(null=True, blank=True)
    addresses_text = models.TextField("addresses", blank=True, default="", help_text="Separated by spaces.")
    is_management = models.BooleanField(
        default=False, help_text="The panel's own connection to the server arrives here."
    )
    owner = models.CharField(max_length=30, blank=True, default="", help_text="Program that configures it.")
    bridge = models.ForeignKey(
        Bridge, on_delete=models.SET_NULL, null=True, blank=True, related_name="adapters"
    )
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.FOUND)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = AdapterQuerySet.as_manager()

    class Meta:
        ordering = ("server", "name")
        indexes = (models.Index(InCapitals("name"), "id", name="adapter_name_in_capitals"),)
        constraints = (
            models.UniqueConstraint(fields=("server", "name"), name="adapter_name_unique_on_server"),
            models.UniqueConstraint(
                fields=("base", "vlan_id"), condition=Q(gone_at=None), name="vlan_id_unique_on_base"
            ),
            models.CheckConstraint(
                condition=(
                    Q(kind=AdapterKind.VLAN, vlan_id__gte=1, vlan_id__lte=4094)
                    | (~Q(kind=AdapterKind.VLAN) & Q(vlan_id=None, base=None))
                ),
                name="vlan_has_id_others_have_none",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} on {self.server}"

    def clean(self) -> None:
        """The rules of names and VLAN adapters, for what people enter; what a look found is as it is."""
        if self.origin != Origin.ENTERED:
            return
        validate_new_name(self, Adapter.objects.filter(server=self.server_id))
        if self.kind != AdapterKind.VLAN:
            if self.base_id or self.vlan_id is not None:
                raise ValidationError({"kind": "Only a VLAN adapter has a base and a VLAN id."})
            return
        errors = {}
        if self.base is None:
            errors["base"] = "Choose the base: the NIC or bond that the VLAN adapter is on."
        elif self.base.server_id != self.server_id:
            errors["base"] = "The base must be on the same server."
        elif self.base.kind == AdapterKind.VLAN or self.base_id == self.pk:
            errors["base"] = "The base must be a NIC or a bond: there is no VLAN on a VLAN."
        if self.pk and self.vlans.exclude(pk=self.pk).exists():
            errors["kind"] = "It has VLAN adapters, and there is no VLAN on a VLAN."
        if self.vlan_id is None:
            errors["vlan_id"] = "Enter the VLAN id, 1 to 4094."
        elif self.base_id:
            twins = Adapter.objects.filter(base_id=self.base_id, vlan_id=self.vlan_id, gone_at=None)
            if twins.exclude(pk=self.pk).exists():
                errors["vlan_id"] = f"{self.base} has a VLAN adapter with id {self.vlan_id} already."
        if errors:
            raise ValidationError(errors)

    @property
    def addresses(self) -> list[str]:
        return self.addresses_text.split()

    @property
    def wire(self) -> PhysicalSegment | None:
        """The physical segment: its own, or for a VLAN adapter its base's."""
        return self.base.segment if self.base_id and self.base else self.segment
