"""The tables of topics in a database."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Make the tables."""

    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Pending",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=32)),
                ("record", models.BinaryField()),
            ],
            options={
                "verbose_name_plural": "pending publications",
                "db_table": "channels_journal_pending",
            },
        ),
        migrations.CreateModel(
            name="Relay",
            fields=[
                ("owner", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("topics", models.BinaryField(default=b"")),
                ("noted", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "channels_journal_relay",
            },
        ),
        migrations.CreateModel(
            name="Stream",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=32, unique=True)),
                ("topic", models.TextField()),
                ("epoch", models.CharField(max_length=32)),
                ("top", models.BigIntegerField(default=0)),
                ("keep", models.BigIntegerField(default=0)),
                ("floor", models.BigIntegerField(default=0)),
                ("ends", models.BigIntegerField()),
                ("version", models.BigIntegerField(default=0)),
                ("version_epoch", models.TextField(default="")),
            ],
            options={
                "db_table": "channels_journal_stream",
            },
        ),
        migrations.CreateModel(
            name="Publication",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("place", models.BigIntegerField()),
                ("expires", models.BigIntegerField(db_index=True)),
                ("record", models.BinaryField()),
                (
                    "stream",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="publications",
                        to="channels_journal.stream",
                    ),
                ),
            ],
            options={
                "db_table": "channels_journal_publication",
                "constraints": [
                    models.UniqueConstraint(fields=("stream", "place"), name="channels_journal_place")
                ],
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=32)),
                ("place", models.BigIntegerField()),
                ("epoch", models.CharField(max_length=32)),
                ("expires", models.BigIntegerField(db_index=True)),
                (
                    "stream",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="keys",
                        to="channels_journal.stream",
                    ),
                ),
            ],
            options={
                "db_table": "channels_journal_key",
                "constraints": [
                    models.UniqueConstraint(fields=("stream", "digest"), name="channels_journal_digest")
                ],
            },
        ),
    ]
