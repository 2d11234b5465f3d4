"""Tables, and 2,000 instruments with names that nobody has."""

import random
from itertools import islice

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

COUNT = 2000
FIRST = (
    "Amber", "Birch", "Cedar", "Delta", "Ember", "Fjord", "Glade", "Harbour",
    "Iris", "Juniper", "Kestrel", "Lumen", "Meadow", "North", "Opal", "Pine",
)  # fmt: skip
SECOND = (
    "Foods", "Freight", "Glass", "Grid", "Labs", "Lines", "Mills", "Motors",
    "Optics", "Paper", "Power", "Rail", "Robotics", "Steel", "Water", "Works",
)  # fmt: skip
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def symbols(chance: random.Random):
    known = set()
    while True:
        symbol = "".join(chance.choices(LETTERS, k=4))
        if symbol not in known:
            known.add(symbol)
            yield symbol


def add_instruments(apps, schema_editor):
    chance = random.Random(7)  # noqa: S311  # the same names everywhere
    instrument = apps.get_model("market", "Instrument")
    instrument.objects.bulk_create(
        instrument(
            symbol=symbol,
            name=f"{chance.choice(FIRST)} {chance.choice(SECOND)}",
            opening=round(chance.lognormvariate(4, 0.9), 2),
        )
        for symbol in islice(symbols(chance), COUNT)
    )


class Migration(migrations.Migration):
    initial = True
    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.CreateModel(
            name="Instrument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("symbol", models.SlugField(max_length=8, unique=True)),
                ("name", models.CharField(max_length=60)),
                ("opening", models.FloatField(help_text="The price with which the day began.")),
            ],
            options={"ordering": ("symbol",)},
        ),
        migrations.CreateModel(
            name="Star",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "instrument",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="market.instrument"),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="stars",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": (models.UniqueConstraint(fields=("user", "instrument"), name="one_star_each"),)
            },
        ),
        migrations.RunPython(add_instruments, migrations.RunPython.noop),
    ]
