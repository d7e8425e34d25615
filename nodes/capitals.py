"""Names by their beginning, whatever the case: what a database can find over an index."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Func, Q, Value
from django.db.models.lookups import GreaterThanOrEqual, LessThan

LAST = "\U0010ffff"
"""No name has it, and all characters are before it."""


class InCapitals(Func):
    """A name in capitals, in the order of its bytes: those that begin alike are next to each other.

    No lookup of Django's does: for SQLite they are a LIKE, which no index of an expression serves, and the
    order of PostgreSQL's own collation is a language's.
    """

    function = "UPPER"
    arity = 1
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(compiler, connection, template='%(function)s(%(expressions)s) COLLATE "C"', **more)


def begins_so(column: str, text: str) -> Q:
    """Rows whose column begins with the text."""
    name = InCapitals(column)
    return Q(GreaterThanOrEqual(name, InCapitals(Value(text)))) & Q(
        LessThan(name, InCapitals(Value(text + LAST)))
    )
