"""A Change in the audit trail: applied, cancelled, decided, ended, and what the sweeper learnt later."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from networks.models import Change, Operation
from trust.audit import record


def record_change(what: str, change: Change, result: str, actor: Any = None) -> None:
    """Add a line about the Change, with the plan where it is applied and each server's end afterwards.

    The actor is the author, unless one is given. Call it as the last step of the transaction.
    """
    operations = list(change.operations.all())
    plan = ""
    if what == "applied":
        plan = "\n".join(
            f"{op.server_name} (transaction {op.pk}, digest {op.digest or 'none'})\n"
            + "\n".join(f"  {command['text']}" for command in op.commands)
            for op in operations
        )
    if what == "ended":
        ends = [f"{op.server_name}: {op.get_state_display()}. {op.message}".strip() for op in operations]
        result = "\n".join([result, *ends])
    reason = f" Reason: {change.reason}" if change.reason else ""
    summary = " ".join(change.summary.split())
    record(
        f"change.{what}",
        f"Change {change.pk} was {what}: {summary}{reason}",
        actor=actor or change.author or "",
        servers=_servers(change, operations),
        plan=plan,
        result=result,
    )


def _servers(change: Change, operations: Collection[Operation]) -> list[tuple[int, str]]:
    """All that it touches, and those that it only names."""
    touched = [(op.server_id or 0, op.server_name) for op in operations]
    named = change.named.exclude(server=None).values_list("server", "server__name")
    return sorted({*touched, *named}, key=lambda one: one[1])
