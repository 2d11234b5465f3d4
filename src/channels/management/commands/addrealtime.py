"""``manage.py addrealtime``: add real time to a project that is there."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import BaseCommand, CommandError

from channels.scaffold.edits import Edit
from channels.scaffold.project import ADDED, APP, ByHand, Project, edits_for
from channels.scaffold.python_files import assignment, star_imports

#: Who is asking is found by the first three; pages get the client for browsers by the last.
NEEDED = tuple(f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions", "staticfiles"))


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
            CommandError: the files of the project are not found, or apps of Django's are missing.
        """
        missing = [name for name in NEEDED if not apps.is_installed(name)]
        if missing:
            raise CommandError(
                f"Topics need these in INSTALLED_APPS, so add them first: {', '.join(missing)}."
            )
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
    application = _application()
    root = _root_of(settings.ROOT_URLCONF, urls)
    asgi = application.rpartition(".")[0]
    return Project(
        root=root,
        settings=settings_file_with_apps(module),
        asgi=_file_of(asgi) if _spec_of(asgi) else root.joinpath(*asgi.split(".")).with_suffix(".py"),
        urls=urls,
        application=application,
        settings_module=module,
        configured=frozenset(name for name in ADDED if getattr(settings, name, None)),
    )


def _application() -> str:
    """Return the dotted path of the ASGI application: as set, else beside that for WSGI, or the URLconf."""
    there = getattr(settings, "ASGI_APPLICATION", None)
    wsgi = (settings.WSGI_APPLICATION or "").removesuffix(".wsgi.application")
    package = wsgi if _spec_of(f"{wsgi}.wsgi") else settings.ROOT_URLCONF.rpartition(".")[0]
    return there or ".".join(filter(None, (package, "asgi.application")))


def _root_of(module: str, file: Path) -> Path:
    """Return the folder from which a module is imported."""
    return file.parents[module.count(".") + (file.name == "__init__.py")]


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


def _spec_of(module: str) -> ModuleSpec | None:
    try:
        return find_spec(module)
    except (ImportError, ValueError):  # a package of it is missing, or it has no name
        return None


def _file_of(module: str) -> Path:
    spec = _spec_of(module)
    if spec is None or not spec.origin:
        raise CommandError(f"{module} is in no file.")
    return Path(spec.origin)
