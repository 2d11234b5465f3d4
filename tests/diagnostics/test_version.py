"""The release that banners name."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from channels.diagnostics import version

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def test_it_is_that_of_the_distribution() -> None:
    assert PROJECT["name"] == version.DISTRIBUTION
    assert version.release() == PROJECT["version"]


def test_a_copy_of_the_source_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "DISTRIBUTION", "no-such-distribution")
    assert version.release.__wrapped__() == "unknown"
