"""The empty distributions, written as wheels: a wheel without files is three texts in an archive."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from django_fairway.names import EMPTY, EXTRAS, OURS

_WHEEL = "Wheel-Version: 1.0\nGenerator: django-fairway\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_empty(folder: Path, ours: str | None = None) -> list[Path]:
    """Write the wheels of all empty distributions.

    Args:
        folder: where to.
        ours: the version of ours that they require; None: any.

    Returns:
        Their paths.
    """
    return [_write(folder, name, version, ours) for name, version in EMPTY.items()]


def description(name: str) -> str:
    """The sentence that says what an empty distribution is."""
    return f"Empty on purpose: the package {name.replace('-', '_')} is part of {OURS}, which this depends on."


def _write(folder: Path, name: str, version: str, ours: str | None) -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    texts = {"METADATA": _metadata(name, version, ours), "WHEEL": _WHEEL}
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        lines = []
        for file, text in texts.items():
            archive.writestr(f"{stem}.dist-info/{file}", text)
            lines.append(f"{stem}.dist-info/{file},sha256={_digest(text)},{len(text.encode())}")
        lines.append(f"{stem}.dist-info/RECORD,,")
        archive.writestr(f"{stem}.dist-info/RECORD", "\n".join(lines) + "\n")
    return path


def _metadata(name: str, version: str, ours: str | None) -> str:
    head = [
        "Metadata-Version: 2.4",
        f"Name: {name}",
        f"Version: {version}",
        f"Summary: {description(name)}",
        "License-Expression: BSD-3-Clause",
        "Requires-Python: >=3.11",
        f"Requires-Dist: {OURS}" + (f"=={ours}" if ours else ""),
        *(f"Provides-Extra: {extra}" for extra in EXTRAS[name]),
    ]
    return "\n".join(head) + "\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
