"""What the packages offer, and what importing them must not drag in."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

SRC = Path(__file__).parents[2] / "src"
MODULES = sorted(
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    for path in SRC.rglob("*.py")
    if path.name != "__main__.py"
)


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_lists_is_there(name: str) -> None:
    admin = ["django.contrib.admin"] if name.endswith(".admin") else []
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, *admin]):
        module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert len(set(listed)) == len(listed)
    assert [missing for missing in listed if not hasattr(module, missing)] == []


@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        ("channels", ["django", "asyncio"]),
        ("channels.exceptions", ["django", "asyncio"]),
        ("channels.protocols.events", ["django", "asyncio", "socket", "ssl"]),
        ("channels.server.server", ["django", "channels.layers", "channels.consumer"]),
        ("channels.testing", ["channels.server", "daphne", "uvicorn"]),
        ("channels.generic.websocket", ["channels.server", "channels.testing", "daphne", "redis"]),
        ("daphne.cli", ["channels.layers", "channels.testing", "redis"]),
    ],
)
def test_importing_drags_in_nothing_else(name: str, unwanted: list[str]) -> None:
    done = run(f"import sys, {name}; print(*(set({unwanted!r}) & sys.modules.keys()))")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "name",
    [
        "channels.auth",
        "channels.consumer",
        "channels.generic.websocket",
        "channels.layers",
        "channels.routing",
        "channels.security.websocket",
        "channels.sessions",
        "channels.testing",
        "channels.worker",
        "daphne.server",
        "daphne.testing",
    ],
)
def test_imports_before_django_is_set_up(name: str) -> None:
    """The guide's asgi.py imports from channels first and names the settings later."""
    done = run(f"import {name}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["channels", "channels_redis", "daphne"])
def test_every_package_is_typed(package: str) -> None:
    assert (SRC / package / "py.typed").exists()


@pytest.mark.parametrize("package", ["channels", "channels_redis", "daphne"])
def test_every_package_says_which_version_it_stands_for(package: str) -> None:
    tree = ast.parse((SRC / package / "__init__.py").read_text())
    values = [node for node in tree.body if isinstance(node, ast.Assign)]
    version = next(node for node in values if ast.unparse(node.targets[0]) == "__version__")
    expected = {"channels": "4.3.2", "channels_redis": "4.3.0", "daphne": "4.2.3"}[package]
    assert ast.literal_eval(version.value) == expected
