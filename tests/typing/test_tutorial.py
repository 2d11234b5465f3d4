"""The tutorial's own code under mypy --strict and pyright, and what a type checker finds in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.test_examples import DOCS, TUTORIAL, blocks, perform

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300)]

BASEDPYRIGHT = str(Path(sys.executable).parent / "basedpyright")
CODE = ["chat", "mysite/asgi.py", "mysite/urls.py"]
MYPY = """
[mypy]
strict = true
plugins = mypy_django_plugin.main
[mypy.plugins.django-stubs]
django_settings_module = mysite.settings
[mypy-mysite.settings]  # as Django writes it
ignore_errors = true
"""
PYRIGHT = {"include": CODE, "exclude": ["**/migrations"], "typeCheckingMode": "standard"}
#: What no type checker may let pass.
MISTAKES = """
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer


@database_sync_to_async
def double(number: int) -> int:
    return 2 * number


class Consumer(AsyncWebsocketConsumer):
    @database_sync_to_async
    def triple(self, number: int) -> int:
        return 3 * number

    async def connect(self) -> None:
        await self.channel_layer.group_sned("all", {"type": "x"})
        await get_channel_layer().group_sned("all", {"type": "x"})
        number: int = self.scope["path"]
        await self.triple("four")
        await double("four")
        text: str = await self.triple(4)
        print(number, text)
"""
#: The same, right, with keys of one's own in the scope.
RIGHT = (
    MISTAKES.replace("sned", "send")
    .replace("number: int = self", "number: str = self")
    .replace('"four"', "4")
    .replace("text: str", "text: int")
    .replace("print(", 'self.scope["my"] = {"own": 1}\n        print(self.scope["my"]["own"], ')
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's project, as far as the last page."""
    folder = tmp_path_factory.mktemp("tutorial")
    for page in TUTORIAL:
        for block in blocks(page):
            if not (block.words and block.words[0] == "run" and "manage.py test" in block.text):
                perform(block, folder)
    (folder / "mypy.ini").write_text(MYPY)
    (folder / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))
    return folder


def mypy(project: Path, *files: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--exclude", "migrations", *files],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line]


def pyright(project: Path, *files: str) -> list[str]:
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "basedpyright"),
            "--level",
            "error",
            "--pythonpath",
            sys.executable,
            *files,
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if " - error: " in line]


def test_mypy_is_content_with_the_tutorial(project: Path) -> None:
    assert mypy(project, *CODE) == []


def test_pyright_is_content_with_the_tutorial(project: Path) -> None:
    assert pyright(project) == []


@pytest.mark.parametrize("check", [mypy, pyright])
def test_what_the_page_about_types_shows(project: Path, check: Callable[..., list[str]]) -> None:
    shown = [block.text for block in blocks(DOCS / "howto" / "types.md") if block.language == "python"]
    assert len(shown) > 2
    for number, text in enumerate(shown):
        (project / f"shown{number}.py").write_text(text)
    assert check(project, *(f"shown{number}.py" for number in range(len(shown)))) == []


@pytest.mark.parametrize("check", [mypy, pyright])
def test_mistakes_are_found_and_nothing_else(project: Path, check: Callable[..., list[str]]) -> None:
    (project / "mistakes.py").write_text(MISTAKES)
    (project / "right.py").write_text(RIGHT)
    assert check(project, "right.py") == []
    found = {line.split(":")[1] for line in check(project, "mistakes.py")}
    first = MISTAKES.splitlines().index("    async def connect(self) -> None:") + 2
    assert found == {str(number) for number in range(first, first + 6)}
