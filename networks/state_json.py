"""Desired states, edits and host plans as JSON text, and back, strictly.

An edit is stored as `{"edit": "AddMember", ...fields}`: the tag tells apart edits of the same shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from networks.domain.state import Desired, Edit

_DESIRED: TypeAdapter[Desired] = TypeAdapter(Desired)
_EDITS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Edit)}


class UnreadableState(ValueError):
    """Stored or posted JSON that is not what it should be; the text says where."""


def dump_desired(state: Desired) -> str:
    """A desired state as JSON text."""
    return _DESIRED.dump_json(state).decode()


def load_desired(text: str) -> Desired:
    """The desired state of that text; UnreadableState if it is none."""
    try:
        return _DESIRED.validate_json(text)
    except ValidationError as error:
        raise UnreadableState(_first(error)) from error


def dump_edits(edits: Iterable[Edit]) -> str:
    """Edits as a JSON list, in their order."""
    return json.dumps(
        [
            {"edit": type(edit).__name__, **_EDITS[type(edit).__name__].dump_python(edit, mode="json")}
            for edit in edits
        ]
    )


@lru_cache(maxsize=8)
def load_edits(text: str) -> tuple[Edit, ...]:
    """The edits of that text; UnreadableState if one is unknown or malformed.

    Those of a Change are asked for again and again while it is applied, and are values: they are shared.
    """
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise UnreadableState(str(error)) from error
    if not isinstance(rows, list):
        raise UnreadableState("a list of edits was expected")
    return tuple(_load_edit(row) for row in rows)


def _load_edit(row: object) -> Edit:
    if not isinstance(row, dict) or row.get("edit") not in _EDITS:
        raise UnreadableState(f"unknown edit: {row!r:.80}")
    fields = {key: value for key, value in row.items() if key != "edit"}
    try:
        edit: Edit = _EDITS[row["edit"]].validate_python(fields)
    except ValidationError as error:
        raise UnreadableState(f"{row['edit']}: {_first(error)}") from error
    return edit


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
