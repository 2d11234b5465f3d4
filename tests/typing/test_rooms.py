"""User code for topics, live queries and tasks under mypy --strict and pyright: right and wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Seconds of each checker on a loaded machine: they read Django and all of the package.
pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROOMS = HERE / "rooms.py"
MYPY = """
[mypy]
strict = true
plugins = mypy_django_plugin.main
[mypy.plugins.django-stubs]
django_settings_module = tests.settings
"""


def mypy(folder: Path) -> set[int]:
    """The lines in which mypy finds errors."""
    config = folder / "mypy.ini"
    config.write_text(MYPY)
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--cache-dir", str(folder)]
    return errors([*command, str(ROOMS)], rf"{ROOMS.name}:(\d+): error: ")


def pyright(folder: Path) -> set[int]:
    """The lines in which pyright finds errors, in its standard mode."""
    config = folder / "pyrightconfig.json"
    config.write_text(json.dumps({"include": [str(ROOMS)], "typeCheckingMode": "standard"}))
    program = str(Path(sys.executable).parent / "basedpyright")
    command = [program, "--pythonpath", sys.executable, "--project", str(config)]
    return errors(command, rf"{ROOMS.name}:(\d+):\d+ - error: ")


def errors(command: list[str], line: str) -> set[int]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return {int(number) for number in re.findall(line, done.stdout)}


@pytest.mark.parametrize("check", [mypy, pyright])
def test_mistakes_are_found_and_nothing_else(check: Callable[[Path], set[int]], tmp_path: Path) -> None:
    lines = ROOMS.read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(wrong) > 30
    assert check(tmp_path) == wrong
