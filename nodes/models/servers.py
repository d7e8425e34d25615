"""Physical servers and the last look at each."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from nodes.capitals import InCapitals
from nodes.choices import ServerOS, ServerState
from nodes.models.credentials import Credential
from nodes.models.groups import ServerGroup
from nodes.querysets import PhysicalServerQuerySet
from nodes.validators import validate_host, validate_new_name


class PhysicalServer(models.Model):
    """A machine that hosts containers. Linux ones are reached by SSH, Windows ones are inventory only."""

    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=500, blank=True)
    group = models.ForeignKey(ServerGroup, on_delete=models.PROTECT, related_name="servers")
    os = models.CharField("operating system", max_length=10, choices=ServerOS.choices, default=ServerOS.LINUX)
    address = models.CharField(
        max_length=255, validators=[validate_host], help_text="IP address or host name that SSH connects to."
    )
    port = models.PositiveIntegerField(
        default=22, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    credential = models.ForeignKey(
        Credential, on_delete=models.PROTECT, null=True, blank=True, related_name="servers"
    )
    use_sudo = models.BooleanField(
        "use sudo", default=False, help_text="Log in as an ordinary user and run commands under sudo -n."
    )
    legacy_ssh = models.BooleanField(
        "legacy SSH",
        default=False,
        help_text="Allow the SHA-1 algorithms that OpenVZ 6 servers need. Leave off for anything newer.",
    )
    is_enabled = models.BooleanField("enabled", default=True, help_text="Disabled servers are not looked at.")
    created_at = models.DateTimeField(auto_now_add=True)

    # Observed: written by nodes/sync.py and nodes/observe.py only.
    state = models.CharField(
        max_length=20, choices=ServerState.choices, default=ServerState.NEW, db_index=True
    )
    state_reason = models.TextField(blank=True, default="")
    state_since = models.DateTimeField(null=True, blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True, help_text="The last look that brought an answer.")
    next_look_at = models.DateTimeField(null=True, blank=True, db_index=True)
    look_claimed_until = models.DateTimeField(null=True, blank=True)
    look_requested_at = models.DateTimeField(null=True, blank=True)
    hostname = models.CharField(max_length=255, blank=True, default="")
    kernel = models.CharField(max_length=100, blank=True, default="")
    distribution = models.CharField(max_length=100, blank=True, default="")
    vzctl_dialect = models.CharField(max_length=2, blank=True, default="")
    vzctl_version = models.CharField(max_length=50, blank=True, default="")
    boot_id = models.CharField(max_length=64, blank=True, default="")
    management_link = models.CharField(max_length=15, blank=True, default="")
    management_address = models.CharField(max_length=64, blank=True, default="")
    panel_address = models.CharField(
        max_length=64, blank=True, default="", help_text="Where the panel's connection comes from."
    )
    programs = models.CharField(
        max_length=16, blank=True, default="", help_text="Version of the panel's root-owned programs there."
    )
    routing = models.JSONField(
        null=True, blank=True, help_text="What it routes and answers for; see nodes/sync_values.py."
    )
    filters_tags = models.BooleanField(
        "filters tags",
        null=True,
        blank=True,
        help_text="Its kernel can keep tagged frames from containers; unknown before the first look.",
    )
    containers_count = models.PositiveIntegerField(default=0)
    running_count = models.PositiveIntegerField(default=0)
    adapters_count = models.PositiveIntegerField(default=0)
    findings_count = models.PositiveIntegerField(default=0)
    boot = models.JSONField(
        default=dict, blank=True, help_text="What its next boot would do; see nodes/boot.py."
    )
    drift_count = models.PositiveIntegerField(
        default=0, help_text="How many properties differ from what was decided; whoever decides writes it."
    )

    objects = PhysicalServerQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        indexes = (
            models.Index(fields=("group", "name")),
            models.Index(InCapitals("name"), "id", name="server_name_in_capitals"),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        validate_new_name(self, PhysicalServer.objects)

    @property
    def is_managed(self) -> bool:
        """True if the panel may change it: a Linux server."""
        return self.os == ServerOS.LINUX

    @property
    def by_gate(self) -> bool:
        """True if the panel gets in as its dedicated user, limited to three programs (nodes/gate.py)."""
        return self.credential is not None and self.credential.by_gate

    @property
    def awaits_look(self) -> bool:
        """True if a look was asked for and has not answered yet; disabled meanwhile, it never will."""
        asked = self.look_requested_at
        if asked is None or not self.is_enabled:
            return False
        return self.looked_at is None or self.looked_at < asked


class Look(models.Model):
    """What the last look at a server brought, whole, and how it went. One row per server."""

    server = models.OneToOneField(PhysicalServer, on_delete=models.CASCADE, related_name="look")
    at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(default=0)
    connect_ms = models.PositiveIntegerField(default=0)
    facts = models.TextField(help_text="nodes.facts.ServerFacts as JSON; see nodes/facts_json.py.")
    findings = models.JSONField(default=list, help_text="[{code, text, subject}] of the look.")
    digest = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="SHA-256 of what would change a row; equal digests mean that only the times are written.",
    )

    def __str__(self) -> str:
        return f"look at {self.server} at {self.at:%Y-%m-%d %H:%M:%S}"
