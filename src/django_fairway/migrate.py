"""Put Fairway in the place of channels, channels-redis and daphne, in this environment, whatever was there.

    python -m django_fairway            look, say what would be done, ask, do it
    python -m django_fairway --yes      without the question
    python -m django_fairway --look     only look; exit 1 if something is wrong

``python -m channels.migrate`` is the same. Of a checkout or a wheel that is not installed:

    PYTHONPATH=/path/to/checkout/src python -m channels.migrate
    PYTHONPATH=/path/to/django_fairway-0.1.0-py3-none-any.whl python -m channels.migrate

The order is what matters, and what a single ``pip install`` does wrong: pip writes our files first
and removes those of the originals, which have the same names, afterwards. So all four are taken away,
then all four are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

from django_fairway import presence
from django_fairway.empty import write_empty
from django_fairway.names import EMPTY, OURS

#: What to say where our distribution is not to be found.
WHERE = "--from the wheel, its folder, or the checkout"


class Source(NamedTuple):
    """Where our own distribution is installed from.

    Attributes:
        what: a path or a requirement, as pip takes it.
        editable: whether the checkout itself is used.
    """

    what: str
    editable: bool = False

    def arguments(self) -> list[str]:
        """Return the source as arguments of an installer."""
        return ["--editable", self.what] if self.editable else [self.what]


class Installer(NamedTuple):
    """pip or uv, for the environment of this Python."""

    remove: tuple[str, ...]
    install: tuple[str, ...]
    try_out: tuple[str, ...]


_TRY = ("--dry-run", "--quiet", "--no-deps")
_PIP = (sys.executable, "-m", "pip")
_PIP_INSTALL = (*_PIP, "install")
PIP = Installer((*_PIP, "uninstall", "--yes"), _PIP_INSTALL, (*_PIP_INSTALL, *_TRY, "--force-reinstall"))


def installer() -> Installer:
    """Choose pip where this environment has it, else uv.

    Raises:
        SystemExit: there is neither, with what to do.
    """
    if importlib.util.find_spec("pip"):
        return PIP
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit(f"{sys.executable} has no pip, and uv is not on PATH. Install one of them.")
    place = ("--python", sys.executable)
    # A checkout may have changed since uv built its version last.
    install = (uv, "pip", "install", *place, "--refresh-package", OURS)
    return Installer(
        (uv, "pip", "uninstall", *place), install, (*install, *_TRY, "--reinstall-package", OURS)
    )


def source(given: str | None) -> Source:
    """Say where to install from: what is given, where this runs from or was installed from, or the index.

    Args:
        given: a wheel, a folder with one, a checkout, or a requirement; None: find out.
    """
    if given is not None:
        return Source(_given(given))
    here = Path(__file__).parent.parent
    if here.suffix == ".whl":
        return Source(str(here))
    installed = _installed_from()
    if installed is not None:
        return installed
    if _is_checkout(here.parent):
        return Source(str(here.parent))
    return Source(f"{OURS}=={_our_version()}")


def _given(given: str) -> str:
    path = Path(given)
    if not path.exists():
        return given
    wheels = sorted(path.glob("django_fairway-*.whl")) if path.is_dir() else []
    return str((wheels[-1] if wheels else path).resolve())


def _is_checkout(folder: Path) -> bool:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, KeyError, ValueError):
        return False
    return bool(project.get("name") == OURS)


def _installed_from() -> Source | None:
    """Read what the installer has written down (PEP 610), if that place is still there."""
    try:
        written = metadata.distribution(OURS).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    if not written:
        return None
    found = json.loads(written)
    url = urlsplit(found["url"])
    path = url2pathname(url.path)
    if url.scheme != "file" or not os.path.exists(path):
        return None
    return Source(path, bool(found.get("dir_info", {}).get("editable")))


def _our_version() -> str:
    try:
        return metadata.version(OURS)
    except metadata.PackageNotFoundError:
        raise SystemExit(f"Say where {OURS} is: {WHERE}.") from None


def plan(tool: Installer, where: Source, empty: Sequence[Path]) -> Iterator[list[str]]:
    """The commands, in the order that is right whatever is installed.

    Args:
        tool: the installer.
        where: what our own distribution is installed from.
        empty: the wheels of the empty distributions.
    """
    yield [*tool.try_out, *where.arguments()]
    yield [*tool.remove, *EMPTY, OURS]
    yield [*tool.install, *where.arguments(), *map(str, empty)]


def run(command: Sequence[str], folder: str) -> int:
    """Run one command where no file of ours is in its way; returns its exit code."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=folder, env=env, check=False).returncode  # noqa: S603 (our own command)


def agreed(yes: bool) -> bool:
    """Ask whether to go on; nobody to ask is a no."""
    if yes:
        return True
    if not sys.stdin.isatty():
        print("Nothing was done. Say --yes to do it.")
        return False
    return input("Go on? [y/N] ").strip().lower() in ("y", "yes")


def migrate(where: Source, yes: bool) -> int:
    """Say what will be done, and do it if that is agreed; returns the exit code."""
    tool = installer()
    with tempfile.TemporaryDirectory(prefix="django-fairway-") as folder:
        commands = list(plan(tool, where, write_empty(Path(folder))))
        print("To do:", *(" ".join(command) for command in commands), sep="\n  ", flush=True)
        if not agreed(yes):
            return 2
        try_out, remove, install = commands
        if run(try_out, folder):
            print(f"{where.what} cannot be installed, so nothing was changed. Say where it is: {WHERE}")
            return 1
        run(remove, folder)  # what it says of names that are not installed is no failure
        if run(install, folder):
            print(
                "The originals are away, but Fairway could not be installed. Repair what is said above, then:"
            )
            print(" ", *install[: -len(EMPTY)])
            return 1
        return run([sys.executable, "-m", "django_fairway", "--look"], folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: instead of the process' own.

    Returns:
        The exit code: 0 all is well, 1 something is wrong, 2 nothing was done.
    """
    parser = argparse.ArgumentParser(
        prog="python -m django_fairway", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--from", dest="given", metavar="WHERE", help="a wheel, a folder with one, or a checkout"
    )
    parser.add_argument("--look", action="store_true", help="only look; exit 1 if something is wrong")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    found = presence.look()
    print(found or f"{OURS} is whole; no original is installed beside it.")
    if options.look:
        return 1 if found else 0
    return migrate(source(options.given), options.yes)
