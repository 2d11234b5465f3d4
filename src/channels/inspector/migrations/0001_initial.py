"""The permissions of the inspector, and its audit log."""

from typing import ClassVar

from django.db import migrations, models


def _id() -> tuple[str, models.Field]:  # type: ignore[type-arg]  # generic for mypy only
    return "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    """Makes the table."""

    initial = True

    dependencies: ClassVar[list[tuple[str, str]]] = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Inspector",
            fields=[_id()],
            options={
                "verbose_name": "Inspector",
                "verbose_name_plural": "Inspector",
                "permissions": (
                    ("view_inspector", "Can see connections, topics and tasks"),
                    ("see_contents", "Can see what is in messages, which is logged"),
                    ("act", "Can disconnect, drain, and retry or cancel tasks, which is logged"),
                ),
                "managed": False,
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                _id(),
                ("at", models.DateTimeField(auto_now_add=True, db_index=True, verbose_name="when")),
                ("user", models.CharField(max_length=150, verbose_name="who")),
                ("address", models.CharField(blank=True, max_length=100, verbose_name="from where")),
                ("action", models.CharField(max_length=50, verbose_name="what")),
                ("subject", models.CharField(max_length=500, verbose_name="to what")),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "ordering": ("-id",),
                "default_permissions": ("view",),
            },
        ),
    ]
