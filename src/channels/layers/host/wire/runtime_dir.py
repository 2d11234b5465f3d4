"""Where the processes of a project meet: a directory that only its owner can enter.

The directory holds ``lock`` (whoever has locked it carries the broker), ``broker.sock`` (where the
broker listens) and ``journal`` (named messages that nobody has taken yet).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import Final

from channels.exceptions import InvalidChannelLayerError
from channels.process.platforms import UNIX

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Bytes in the path of a Unix socket, the terminating zero included, on the systems we know.
MAX_SOCKET_PATH: Final = 104 if sys.platform == "darwin" else 108


class RuntimeDirectory:
    """The runtime directory of one project.

    Args:
        path: the directory; it is made, for its owner only, if it is not there.
        root: the directory above it, if that has to be private too.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = path
        self._root = root
        self.socket = path / "broker.sock"
        self.journal = path / "journal"
        self._lock = path / "lock"

    def prepare(self) -> None:
        """Make the directory, or make sure that nobody else can meddle with what is there.

        Raises:
            InvalidChannelLayerError: it is no directory, somebody else's, open to others, or
                its path is too long for a Unix socket.
        """
        if len(os.fsencode(self.socket)) >= MAX_SOCKET_PATH:
            raise InvalidChannelLayerError(
                f"The path {str(self.socket)!r} is too long for a Unix socket "
                f"({len(os.fsencode(self.socket))} bytes, {MAX_SOCKET_PATH - 1} fit). "
                "Set CONFIG['path'] to a shorter directory."
            )
        for directory in (self._root, self.path):
            if directory is not None:
                make_private(directory)

    def try_lock(self) -> int | None:
        """Return a descriptor that holds the lock until it is closed, or None if another has it."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def touch(self, lock: int) -> bool:
        """Show those who clean temporary directories that this one is in use; False if it was removed."""
        try:
            if os.fstat(lock).st_ino != os.lstat(self._lock).st_ino:
                return False
            for path in (self.path, self._lock, self.socket):
                os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def listen(self) -> socket.socket:
        """Listen on the socket, in place of one that a dead broker has left; needs the lock."""
        self.remove_socket()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.setblocking(False)
        listener.bind(str(self.socket))
        os.chmod(self.socket, 0o600)
        listener.listen(1024)
        return listener

    def remove_socket(self) -> None:
        """Remove the socket's name; needs the lock."""
        self.socket.unlink(missing_ok=True)

    def connect(self) -> socket.socket | None:
        """Return a connection to the broker, or None if nobody listens (any more)."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(str(self.socket))
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            sock.close()
            return None
        return sock


def make_private(path: Path) -> None:
    """Make a directory for its owner only; raises InvalidChannelLayerError if one is there that is not."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
    except OSError as error:
        raise InvalidChannelLayerError(
            f"The runtime directory {str(path)!r} of the host layer cannot be made: {error}. "
            "Set CONFIG['path'] to a directory this user can make."
        ) from error
    require_private(path)


def require_private(path: Path) -> None:
    """Raise InvalidChannelLayerError unless ``path`` is a directory of ours that is closed to others."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        problem = "is a symbolic link" if stat.S_ISLNK(found.st_mode) else "is no directory"
    elif found.st_uid != os.geteuid():
        problem = f"belongs to user {found.st_uid}, this process runs as user {os.geteuid()}"
    elif found.st_mode & 0o077:
        problem = f"is open to other users (mode {stat.S_IMODE(found.st_mode):o}); run: chmod 700 {path}"
    else:
        return
    raise InvalidChannelLayerError(
        f"The runtime directory {str(path)!r} of the host layer {problem}. Messages would not be safe in "
        f"it. Remove it, or set CONFIG['path'] (CHANNEL_LAYERS) to a directory of your own, the same in all "
        f"processes of the project: {_suggestion()}."
    )


def _suggestion() -> str:
    """Return a directory to set, below one that the system makes for this user alone if there is one."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return f"for example {os.path.join(runtime, 'channels')!r}, below this user's $XDG_RUNTIME_DIR"
    return (
        "for example one below $XDG_RUNTIME_DIR (of a user who is signed in; not set here), or below what "
        "RuntimeDirectory= makes for a service"
    )


def require_same_user(sock: socket.socket) -> None:
    """Raise PermissionError if the other end of a connection belongs to another user (where Linux tells)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return  # the directory's mode is the guard
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    if uid not in (os.geteuid(), 0):
        raise PermissionError(f"A process of user {uid} is at the other end, not of user {os.geteuid()}.")


def find_runtime_dir(path: str | os.PathLike[str] | None, project: str | None) -> RuntimeDirectory:
    """Return where the processes of this project meet.

    Args:
        path: the directory to use, or None for one in the temporary directory. (``$XDG_RUNTIME_DIR``
            would be tidier, but a shell has one where a service or a cron job of the same user has not,
            and they would not meet.)
        project: what processes must have in common to meet; None for the project's ``BASE_DIR``.
    """
    if fcntl is None or UNIX is None:
        raise InvalidChannelLayerError(
            "The host layer needs Unix sockets and flock(2), which this system has not. Set BACKEND "
            "(CHANNEL_LAYERS) to 'channels_redis.core.RedisChannelLayer', or for one process to "
            "'channels.layers.InMemoryChannelLayer'."
        )
    if path is not None:
        return RuntimeDirectory(Path(path).absolute())
    root = Path(tempfile.gettempdir()) / f"fairway-{os.geteuid()}"
    return RuntimeDirectory(root / hash_of(project if project is not None else project_directory()), root)


def hash_of(project: str) -> str:
    """Return what stands for ``project`` in a file name."""
    return hashlib.blake2b(project.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def project_directory() -> str:
    """Return the project's directory: ``settings.BASE_DIR``, or where its settings module is.

    Raises:
        InvalidChannelLayerError: there are no settings to ask.
    """
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        base = getattr(settings, "BASE_DIR", None) or _settings_directory(settings)
    except ImproperlyConfigured:
        base = None
    if base is None:
        raise InvalidChannelLayerError(
            "The host layer cannot tell which project this is: the settings have no BASE_DIR. "
            "Set CONFIG['project'] to any text that only this project uses."
        )
    return os.path.realpath(base)


def _settings_directory(settings: object) -> str | None:
    module = sys.modules.get(str(getattr(settings, "SETTINGS_MODULE", None)))
    file = getattr(module, "__file__", None)
    return os.path.dirname(file) if file else None
