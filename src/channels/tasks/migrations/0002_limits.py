"""Limits: which tasks share one, who may run next, and when tasks of a rate have started."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from channels.tasks.definition.states import State
from channels.tasks.stores.indexes import create_indexes_of_limits

_COLUMNS = ("limit_key", 200), ("allowance", 40)


class Migration(migrations.Migration):
    """Two columns, added by statements: Django would make the table of SQLite anew, without its indexes."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("channels_tasks", "0001_initial")]
    operations: ClassVar[list[Operation]] = [
        *[
            migrations.RunSQL(
                f"ALTER TABLE channels_tasks_task ADD COLUMN {name} varchar({length}) DEFAULT '' NOT NULL",
                f"ALTER TABLE channels_tasks_task DROP COLUMN {name}",
                state_operations=[
                    migrations.AddField(
                        "task", name, models.CharField(blank=True, default="", max_length=length)
                    )
                ],
            )
            for name, length in _COLUMNS
        ],
        migrations.AlterField(
            "task", "state", models.CharField(choices=[(each.value,) * 2 for each in State], max_length=10)
        ),
        migrations.CreateModel(
            name="Limit",
            fields=[
                ("id", models.CharField(editable=False, max_length=200, primary_key=True, serialize=False)),
                ("due_at", models.BigIntegerField(null=True)),
                ("used_at", models.BigIntegerField()),
            ],
            options={"verbose_name": "limit"},
        ),
        migrations.CreateModel(
            name="Start",
            fields=[
                ("id", models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ("limit_key", models.CharField(max_length=200)),
                ("task", models.CharField(max_length=32)),
                ("started_at", models.BigIntegerField()),
            ],
            options={"verbose_name": "start"},
        ),
        migrations.RunPython(create_indexes_of_limits, migrations.RunPython.noop, atomic=False),
    ]
