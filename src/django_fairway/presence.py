"""Is what was installed still there? Looked at from outside of the files that may be gone."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from django_fairway.names import EMPTY, OURS, SUFFIX


class Presence(NamedTuple):
    """What was found in this environment.

    Attributes:
        originals: the original distributions that are installed, as "channels 4.3.2".
        missing: files of ours that are gone, by their paths in the environment.
        replaced: files of ours that are somebody else's now.
        hidden: packages of ours that Python finds elsewhere first.
    """

    originals: tuple[str, ...]
    missing: tuple[str, ...]
    replaced: tuple[str, ...]
    hidden: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return any(self)

    def __str__(self) -> str:
        """Return what is wrong, in one sentence for each kind."""
        said = []
        if self.originals:
            said.append(
                f"Installed beside {OURS}, with files of the same names: {', '.join(self.originals)}."
            )
        if self.missing:
            said.append(f"{len(self.missing)} of its files are gone, among them {self.missing[0]}.")
        if self.replaced:
            said.append(
                f"{len(self.replaced)} of its files are of others now, among them {self.replaced[0]}."
            )
        if self.hidden:
            said.append(f"Python finds other packages first for: {', '.join(self.hidden)}.")
        return " ".join(said)


def look() -> Presence:
    """Look what is installed; reads metadata and sizes of files, and imports none of them."""
    missing, replaced = _files()
    versions = ((name, _version(name)) for name in EMPTY)
    originals = [f"{name} {version}" for name, version in versions if version and SUFFIX not in version]
    return Presence(tuple(originals), tuple(missing), tuple(replaced), tuple(_hidden()))


def warn() -> None:
    """Say on stderr what is wrong, if anything is; raises nothing, whatever state the environment is in."""
    try:
        found = look()
        if found:
            print(f"{OURS}: {found}\n{OURS}: Mend it with: {remedy()}", file=sys.stderr)
    except Exception:  # noqa: S110 (a start of somebody's program is no place to fail)
        pass


def remedy() -> str:
    """The one command that mends this environment."""
    command = f"{sys.executable} -m django_fairway"
    try:
        known = metadata.distribution(OURS).read_text("direct_url.json") is not None
    except metadata.PackageNotFoundError:
        known = False
    return command if known else f"{command} --from WHERE (a wheel, its folder, or a checkout of Fairway)"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _files() -> tuple[list[str], list[str]]:
    """Compare our files with the list that the installer wrote; an editable install has none of them."""
    try:
        ours = metadata.distribution(OURS)
    except metadata.PackageNotFoundError:
        return [], []
    missing, replaced = [], []
    for name, size in _recorded(ours.read_text("RECORD") or ""):
        try:
            found = Path(str(ours.locate_file(name))).stat().st_size
        except OSError:
            missing.append(name)
        else:
            if size and found != int(size):
                replaced.append(name)
    return missing, replaced


def _recorded(record: str) -> Iterator[tuple[str, str]]:
    """Yield path and size of each file that was installed.

    ``importlib.metadata`` itself leaves out what is missing, since Python 3.12.
    """
    for name, _, size in csv.reader(record.splitlines()):
        if not name.endswith(".pyc") and not name.partition("/")[0].endswith(".dist-info"):
            yield name, size


def _hidden() -> list[str]:
    """The packages that do not lie beside this one, as they were installed."""
    here = Path(__file__).parent.parent
    found = {name: PathFinder.find_spec(name) for name in ("channels", "channels_redis", "daphne")}
    return [
        name
        for name, spec in found.items()
        if spec is not None and spec.origin and Path(spec.origin).parent.parent.resolve() != here.resolve()
    ]
