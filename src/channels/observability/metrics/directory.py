"""Where the processes of one machine leave their figures, and whoever is asked finds those of all.

Each process has two files: one that it holds locked for as long as it lives, however it ends, and one with
its figures, replaced as a whole. Whoever reads adds the counters of a process that has ended to those of all
that have ended before, and forgets its gauges. So counters never go down, and no number of a process is
trusted, which another one may have by then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from channels.exceptions import ChannelsError
from channels.observability.metrics.samples import Samples

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_T = TypeVar("_T")
logger = logging.getLogger("channels.observability")

#: The file of those that have ended; and the lock of the directory.
_ENDED: Final = "ended"
_LOCK: Final = "lock"


class MetricsUnavailable(ChannelsError):
    """Figures cannot be kept or shown; the text says why, and what to do."""


class _Ended(msgspec.Struct):
    """The figures of all processes that have ended.

    Attributes:
        samples: their sum.
        names: those whose files may still be there, although they are in the sum.
    """

    samples: Samples
    names: list[str] = []


class Place:
    """The place of one process in a directory.

    Args:
        path: where its figures are written.
        lock: the descriptor by whose lock others see that it lives.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self._path, self._lock = path, lock

    def write(self, samples: Samples) -> None:
        """Replace the figures; also shows those who clean temporary directories that they are in use.

        Raises:
            FileNotFoundError: the directory, or the place in it, was deleted.
        """
        os.utime(self._path.with_suffix(".lock"))
        _replace(self._path, msgspec.msgpack.encode(samples))

    def leave(self) -> None:
        """Say that the process has ended; its last figures stay."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class Directory:
    """Figures of the processes of one machine.

    Args:
        path: the directory; it is made, for its owner only, where it is not there.

    Raises:
        MetricsUnavailable: it cannot be made, or is open to others; or this system has no locks for files.
    """

    def __init__(self, path: Path) -> None:
        if fcntl is None:
            raise MetricsUnavailable("Figures of several processes need flock(2), which this system has not.")
        self.path = path
        _make_private(path)

    def join(self) -> Place:
        """Take a place for this process; the directory is made anew if it was deleted."""
        _make_private(self.path)
        name = uuid.uuid4().hex
        with self._locked():
            lock = _locked_file(self.path / f"{name}.lock")
        assert lock is not None  # nobody else knows the name
        return Place(self.path / f"{name}.figures", lock)

    def read(self) -> Samples:
        """Return the figures of all: gauges of those that live, counters of those that have ended, too."""
        with self._locked():
            ended = self._ended()
            living = [path for path in self.path.glob("*.lock") if not self._fold(path, ended)]
            total = Samples()
            total.add(ended.samples, gauges=False)
            for path in living:
                found = _decoded(path.with_suffix(".figures"), Samples)
                if found is not None:
                    total.add(found)
            return total

    def remove(self) -> None:
        """Delete the directory with all figures."""
        for path in self.path.iterdir():
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def _ended(self) -> _Ended:
        return _decoded(self.path / _ENDED, _Ended) or _Ended(Samples())

    def _fold(self, path: Path, ended: _Ended) -> bool:
        """Add a process to those that have ended, if it has; returns whether it has."""
        lock = _locked_file(path)
        if lock is None:
            return False
        name, figures = path.stem, path.with_suffix(".figures")
        try:
            found = _decoded(figures, Samples)
            if found is not None and name not in ended.names:
                ended.samples.add(found, gauges=False)
            # Written before the files go: whoever is killed in between counts them once all the same.
            there = [each for each in ended.names if (self.path / f"{each}.figures").exists()]
            ended.names = [*there, name]
            _replace(self.path / _ENDED, msgspec.msgpack.encode(ended))
            figures.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        finally:
            os.close(lock)
        return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = _open(self.path / _LOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def default_path(project: str) -> Path:
    """Return the directory of a project in the temporary directory of the system."""
    from channels.layers.host.wire.runtime_dir import hash_of

    return Path(tempfile.gettempdir()) / f"fairway-metrics-{os.geteuid()}-{hash_of(project)}"


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _locked_file(path: Path) -> int | None:
    """Return a descriptor that holds the lock of a file until it is closed; None if another has it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(data)
    fresh.replace(path)


def _decoded(path: Path, kind: type[_T]) -> _T | None:
    """Return what a file holds; None if it is not there, or another release has written it otherwise."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        logger.warning("Figures in %s are of another release, and are left out: %s", path, error)
        return None


def _make_private(path: Path) -> None:
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700, parents=True)
        found = path.lstat()
    except OSError as error:
        raise MetricsUnavailable(
            f"The directory of metrics {str(path)!r} cannot be made: {error}."
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise MetricsUnavailable(
            f"The directory of metrics {str(path)!r} is not this user's alone. Remove it, or set "
            "CHANNELS_METRICS['DIRECTORY'] to one that only this user can enter."
        )
