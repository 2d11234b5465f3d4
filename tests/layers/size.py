"""How large the tests in numbers are: small, or whole with ``LAYER_TESTS=full`` (``make chaos``)."""

from __future__ import annotations

import os

FULL = os.environ.get("LAYER_TESTS") == "full"


def size(small: int, full: int) -> int:
    """How many, by the environment."""
    return full if FULL else small


def report(**figures: object) -> None:
    """Print what happened; pytest shows it with ``-rP``."""
    print(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in figures.items()))
