"""The tables of tasks and workers."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from channels.tasks.definition.states import State
from channels.tasks.stores.indexes import create_indexes


class Migration(migrations.Migration):
    """Two tables, and indexes by kind of database."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="Task",
            fields=[
                ("id", models.CharField(editable=False, max_length=32, primary_key=True, serialize=False)),
                ("backend", models.CharField(max_length=64)),
                ("path", models.CharField(max_length=255)),
                ("queue", models.CharField(max_length=64)),
                ("priority", models.SmallIntegerField(default=0)),
                ("lane", models.SmallIntegerField(default=0)),
                (
                    "state",
                    models.CharField(choices=[(each.value,) * 2 for each in State], max_length=10),
                ),
                ("arguments", models.TextField()),
                ("enqueued_at", models.BigIntegerField()),
                ("run_at", models.BigIntegerField()),
                ("started_at", models.BigIntegerField(null=True)),
                ("last_attempted_at", models.BigIntegerField(null=True)),
                ("finished_at", models.BigIntegerField(null=True)),
                ("attempts", models.IntegerField(default=0)),
                ("losses", models.SmallIntegerField(default=0)),
                ("owner", models.CharField(blank=True, default="", max_length=22)),
                ("owners", models.TextField(blank=True, default="")),
                ("errors", models.TextField(default="[]")),
                ("result", models.TextField(null=True)),
                ("unique_key", models.CharField(max_length=255, null=True, unique=True)),
                ("cancel_at", models.BigIntegerField(null=True)),
                ("viewer", models.CharField(blank=True, default="", max_length=64)),
                ("counts_for", models.CharField(blank=True, default="", max_length=32)),
                ("waits_for", models.CharField(blank=True, default="", max_length=32)),
                ("needs_success", models.SmallIntegerField(default=1)),
            ],
            options={"verbose_name": "task"},
        ),
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.CharField(editable=False, max_length=22, primary_key=True, serialize=False)),
                ("beats", models.BigIntegerField(default=0)),
                ("about", models.TextField(default="")),
                ("seen_at", models.BigIntegerField()),
            ],
            options={"verbose_name": "worker"},
        ),
        migrations.CreateModel(
            name="Group",
            fields=[
                ("id", models.CharField(editable=False, max_length=32, primary_key=True, serialize=False)),
                ("remaining", models.IntegerField()),
                ("failed", models.IntegerField(default=0)),
            ],
            options={"verbose_name": "group"},
        ),
        migrations.CreateModel(
            name="Tick",
            fields=[
                (
                    "name",
                    models.CharField(editable=False, max_length=255, primary_key=True, serialize=False),
                ),
                ("ticked_at", models.BigIntegerField()),
            ],
            options={"verbose_name": "schedule"},
        ),
        migrations.RunPython(create_indexes, migrations.RunPython.noop, atomic=False),
    ]
