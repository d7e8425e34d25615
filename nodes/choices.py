"""Closed sets of words that the inventory's models use."""

from __future__ import annotations

from django.db import models


class Role(models.TextChoices):
    """What a user may do in a server group and in all groups below it."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"


class ServerOS(models.TextChoices):
    LINUX = "linux", "Linux"
    WINDOWS = "windows", "Windows"


class ServerState(models.TextChoices):
    """How the last look at a server ended; every state but OK has a reason beside it."""

    NEW = "new", "New: host key not approved"
    WAITING = "waiting", "Not looked at yet"
    OK = "ok", "OK"
    UNREACHABLE = "unreachable", "Unreachable"
    LOGIN_REFUSED = "login_refused", "Login refused"
    HOST_KEY_CHANGED = "host_key_changed", "Host key changed"
    NO_SUDO = "no_sudo", "No sudo"
    UNREADABLE = "unreadable", "Answer could not be read"
    INVENTORY_ONLY = "inventory_only", "Inventory only"


class HostKeyState(models.TextChoices):
    OFFERED = "offered", "Offered, not approved"
    PINNED = "pinned", "Approved"
    RETIRED = "retired", "Retired"


class AdapterKind(models.TextChoices):
    NIC = "nic", "NIC"
    BOND = "bond", "Bond"
    VLAN = "vlan", "VLAN"


class Origin(models.TextChoices):
    """Who made a link: seen on the server, made by this panel, or entered by hand (Windows)."""

    FOUND = "found", "Found on the server"
    PANEL = "panel", "Made by this panel"
    ENTERED = "entered", "Entered by hand"


class ContainerStatus(models.TextChoices):
    RUNNING = "running", "Running"
    STOPPED = "stopped", "Stopped"
    MOUNTED = "mounted", "Mounted"
    SUSPENDED = "suspended", "Suspended"
    PAUSED = "paused", "Paused"
    UNKNOWN = "unknown", "Unknown"


class InterfaceMode(models.TextChoices):
    HOST_ROUTED = "host-routed", "Host-routed"
    BRIDGED = "bridged", "Bridged"
