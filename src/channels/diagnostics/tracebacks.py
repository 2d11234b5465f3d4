"""Tracebacks as users want them: their own lines, and where the last of these is.

A frame is ours if its module belongs to these packages. One with ``__tracebackhide__``, the local or global
name by which pytest hides frames, is left out as well. Frames of the standard library and of installed
packages are neither ours nor the user's.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, TypeAlias

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_OUR_PACKAGES: Final = frozenset({"channels", "channels_redis", "daphne"})
#: Where these packages lie: in an editable install they are in no folder of installed packages.
_OUR_FOLDERS: Final = tuple(str(Path(__file__).parents[2] / name) for name in sorted(_OUR_PACKAGES))
#: Folders that hold what somebody else has written, for all projects of an environment.
_INSTALLED: Final = ("site-packages", "dist-packages")


def exc_info_without_our_frames(error: BaseException) -> ExcInfo:
    """Return what ``logging`` takes as ``exc_info``, without our frames.

    The error itself keeps its traceback. If no frame but ours is left, all of them stay.

    Args:
        error: what was raised; the tracebacks of its cause and context are not changed.
    """
    left: TracebackType | None = None
    for step in reversed(list(_steps(error.__traceback__))):
        if not _is_ours(step.tb_frame):
            left = TracebackType(left, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return type(error), error, left or error.__traceback__


def place_of(error: BaseException) -> str:
    """Return file and line of the user's code that ``error`` comes from, as ``consumers.py:12``.

    The cause of an error tells more than the error itself. Where no frame is the user's it is the
    innermost frame; without any frame the text is empty.
    """
    places = _places(error)
    return "{}:{}".format(*places[-1]) if places else ""


def files_of(error: BaseException) -> list[str]:
    """Return the user's files that ``error`` went through, innermost last, each once."""
    return list(dict.fromkeys(filename for filename, _ in _places(error)))


def _places(error: BaseException) -> list[tuple[str, int]]:
    while error.__cause__ is not None:
        error = error.__cause__
    every = [(step.filename, step.lineno or 0) for step in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        every.append((error.filename, error.lineno or 0))
    return [place for place in every if _is_users(place[0])] or every[-1:]


def _steps(step: TracebackType | None) -> Iterator[TracebackType]:
    while step is not None:
        yield step
        step = step.tb_next


def _is_ours(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    hidden = frame.f_locals.get("__tracebackhide__") or frame.f_globals.get("__tracebackhide__")
    return package in _OUR_PACKAGES or bool(hidden)


@lru_cache(maxsize=1024)
def _is_users(filename: str) -> bool:
    if filename.startswith("<") or any(folder in filename.split(os.sep) for folder in _INSTALLED):
        return False
    elsewhere = (sysconfig.get_path("stdlib"), *_OUR_FOLDERS)
    return not os.path.abspath(filename).startswith(tuple(f"{folder}{os.sep}" for folder in elsewhere))
