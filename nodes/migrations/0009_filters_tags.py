from typing import Any

from django.db import migrations, models


def write_anew(apps: Any, schema_editor: Any) -> None:
    """The next look at a server fills the new column, also where it finds all as it was."""
    apps.get_model("nodes", "Look").objects.update(digest="")


class Migration(migrations.Migration):
    dependencies = [
        ("nodes", "0008_dedicated_login"),
    ]

    operations = [
        migrations.AddField(
            model_name="physicalserver",
            name="filters_tags",
            field=models.BooleanField(
                blank=True,
                help_text="Its kernel can keep tagged frames from containers; unknown before the first look.",
                null=True,
                verbose_name="filters tags",
            ),
        ),
        migrations.RunPython(write_anew, migrations.RunPython.noop, elidable=True),
    ]
