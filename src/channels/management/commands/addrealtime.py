"""``manage.py addrealtime``: add real time to a project that is there."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

from channels.scaffold.edits import Edit
from channels.scaffold.project import APP, ByHand, Project, edits_for
from channels.scaffold.python_files import assignment, star_imports


class Command(BaseCommand):
    """Shows what it would change, asks, and changes it."""

    help = f"Adds topics, an ASGI application and an app {APP!r} to learn from; shows the changes first."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare ``--yes`` and ``--diff``."""
        parser.add_argument("--yes", action="store_true", help="Do not ask.")
        parser.add_argument("--diff", action="store_true", help="Show the changes only.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Change the project's files.

        Raises:
            CommandError: the files of the project are not found.
        """
        project = project_of_settings()
        found = list(edits_for(project, page=f"{APP}/"))
        edits = [each for each in found if isinstance(each, Edit) and each.changes]
        for edit in edits:
            self.stdout.write(edit.diff(project.root))
        for each in found:
            if isinstance(each, ByHand):
                self.stdout.write(self.style.WARNING(f"By hand: {each.text}"))
        if not edits:
            self.stdout.write("There is nothing to change.")
        elif not options["diff"] and (options["yes"] or self._is_agreed(len(edits))):
            for edit in edits:
                edit.write()
            self.stdout.write(f"Done. Next: python manage.py runserver, and open /{APP}/ in two windows.")

    def _is_agreed(self, number: int) -> bool:
        try:
            return input(f"Write these {number} files? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            self.stdout.write("\nNobody to ask: say --yes to write them.")
            return False


def project_of_settings() -> Project:
    """Return where the files of the running project are.

    Raises:
        CommandError: its settings are in no file, or assign no INSTALLED_APPS.
    """
    module = getattr(settings, "SETTINGS_MODULE", None)
    if not module or not settings.ROOT_URLCONF:
        raise CommandError("The settings of this project are in no file, or without ROOT_URLCONF.")
    urls = _file_of(settings.ROOT_URLCONF)
    package = (getattr(settings, "ASGI_APPLICATION", None) or settings.ROOT_URLCONF).rsplit(".", 1)[0]
    package = package.removesuffix(".asgi")
    folder = urls.parent
    return Project(
        root=folder.parents[package.count(".")],
        settings=settings_file_with_apps(module),
        asgi=folder / "asgi.py",
        urls=urls,
        package=package,
        settings_module=module,
    )


def settings_file_with_apps(module: str) -> Path:
    """Return the file that assigns INSTALLED_APPS: that of ``module``, or one that it imports by ``*``.

    Raises:
        CommandError: there is none.
    """
    for name in _with_what_it_imports(module):
        if assignment(_file_of(name).read_text(encoding="utf-8"), "INSTALLED_APPS") is not None:
            return _file_of(name)
    raise CommandError(f"Neither {module} nor what it imports by * assigns INSTALLED_APPS.")


def _with_what_it_imports(module: str) -> Iterator[str]:
    yield module
    file = _file_of(module)
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for name in reversed(star_imports(file.read_text(encoding="utf-8"))):
        yield from _with_what_it_imports(resolve_name(name, package))


def _file_of(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or not spec.origin:
        raise CommandError(f"{module} is in no file.")
    return Path(spec.origin)
