"""New VLAN Adapter: the base, the VLAN id, and what it will be called on the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms

from networks.domain.names import LINK_NAME_BYTES, vlan_name
from networks.domain.rules import Problem
from networks.domain.state import CreateVlan
from networks.forms.network import AdapterChoice, PartlyDisabled

Refusals = Callable[[CreateVlan], Iterable[Problem]]
"""What the rules refuse about a VLAN adapter on top of the user's draft."""

_FIELDS = {"vlan-id": "vid", "vlan-base": "base", "vlan-on": "base", "vlan-name": "name"}


class DisablingDropDown(PartlyDisabled, forms.Select):
    """A drop-down list, some of its options disabled."""


class VlanForm(forms.Form):
    """A VLAN adapter on a NIC or bond of one server. Valid, its `edit` is what goes into the draft."""

    base = forms.ChoiceField(label="Base adapter", widget=DisablingDropDown)
    vid = forms.IntegerField(
        label="VLAN id",
        min_value=1,
        max_value=4094,
        help_text="1 to 4094, as on the switch's port.",
        widget=forms.NumberInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        error_messages={
            "min_value": "Enter an id from 1 to 4094.",
            "max_value": "Enter an id from 1 to 4094.",
        },
    )
    name = forms.CharField(
        required=False,
        label="Name on the server",
        help_text=f"Left empty: base and id, such as eth0.100. At most {LINK_NAME_BYTES} characters.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(
        self, *args: Any, server_id: int, bases: Iterable[AdapterChoice], refusals: Refusals, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        bases = list(bases)
        self.server_id, self.refusals = server_id, refusals
        self.edit: CreateVlan | None = None
        self.fields["base"].choices = [  # type: ignore[attr-defined]
            (b.name, f"{b.label}{' — ' + b.taken if b.taken else ''}") for b in bases
        ]
        self.fields["base"].widget.disabled = {b.name: b.taken for b in bases if b.taken}

    def clean(self) -> dict[str, Any]:
        """Ask the rules; each refusal stands beside the field it is about."""
        data: dict[str, Any] = super().clean() or {}
        if "base" in data and "vid" in data and "name" in data:
            name = data["name"].strip() or vlan_name(data["base"], data["vid"])
            self.edit = CreateVlan(self.server_id, name, data["base"], data["vid"])
            for problem in self.refusals(self.edit):
                field = next((f for code, f in _FIELDS.items() if problem.code.startswith(code)), None)
                # A name that nobody typed comes from the id.
                field = "vid" if field == "name" and not data["name"].strip() else field
                self.add_error(field, f"{problem.text} {problem.hint}".strip())
        return data
