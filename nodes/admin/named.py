"""Forms of the administration for what people give names to."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import BaseModelAdmin
from django.http import HttpRequest

from nodes.validators import validate_visible_name


class Named(BaseModelAdmin):
    """A name that people cannot see as it is: refused beside its field, and said there where it is stored."""

    name_field = "name"

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == self.name_field and field is not None:
            field.validators.append(validate_visible_name)
        return field
