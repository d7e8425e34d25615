"""The causes that the Problems page groups by: what each is called, and where it is mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Cause:
    """`mend` is the page that mends it, `button` the words on the way there."""

    title: str
    button: str
    mend: str


_NETWORK = "network"
CAUSES: dict[str, Cause] = {
    "server-host_key_changed": Cause("Host key changed", "Compare host keys", "host_key"),
    "server-unreachable": Cause("Server unreachable", "Open the server", "server"),
    "server-login_refused": Cause("Login refused", "Open the server", "server"),
    "server-no_sudo": Cause("No sudo", "Open the server", "server"),
    "server-unreadable": Cause("Answer could not be read", "Open the server", "server"),
    "server-programs": Cause("Programs of an earlier version", "Open the server", "server"),
    "needs-attention": Cause("A change needs attention", "Open the change", "change"),
    "behind": Cause("Server behind", "Open the change", "change"),
    "in-doubt": Cause("Outcome of a change unknown", "Open the change", "change"),
    "follow": Cause("vzctl's saved configuration does not follow", "Open the change", "change"),
    "drift": Cause("Drift", "Repair or adopt", "drift"),
    "reboot-risk": Cause("Lost at the next boot", "Open its drift", "drift"),
    "breach": Cause("Intent breached", "Open the intent", "intent"),
    "disagreement": Cause("Measured differs from predicted", "Explain", "explain"),
    "partitioned": Cause("Network partitioned", "Configure", _NETWORK),
    "ring": Cause("Ring of bridges", "Configure", _NETWORK),
    "split": Cause("Network split over wires", "Configure", _NETWORK),
    "merged": Cause("Networks merged on one wire", "Configure", _NETWORK),
    "segment-unknown": Cause("Physical segment unknown", "Network adapters", "adapters"),
    "adapter-gone": Cause("Network adapter gone", "Configure", _NETWORK),
    "adapter-taken": Cause("Network adapter taken twice", "Configure", _NETWORK),
    "vlan-differs": Cause("Containers on another VLAN", "Repair or adopt", "drift"),
    "member-gone": Cause("Member gone", "Configure", _NETWORK),
    "container-gone": Cause("Container gone", "Configure", _NETWORK),
    "interface-gone": Cause("Interface gone", "Configure", _NETWORK),
    "duplicate-ip": Cause("IP address twice", "Open the container", "container"),
    "duplicate-mac": Cause("MAC address twice", "Open the container", "container"),
    "subnets-differ": Cause("Members in different subnets", "Open the network", _NETWORK),
    "no-address": Cause("Members without an address", "Open the network", _NETWORK),
    "address-unknown": Cause("Addresses unknown", "Open the network", _NETWORK),
    "tag-leak": Cause("Tagged frames reach containers", "Configure", _NETWORK),
}
"""In the order in which they are listed: what cuts off or lies first. Causes that are not named follow."""


def cause_of(code: str) -> Cause:
    """The cause of that code; a rule without an entry gets a title from its code."""
    return CAUSES.get(code) or Cause(code.replace("-", " ").capitalize(), "Open", _NETWORK)


def rank(code: str) -> tuple[int, str]:
    """Where the cause comes in the list."""
    codes = list(CAUSES)
    return (codes.index(code) if code in CAUSES else len(codes), code)


def mend_link(code: str, subjects: list[Mapping[str, Any]], may_configure: bool = True) -> tuple[str, str]:
    """Address of the page that mends it and the words on the way there; "" twice if its subject has none.

    Who may configure no network is led to its details.
    """
    cause = cause_of(code)
    server, network = _first("server", subjects), _first("network", subjects)
    can_be_used = may_configure or cause.button != "Configure"
    if can_be_used and (address := _page_of(cause, subjects)):
        return address, cause.button
    # Not about what its cause is mended at: a switch port that lacks a VLAN is no pair to explain.
    if network:
        return reverse("networks:detail", args=[network]), "Open the network"
    return (reverse("nodes:server", args=[server]), "Open the server") if server else ("", "")


def _page_of(cause: Cause, subjects: list[Mapping[str, Any]]) -> str:
    """The page that mends what the cause is about; "" if none of the subjects is of that kind."""
    server, network = _first("server", subjects), _first("network", subjects)
    container, change = _first("container", subjects), _first("change", subjects)
    pair = next((s for s in subjects if s["kind"] == "pair"), None)
    match cause.mend:
        case "host_key" if server:
            return reverse("nodes:host_key", args=[server])
        case "drift" if server:
            return reverse("networks:server_drift", args=[server])
        case "server" if server:
            return reverse("nodes:server", args=[server])
        case "container" if container:
            return reverse("nodes:container", args=[container])
        case "adapters" if server:
            return reverse("networks:server_adapters", args=[server])
        case "change" if change:
            return reverse("networks:change", args=[change])
        case "intent" if network:
            return reverse("networks:intent", args=[network])
        case "explain" if pair:
            # What was decided is what was measured; the page would begin with the reader's draft.
            asked = {"from": pair["from"], "to": pair["to"], "state": "decided"}
            return f"{reverse('networks:explain')}?{urlencode(asked)}"
        case "network" if network:
            page = "configure" if cause.button == "Configure" else "detail"
            return reverse(f"networks:{page}", args=[network])
    return ""


def _first(key: str, subjects: list[Mapping[str, Any]]) -> Any:
    """That key of the first subject that has it."""
    return next((s[key] for s in subjects if key in s), None)


def subject_link(subject: Mapping[str, Any]) -> tuple[str, str] | None:
    """Address and words of one subject; None where there is no page for it."""
    label = subject.get("label", "")
    match subject["kind"]:
        case "network":
            return reverse("networks:detail", args=[subject["network"]]), label
        case "change":
            return reverse("networks:change", args=[subject["change"]]), label
        case "adapter":
            return reverse("networks:server_adapters", args=[subject["server"]]), label
        case "container" | "interface" if "container" in subject:
            return reverse("nodes:container", args=[subject["container"]]), label
        case _ if "server" in subject:
            return reverse("nodes:server", args=[subject["server"]]), label
    return None
