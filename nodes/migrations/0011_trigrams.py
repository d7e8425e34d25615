from typing import Any

from django.db import migrations

from nodes.trigrams import install, remove


def forwards(apps: Any, schema_editor: Any) -> None:
    install(schema_editor.connection)


def backwards(apps: Any, schema_editor: Any) -> None:
    remove(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [
        ("nodes", "0010_names_in_capitals"),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
    ]
