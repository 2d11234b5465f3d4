"""Watch which functions a running program calls, and cut the way of one message out of it.

What counts as a stop of a way:

- a call of a function, method or generator whose code lies below ``src``. Django, asgiref and the standard
  library are not counted, comprehensions belong to the function around them;
- each function once in a way, at its first call: a loop or a second visit is no new stop;
- a coroutine that goes on after an ``await`` is a stop like any other, but one that only passes on to the
  coroutine that it awaits is none;
- what a thread does after the next thread of the way has begun is no part of the way, except in the thread
  in which the way's end is reached; ticks of timers are none either.

A change of file is a stop in another file than the stop before it in the same thread; to go to another thread
is counted as a thread, not as a change.
"""

from __future__ import annotations

import dis
import functools
import os
import re
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

#: The file of a timer's ticks was and is.
TIMERS = ("timer_wheel.py", "timers.py")
#: Later Pythons have these in the function around them.
INLINED = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
#: Calls that are no stops but ends of ways; of asyncio's transports it is the call that takes bytes.
MARK = "(mark)"
BYTES = "bytes"
#: What tells apart threads of one kind.
_OWN_PART = re.compile(r"(-localhost|-[0-9a-f]{8}|-\d+)$")


class Stop(NamedTuple):
    """A call: when, in which process and thread, in which file below ``src``, of which function."""

    when: int
    thread: str
    file: str
    function: str


class Way(NamedTuple):
    """The stops from one of its ends to the other, by thread in order of time."""

    name: str
    stops: list[Stop]

    @property
    def threads(self) -> list[str]:
        """The threads, in the order in which the way reaches them."""
        return list(dict.fromkeys(stop.thread for stop in self.stops))

    @property
    def changes(self) -> int:
        """How often the next stop of a thread is in another file."""
        pairs = pairwise(self.stops)
        return sum(one.thread == other.thread and one.file != other.file for one, other in pairs)

    @property
    def figures(self) -> str:
        """One line: functions, files, changes of file, threads."""
        files = len({stop.file for stop in self.stops})
        return (
            f"{len(self.stops)} functions in {files} files, {self.changes} changes of file, "
            f"{len(self.threads)} thread{'s' * (len(self.threads) > 1)}"
        )


class Trace:
    """The calls of functions in the threads that are started after :meth:`install`.

    Args:
        source: the folder below which a function lies that is a stop.
        process: what this process is called in the stops.
        marks: names of functions of the main program whose calls are ends of ways.
    """

    def __init__(self, source: Path, process: str, marks: set[str]) -> None:
        self.stops: list[Stop] = []
        self.ended = False
        self._source = str(source) + os.sep
        self._process = process
        self._program = str(getattr(sys.modules["__main__"], "__file__", ""))
        self._marks = marks
        self._resumed: dict[str, tuple[FrameType, int]] = {}

    def install(self) -> None:
        """Watch the threads that are started from now on."""
        threading.setprofile(self._called)

    def _called(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or self.ended:
            return
        code = frame.f_code
        if code.co_filename.startswith(self._source):
            if code.co_name in INLINED:
                return
            self._add(frame, code)
        elif code.co_filename.endswith("selector_events.py") and code.co_name in ("write", "writelines"):
            self._note(MARK, BYTES)
        elif code.co_name in self._marks and code.co_filename == self._program:
            self._note(MARK, code.co_name)

    def _add(self, frame: FrameType, code: CodeType) -> None:
        """Note a call; drop the one before it if that was a coroutine which only passed on to this one."""
        thread = self._thread()
        before = self._resumed.pop(thread, None)
        if frame.f_lasti > _beginning(code):
            if before is not None and frame.f_back is before[0] and before[0].f_lineno == before[1]:
                self._drop(thread)
            self._resumed[thread] = (frame, frame.f_lineno)
        self._note(code.co_filename.removeprefix(self._source), code.co_qualname)

    def _drop(self, thread: str) -> None:
        at = next(i for i in reversed(range(len(self.stops))) if self.stops[i].thread == thread)
        del self.stops[at]

    def _note(self, file: str, function: str) -> None:
        self.stops.append(Stop(time.monotonic_ns(), self._thread(), file, function))

    def _thread(self) -> str:
        return f"{self._process}: {_OWN_PART.sub('', threading.current_thread().name)}"


@functools.cache
def _beginning(code: CodeType) -> int:
    """Where the code of a function begins; a frame that is further on is one that goes on."""
    return next(step.offset for step in dis.get_instructions(code) if step.opname == "RESUME")


def find_way(name: str, stops: list[Stop], first: str, last: str) -> Way | None:
    """Cut out what lies between the first call of ``first`` and the mark ``last`` that follows it."""
    stops = sorted(stop for stop in stops if not stop.file.endswith(TIMERS))
    begin = next((stop.when for stop in stops if stop.function.endswith(first)), sys.maxsize)
    end = next((stop for stop in stops if stop[2:] == (MARK, last) and stop.when > begin), None)
    if end is None:
        return None
    within = [stop for stop in stops if begin <= stop.when <= end.when]
    return Way(name, [stop for stop in in_order(within, end.thread) if stop.file != MARK])


def in_order(stops: list[Stop], last: str) -> list[Stop]:
    """Order by thread, each function once, without what a thread does when the next one has taken over."""
    begins = {stop.thread: stop.when for stop in reversed(stops)}
    order = sorted(begins, key=lambda thread: begins[thread])
    until = {one: begins[other] for one, other in pairwise(order) if one != last}
    kept = [stop for stop in stops if stop.when < until.get(stop.thread, sys.maxsize)]
    once = {(stop.file, stop.function): stop for stop in reversed(kept)}
    return sorted(once.values(), key=lambda stop: (order.index(stop.thread), stop.when))
