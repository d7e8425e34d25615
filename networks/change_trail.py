"""A Change in the audit trail: applied, cancelled, decided, ended, and what the sweeper learnt later."""

from __future__ import annotations

from typing import Any

from networks.models import Change
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
        servers=[(op.server_id or 0, op.server_name) for op in operations],
        plan=plan,
        result=result,
    )
