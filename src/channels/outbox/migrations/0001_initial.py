"""The tables of the outbox."""

from typing import ClassVar

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes the tables."""

    initial = True

    dependencies: ClassVar[list[tuple[str, str]]] = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("owner", models.CharField(blank=True, default="", max_length=32)),
                ("beat", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "channels_outbox_lease",
            },
        ),
        migrations.CreateModel(
            name="DurableMessage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("attempts", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "state",
                    models.CharField(
                        choices=[("ready", "Ready"), ("dead", "Dead")],
                        default="ready",
                        editable=False,
                        max_length=5,
                    ),
                ),
                ("error", models.TextField(blank=True, default="", editable=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("failed_at", models.DateTimeField(editable=False, null=True)),
                ("layer", models.CharField(editable=False, max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[("group", "Group"), ("channel", "Channel")], editable=False, max_length=7
                    ),
                ),
                ("target", models.CharField(editable=False, max_length=255)),
                ("payload", models.BinaryField()),
            ],
            options={
                "verbose_name": "durable message",
                "db_table": "channels_outbox_message",
                "indexes": [models.Index(fields=["state", "id"], name="channels_outbox_message_state")],
            },
        ),
        migrations.CreateModel(
            name="HookCall",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("attempts", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "state",
                    models.CharField(
                        choices=[("ready", "Ready"), ("dead", "Dead")],
                        default="ready",
                        editable=False,
                        max_length=5,
                    ),
                ),
                ("error", models.TextField(blank=True, default="", editable=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("failed_at", models.DateTimeField(editable=False, null=True)),
                ("hook", models.CharField(editable=False, max_length=255)),
                ("arguments", models.TextField(editable=False)),
                ("run_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("owner", models.CharField(blank=True, default="", editable=False, max_length=32)),
            ],
            options={
                "verbose_name": "hook call",
                "db_table": "channels_outbox_hook",
                "indexes": [
                    models.Index(fields=["state", "owner", "run_at"], name="channels_outbox_hook_state")
                ],
            },
        ),
    ]
