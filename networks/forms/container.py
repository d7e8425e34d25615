"""Container network parameters: a new network adapter, its virtual network, its IP addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_interface
from typing import Any

from django import forms

from networks.container_page import NetworkChoice
from networks.domain.names import LINK_NAME_BYTES
from networks.domain.rules import Problem
from networks.domain.state import (
    AddAddress,
    AddInterface,
    AddMember,
    Edit,
    InterfaceKey,
    RemoveMember,
)
from networks.forms.network import PartlyDisabled

Refusals = Callable[[InterfaceKey, list[Edit]], Iterable[Problem]]
"""What the rules refuse about edits of one interface, on top of the user's draft."""

NO_NETWORK = "none"
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class DisablingNetworks(PartlyDisabled, forms.Select):
    """A drop-down list of virtual networks, some of them disabled."""


def usual_form(text: str, *, host_routed: bool = False) -> str:
    """The address as vzctl and the kernel write it; ValidationError if it is none or has no prefix length."""
    text = text.strip()
    try:
        parsed = ip_interface(text)
    except ValueError:
        raise forms.ValidationError("Enter an IP address like 10.77.0.5/24 or fd77::5/64.") from None
    if "/" not in text and not host_routed:
        raise forms.ValidationError(
            f"Enter it with its prefix length: {parsed.ip}/{_usual_length(parsed.version)}?"
        )
    return f"{parsed.ip}/{parsed.max_prefixlen}" if host_routed else str(parsed)


def _usual_length(version: int) -> int:
    return 24 if version == 4 else 64


class _NetworkField(forms.Form):
    network = forms.ChoiceField(label="Virtual network", widget=DisablingNetworks, required=False)

    def offer(self, networks: Iterable[NetworkChoice]) -> None:
        """Fill the list; what is refused is disabled and says why, but for the one that it is in."""
        networks = list(networks)
        # Browsers do not send what is disabled: saved untouched, the form must say what is so.
        self.refused = {n.value: n for n in networks if n.refused and n.value != self.initial.get("network")}
        self.fields["network"].choices = [  # type: ignore[attr-defined]
            (NO_NETWORK, "None"),
            *((n.value, f"{n.label}{' — ' + n.refused if n.refused else ''}") for n in networks),
        ]
        self.fields["network"].widget.disabled = {value: n.refused for value, n in self.refused.items()}

    def clean_network(self) -> str:
        """The id, "" for none; a disabled one that was posted by hand is refused with its reason."""
        value: str = self.cleaned_data["network"] or NO_NETWORK
        if value in self.refused:
            choice = self.refused[value]
            raise forms.ValidationError(f"{choice.label} cannot be chosen: it {choice.refused}.")
        return "" if value == NO_NETWORK else value


class MembershipForm(_NetworkField):
    """The virtual network of one bridged interface."""

    def __init__(
        self, *args: Any, key: InterfaceKey, now: str, networks: Iterable[NetworkChoice], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.initial["network"] = now or NO_NETWORK
        self.key, self.now = key, now
        self.offer(networks)

    @property
    def edits(self) -> list[Edit]:
        """From the network it is in to the chosen one; none if it was left as the page showed it."""
        chosen = self.cleaned_data["network"]
        if chosen == self.now or (chosen or NO_NETWORK) == self.data.get("shown"):
            return []
        leave: list[Edit] = [RemoveMember(self.key)] if self.now else []
        return [*leave, AddMember(chosen, self.key)] if chosen else leave


class AddressForm(forms.Form):
    """One more IP address for an interface."""

    address = forms.CharField(
        label="IP address",
        max_length=50,
        widget=forms.TextInput(attrs=_PLAIN | {"placeholder": "10.77.0.5/24"}),
    )

    def __init__(
        self, *args: Any, key: InterfaceKey, host_routed: bool, refusals: Refusals, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.key, self.host_routed, self.refusals = key, host_routed, refusals
        self.fields["address"].label = f"New IP address of {key.ifname}"
        if host_routed:
            self.fields["address"].widget.attrs["placeholder"] = "10.77.0.5"

    def clean_address(self) -> str:
        """In its usual form, and nothing that the rules refuse."""
        address = usual_form(self.cleaned_data["address"], host_routed=self.host_routed)
        for problem in self.refusals(self.key, [AddAddress(self.key, address)]):
            raise forms.ValidationError(f"{problem.text} {problem.hint}".strip())
        return address


class NewAdapterForm(_NetworkField):
    """Add Network Adapter: a bridged interface, optionally a member of a network and with an address."""

    ifname = forms.CharField(
        label="Name",
        max_length=LINK_NAME_BYTES,
        help_text="As the container calls it, such as eth1.",
        widget=forms.TextInput(attrs=_PLAIN),
    )
    mac = forms.CharField(
        label="MAC address",
        required=False,
        max_length=17,
        help_text="Left empty: vzctl makes one.",
        widget=forms.TextInput(attrs=_PLAIN | {"placeholder": "00:18:51:aa:bb:cc"}),
    )
    address = forms.CharField(
        label="IP address",
        required=False,
        max_length=50,
        help_text="With its prefix length. More can be given afterwards.",
        widget=forms.TextInput(attrs=_PLAIN | {"placeholder": "10.77.0.5/24"}),
    )
    field_order = ("ifname", "network", "address", "mac")

    def __init__(
        self,
        *args: Any,
        server: int,
        ctid: str,
        networks: Iterable[NetworkChoice],
        refusals: Refusals,
        keeps_no_addresses: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.server, self.ctid, self.refusals = server, ctid, refusals
        if keeps_no_addresses:
            self.fields["address"].help_text += (
                " vzctl 4 keeps none for bridged adapters: it is set inside the running container, and in "
                "its own configuration where the panel understands that."
            )
        self.edits: list[Edit] = []
        self.offer(networks)

    def clean_mac(self) -> str:
        """Small letters and colons, as vzctl and the kernel write it."""
        mac: str = self.cleaned_data["mac"].strip().lower().replace("-", ":")
        return mac

    def clean_address(self) -> str:
        """In its usual form."""
        text: str = self.cleaned_data["address"].strip()
        return usual_form(text) if text else ""

    def clean(self) -> dict[str, Any]:
        """Ask the rules; each refusal stands beside the field it is about."""
        data: dict[str, Any] = super().clean() or {}
        if not {"ifname", "network", "mac", "address"} <= data.keys():
            return data
        key = InterfaceKey(self.server, self.ctid, data["ifname"].strip())
        self.edits = [AddInterface(key, data["mac"])]
        if data["network"]:
            self.edits.append(AddMember(data["network"], key))
        if data["address"]:
            self.edits.append(AddAddress(key, data["address"]))
        for problem in self.refusals(key, self.edits):
            start = problem.code.partition("-")[0]
            field = {"interface": "ifname", "host": "ifname", "mac": "mac", "address": "address"}.get(start)
            self.add_error(field, f"{problem.text} {problem.hint}".strip())
        return data
