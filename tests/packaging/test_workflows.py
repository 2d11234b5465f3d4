"""The hosted checks run on what the distribution claims, by the words that are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()


def listed(name: str) -> set[str]:
    (values,) = re.findall(rf"^ +{name}: \[(.*)\]$", WORKFLOW, re.M)
    return {value.strip(' "') for value in values.split(",")}


def claimed(name: str) -> set[str]:
    found = (re.fullmatch(rf"{name} :: (\d+\.\d+)", each) for each in PROJECT["classifiers"])
    return {match[1] for match in found if match}


def test_every_python_and_every_django_that_is_claimed_is_checked() -> None:
    assert claimed("Programming Language :: Python") <= listed("python")
    assert claimed("Framework :: Django") == listed("django")


@pytest.mark.parametrize("system", ["ubuntu-latest", "macos-latest", "windows-latest"])
def test_every_system_that_is_claimed_is_checked(system: str) -> None:
    assert "Operating System :: OS Independent" in PROJECT["classifiers"]
    assert system in WORKFLOW


def test_what_the_workflow_runs_is_there() -> None:
    for word in re.findall(r"run: make (\w+)", WORKFLOW):
        assert re.search(rf"^{word}:", MAKEFILE, re.M), word
    for script in re.findall(r"run: (?:ba)?sh (\S+)", WORKFLOW):
        assert (ROOT / script).is_file(), script
    for path in re.findall(r"--ignore (\S+)", WORKFLOW):
        assert (ROOT / path).is_dir(), path


def test_paths_in_the_makefile_and_the_scripts_are_there() -> None:
    texts = [MAKEFILE, *((path).read_text() for path in (ROOT / "scripts").glob("*.sh"))]
    for path in {
        name for text in texts for name in re.findall(r"(?<![\w./])tests/[\w/.*\[\]-]*[\w\]*]", text)
    }:
        assert [*ROOT.glob(path.rstrip("."))], path
