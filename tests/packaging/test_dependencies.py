"""What may be installed: nothing with a known vulnerability, as far as SECURITY.md knows them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.support import programs

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ALLOWED = {found.name.lower(): found for found in map(Requirement, PROJECT["dependencies"])}
ROWS = re.findall(r"^\| (\w+)(?: ([\d.]+))? \| ([\d.]+) \| \S", (ROOT / "SECURITY.md").read_text(), re.M)
PINS = [
    Requirement(line)
    for line in (ROOT / "scripts" / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def before(lowest: str, series: str) -> list[str]:
    """Releases below the lowest safe one: of its series, or just any."""
    *head, last = Version(lowest).release
    patches = [".".join(map(str, [*head, patch])) for patch in range(last)]
    return [*patches, series] if series else [*patches, "0.0.1"]


@pytest.mark.parametrize(("name", "series", "lowest"), ROWS)
def test_no_release_below_the_table_is_allowed(name: str, series: str, lowest: str) -> None:
    requirement = ALLOWED.get(name.lower())
    if requirement is None:  # a dependency of Django's
        pytest.skip(f"{name} is not required by us")
    wrong = [release for release in before(lowest, series) if requirement.specifier.contains(release)]
    assert wrong == []
    assert requirement.specifier.contains(lowest), f"{requirement} refuses {lowest}"


def test_the_table_knows_every_dependency() -> None:
    assert ALLOWED.keys() - {name.lower() for name, _, _ in ROWS} == set()


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.name)
def test_the_pins_are_what_is_allowed_and_safe(pin: Requirement) -> None:
    ((_, version),) = ((found.operator, found.version) for found in pin.specifier)
    allowed = ALLOWED.get(pin.name.lower())
    assert allowed is None or allowed.specifier.contains(version), f"{pin}: run make upgrade"
    series = ".".join(version.split(".")[:2])
    for name, of, lowest in ROWS:
        if name.lower() == pin.name.lower() and of in ("", series):
            assert Version(version) >= Version(lowest)


def test_the_pins_know_every_dependency() -> None:
    assert ALLOWED.keys() - {pin.name.lower() for pin in PINS} == set(), "run make upgrade"


@pytest.mark.packaging
@pytest.mark.timeout(600)
def test_the_lowest_allowed_releases_work() -> None:
    """A few files on every layer of the code; `make lowest` runs more."""
    programs.require_index()
    chosen = (
        "tests/test_consumer.py",
        "tests/test_http.py",
        "tests/test_auth.py",
        "tests/server/connection/test_http1.py",
    )
    more = (
        "tests/server/connection/test_http2.py",
        "tests/layers/test_memory.py",
        "tests/layers/redis/test_layer.py",
    )
    done = subprocess.run(
        ["sh", "scripts/lowest.sh", *chosen, *more], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert f"django=={min(row[2] for row in ROWS if row[0] == 'Django')}" in done.stdout
    assert sys.version_info >= (3, 11)
