"""``python -m channels startproject``: Django's new project, with real time added."""

from __future__ import annotations

import argparse
import keyword
from pathlib import Path

from django.core.management import CommandError, call_command

from channels.scaffold.edits import Edit
from channels.scaffold.project import APP, Project, edits_for

_NEXT = """
{name} is there. Next:

    cd {folder}
    python manage.py migrate
    python manage.py runserver

and open http://127.0.0.1:8000/ in two windows. Its topic is in board/topics.py, its page in board/templates/.
""".strip()


def main(arguments: list[str] | None = None) -> int:
    """Make a project as the command line says, and print what to do next; returns the exit status."""
    parser = argparse.ArgumentParser("python -m channels", description="Real time for Django.")
    words = parser.add_subparsers(dest="word", required=True)
    start = words.add_parser("startproject", help="make a Django project with a topic, a page and tests")
    start.add_argument("name", help="of the project; a Python identifier")
    start.add_argument("folder", nargs="?", help="where to make it; NAME by default")
    chosen = parser.parse_args(arguments)
    try:
        start_project(chosen.name, chosen.folder)
    except CommandError as error:
        parser.error(str(error))
    print(_NEXT.format(name=chosen.name, folder=chosen.folder or chosen.name))
    return 0


def start_project(name: str, folder: str | None = None) -> None:
    """Make a project with a topic, a page at its root, and tests.

    Args:
        name: of the project, a Python identifier.
        folder: where ``manage.py`` is to be; a new folder with the project's name by default.

    Raises:
        CommandError: the name or the folder is not acceptable; the text says why.
    """
    if name == APP:
        raise CommandError(f"{name!r} is the name of the app that comes with the project. Choose another.")
    if keyword.iskeyword(name):
        raise CommandError(
            f"{name!r} is a keyword of Python: no module of the project could be imported. Choose another."
        )
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    call_command("startproject", name, *([folder] if folder else []))
    root = Path(folder or name).resolve()
    inside = root / name
    project = Project(
        root=root,
        settings=inside / "settings.py",
        asgi=inside / "asgi.py",
        urls=inside / "urls.py",
        application=f"{name}.asgi.application",
        settings_module=f"{name}.settings",
    )
    for edit in edits_for(project, page=""):
        assert isinstance(edit, Edit), edit
        edit.write()
