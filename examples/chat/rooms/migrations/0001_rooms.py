"""The table of rooms, with one room to begin in."""

from django.db import migrations, models


def open_the_lobby(apps, schema_editor):
    """A fresh chat has somewhere to go."""
    apps.get_model("rooms", "Room").objects.create(slug="lobby")


class Migration(migrations.Migration):
    """Makes the table, then the lobby."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Room",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=40, unique=True, verbose_name="name")),
            ],
            options={"ordering": ("slug",)},
        ),
        migrations.RunPython(open_the_lobby, migrations.RunPython.noop),
    )
