"""The wire that new NICs are put on, so that a plain installation needs no thought about wires."""

from __future__ import annotations

from django.db import migrations

NAME = "physical network"


def create(apps, schema_editor):
    segments = apps.get_model("nodes", "PhysicalSegment")
    if not segments.objects.filter(is_default=True).exists():
        segments.objects.update_or_create(name=NAME, defaults={"is_default": True})


class Migration(migrations.Migration):
    dependencies = [("nodes", "0002_looks_and_bases")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
