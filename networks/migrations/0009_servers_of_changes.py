"""The servers that a Change names, kept with it; those of earlier Changes are read from their edits."""

import json
from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def name_servers(apps: Any, schema_editor: Any) -> None:
    """Fill the new table. What cannot be read names nothing, as it never came to a plan."""
    change_servers = apps.get_model("networks", "ChangeServer")
    there = set(apps.get_model("nodes", "PhysicalServer").objects.values_list("pk", flat=True))
    rows = apps.get_model("networks", "Change").objects.values_list("pk", "edits", "repairs")
    for change, edits, repairs in rows.iterator(chunk_size=200):
        named = {*repairs, *_servers_in(edits)}
        # One row without a server stands for all that have been removed since.
        known = {server if server in there else None for server in named}
        change_servers.objects.bulk_create(
            change_servers(change_id=change, server_id=server) for server in known
        )


def _servers_in(text: str) -> set[int]:
    """An edit says its server itself, or in its interface."""
    try:
        edits = json.loads(text)
        return {edit.get("server") or edit["interface"]["server"] for edit in edits if _has_server(edit)}
    except (ValueError, TypeError, KeyError, AttributeError):
        return set()


def _has_server(edit: dict[str, Any]) -> bool:
    return "server" in edit or "interface" in edit


class Migration(migrations.Migration):
    dependencies = [
        ("networks", "0008_intents"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChangeServer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "change",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="named",
                        to="networks.change",
                    ),
                ),
                (
                    "server",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="nodes.physicalserver",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("change", "server"), name="server_named_once_by_change")
                ],
            },
        ),
        migrations.RunPython(name_servers, migrations.RunPython.noop, elidable=True),
    ]
