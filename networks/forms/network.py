"""Creating and describing virtual networks, at both levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from networks.domain.rules import folded
from networks.models import VirtualNetwork
from nodes.validators import validate_visible_name
from vnetpanel.touched import TouchedForm

LOCAL = "local"
NONE = "none"


@dataclass(frozen=True, slots=True)
class AdapterChoice:
    """One network adapter as a form offers it; `taken` says who has it, or why it cannot be used."""

    name: str
    label: str
    taken: str = ""


@dataclass(frozen=True, slots=True)
class InterfaceChoice:
    """One container interface as a form offers it; `refused` says why it cannot join."""

    value: str
    label: str
    refused: str = ""
    detail: str = ""


class NetworkForm(TouchedForm):
    """Name and description: all that exists of a virtual network for every server."""

    name = forms.CharField(
        max_length=VirtualNetwork._meta.get_field("name").max_length,
        validators=[validate_visible_name],
        help_text="Unique among all virtual networks. It is available on every registered server.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    description = forms.CharField(
        max_length=VirtualNetwork._meta.get_field("description").max_length,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, drafted_names: Mapping[str, str], own_id: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drafted_names = drafted_names
        self.own_id = own_id
        if own_id:
            # A new network starts with its name; on the page of one that exists the name comes last.
            del self.fields["name"].widget.attrs["autofocus"]
            self.compare_with_shown()

    def clean_name(self) -> str:
        """Trimmed; refused at once if another network has one that looks like it, as the draft has them."""
        name = " ".join(self.cleaned_data["name"].split())
        if self.own_id and "name" not in self.changed_data:
            return name
        # A stored name is free where the draft deletes its network or calls it otherwise.
        names = {str(pk): stored for pk, stored in VirtualNetwork.objects.values_list("pk", "name")}
        names |= self.drafted_names
        if any(folded(other) == folded(name) for pk, other in names.items() if pk != self.own_id):
            raise forms.ValidationError(f"A virtual network named {name} already exists. Enter another name.")
        return name


class PartlyDisabled(forms.widgets.ChoiceWidget):
    """Choices of which some are disabled: what is taken is shown with who has it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.disabled: dict[str, str] = {}

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The option; disabled if its value is."""
        option = super().create_option(name, value, *args, **kwargs)
        if str(value) in self.disabled:
            option["attrs"]["disabled"] = True
        return option


class DisablingSelect(PartlyDisabled, forms.RadioSelect):
    """Radio buttons, some of them disabled."""


class DisablingCheckboxes(PartlyDisabled, forms.CheckboxSelectMultiple):
    """Check boxes, some of them disabled."""


class ServerPartForm(forms.Form):
    """A network on one server: where it is assigned and which of the server's interfaces are in it."""

    adapter = forms.ChoiceField(label="Network adapter", widget=DisablingSelect, required=False)
    members = forms.MultipleChoiceField(
        label="Container interfaces", widget=DisablingCheckboxes, required=False
    )

    def __init__(
        self,
        *args: Any,
        adapters: Iterable[AdapterChoice],
        interfaces: Iterable[InterfaceChoice],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        adapters, interfaces = list(adapters), list(interfaces)
        self.fields["adapter"].choices = [  # type: ignore[attr-defined]
            (NONE, "Not defined here"),
            (LOCAL, "Local: bridged to no network adapter"),
            *((f"adapter:{a.name}", f"{a.label}{' — ' + a.taken if a.taken else ''}") for a in adapters),
        ]
        self.fields["adapter"].widget.disabled = {f"adapter:{a.name}": a.taken for a in adapters if a.taken}
        self.fields["members"].choices = [  # type: ignore[attr-defined]
            (i.value, f"{i.label}{' — ' + i.refused if i.refused else ''}") for i in interfaces
        ]
        self.fields["members"].widget.disabled = {i.value: i.refused for i in interfaces if i.refused}
        self._taken = {f"adapter:{a.name}": a for a in adapters if a.taken}
        self._refused = {i.value: i for i in interfaces if i.refused}

    @property
    def shown_adapter(self) -> str:
        """What was chosen when the page was made: others may have decided since."""
        return self.data.get("shown_adapter") or self.initial.get("adapter", NONE)

    @property
    def shown_members(self) -> list[str]:
        """Which interfaces were ticked when the page was made."""
        if "shown_adapter" in self.data:
            return self.data.getlist("shown_member")  # type: ignore[attr-defined]
        return self.initial.get("members", [])

    def clean_adapter(self) -> str:
        """A taken adapter is refused with who has it, also when the disabled button was posted by hand."""
        value: str = self.cleaned_data["adapter"] or NONE
        if value in self._taken:
            choice = self._taken[value]
            raise forms.ValidationError(f"{choice.name} cannot be used: {choice.taken}.")
        return value

    def clean_members(self) -> list[str]:
        """Host-routed and taken interfaces are refused with the reason."""
        values: list[str] = self.cleaned_data["members"]
        for value in values:
            if value in self._refused:
                choice = self._refused[value]
                raise forms.ValidationError(f"{choice.label} cannot join: {choice.refused}.")
        return values

    def clean(self) -> dict[str, Any]:
        """With members a network is local at least. Who only ticks some where it was not yet means that."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("adapter") == NONE != self.shown_adapter and cleaned.get("members"):
            self.add_error(
                "adapter",
                "With containers of this server in it, a virtual network is defined here. "
                "Take the containers out as well, or choose Local.",
            )
        return cleaned


class ServerNetworkForm(NetworkForm, ServerPartForm):
    """New Virtual Network on a physical server: name, description, and optionally its part there."""

    field_order = ("name", "description", "adapter", "members")
