"""The distributions whose packages we replace, and the empty ones that stand for them."""

from __future__ import annotations

from typing import Final

#: Our own distribution.
OURS: Final = "django-fairway"
#: Marks our empty distributions of the old names.
SUFFIX: Final = "+fairway"
#: The empty distributions, by the name that other packages require.
EMPTY: Final = {
    "channels": f"4.3.2{SUFFIX}",
    "channels-redis": f"4.3.0{SUFFIX}",
    "daphne": f"4.2.3{SUFFIX}",
}
#: The extras that the originals have: known here, and empty.
EXTRAS: Final = {
    "channels": ("daphne", "tests", "types"),
    "channels-redis": ("cryptography", "tests"),
    "daphne": ("tests",),
}
