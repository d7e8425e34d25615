"""Pages of the administration that ask for the password again when it was given too long ago."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.decorators import method_decorator

from trust import proof
from trust.proof import recently_proved
from vnetpanel.panel_admin import PanelAdmin


class ProvedAdmin(PanelAdmin):
    """All forms of this model, its removal, and whatever a list's actions do."""

    @method_decorator(recently_proved)
    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        return super().changeform_view(*args, **kwargs)

    @method_decorator(recently_proved)
    def delete_view(self, *args: Any, **kwargs: Any) -> Any:
        return super().delete_view(*args, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list itself is for reading."""
        if request.method == "POST" and not proof.is_proved(request):
            return proof.ask(request)
        return super().changelist_view(request, extra_context)
