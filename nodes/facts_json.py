"""Facts as JSON and back: what a look brought is stored as text and compared as text."""

from __future__ import annotations

import dataclasses
import json
from functools import cache

from pydantic import ConfigDict, TypeAdapter, ValidationError

from nodes import facts as values
from nodes.facts import ServerFacts

VERSION = 1
"""Of the layout. Stored facts of another version cannot be read; the next look replaces them."""


class FactsUnreadable(ValueError):
    """The text is not what `dump` of this version wrote."""


@cache
def _adapter() -> TypeAdapter[ServerFacts]:
    # Plain dataclasses ignore unknown fields unless told so here; nodes/facts.py stays free of pydantic.
    for value in vars(values).values():
        if isinstance(value, type) and dataclasses.is_dataclass(value):
            value.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return TypeAdapter(ServerFacts)


def dump(facts: ServerFacts) -> str:
    """JSON text, the same for equal facts: keys and sets in a fixed order, no blanks."""
    value = _adapter().dump_python(facts, mode="json")
    value["capabilities"] = sorted(facts.capabilities)
    return json.dumps(
        {"version": VERSION, "facts": value}, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )


def load(text: str) -> ServerFacts:
    """The facts that `dump` wrote; a field that it did not know yet has its default.

    FactsUnreadable if a type, a field or the version is not as written.
    """
    try:
        envelope = json.loads(text)
        if not isinstance(envelope, dict) or envelope.get("version") != VERSION:
            raise FactsUnreadable("stored facts of another version")
        # Through JSON again: strict reading takes a list for a tuple only from JSON.
        return _adapter().validate_json(json.dumps(envelope.get("facts")), strict=True)
    except FactsUnreadable:
        raise
    except (ValueError, RecursionError, ValidationError) as error:
        raise FactsUnreadable("stored facts cannot be read") from error
