"""Server groups, and the confirmation of removing something."""

from __future__ import annotations

from typing import Any, cast

from django import forms

from nodes.choices import Role
from nodes.forms.staying import StayingChoiceField
from nodes.models import ServerGroup
from nodes.querysets import AnyUser, has_role
from nodes.validators import validate_visible_name
from vnetpanel.touched import TouchedForm


class GroupForm(TouchedForm):
    """Name, description and place of a server group."""

    name = forms.CharField(
        max_length=100,
        validators=[validate_visible_name],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    description = forms.CharField(max_length=500, required=False)
    parent = StayingChoiceField(
        ServerGroup.objects.none(),
        required=False,
        label="Inside",
        empty_label="No other group (at the top)",
    )

    def __init__(self, *args: Any, user: AnyUser, group: ServerGroup | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(StayingChoiceField, self.fields["parent"])
        field.queryset = ServerGroup.objects.administered_by(user).order_by("path")
        if group is not None:
            # Not into itself.
            field.queryset = field.queryset.exclude(path__startswith=group.path)
            if group.parent is not None:
                is_seen = has_role(user, Role.VIEWER, group.parent)
                field.call(group.parent, str(group.parent) if is_seen else "The group that it is in")
        if not getattr(user, "is_superuser", False) and (group is None or group.parent_id):
            # The top belongs to superusers.
            field.required, field.empty_label = True, "---------"
        if group is not None:
            self.compare_with_shown()


class RemoveForm(forms.Form):
    """A confirmation; it has no fields, only errors."""
