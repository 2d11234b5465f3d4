"""The setting ``hosts``: kept as it was given, understood when it is first used."""
