"""The table, and 500 devices at ten sites."""

from django.db import migrations, models

SITES = ("Alder", "Birch", "Cedar", "Dune", "Elm", "Fern", "Grove", "Heath", "Isle", "Juniper")
KINDS = (("pump", 750), ("fan", 120), ("lamp", 40), ("heater", 2000), ("cooler", 300))
EACH = 10  # of a kind at a site


def add_devices(apps, schema_editor):
    device = apps.get_model("fleet", "Device")
    device.objects.bulk_create(
        device(name=f"{kind}-{number * EACH + each + 1:03}", site=site, rated=rated)
        for kind, rated in KINDS
        for number, site in enumerate(SITES)
        for each in range(EACH)
    )


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Device",
            fields=[
                ("name", models.SlugField(max_length=20, primary_key=True, serialize=False)),
                ("site", models.CharField(max_length=20)),
                (
                    "rated",
                    models.PositiveIntegerField(
                        help_text="What it takes when it is on, in watts.", verbose_name="rated power"
                    ),
                ),
                (
                    "wanted",
                    models.BooleanField(
                        editable=False,
                        help_text="Whether it is to be on; unknown until somebody says so.",
                        null=True,
                    ),
                ),
                ("is_active", models.BooleanField(default=True, help_text="Whether it may connect.")),
            ],
            options={"ordering": ("name",)},
        ),
        migrations.RunPython(add_devices, migrations.RunPython.noop),
    ]
