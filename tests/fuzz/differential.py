"""Compare the two HTTP/1.1 engines for as long as told: ``python -m tests.fuzz.differential MINUTES [SEED]``.

Each input goes to both engines through our connection, whole, as the server offers it, in pieces and byte by
byte; all must tell the same. Inputs that show something new are kept and bent further; those that differ are
written into ``tests/fuzz/corpus/http1.txt``, one literal a line, which the tests replay.
"""

from __future__ import annotations

import ast
import faulthandler
import json
import os
import resource
import sys
import time
import zlib
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from channels.protocols.events import BodyEnded, RequestReceived
from channels.protocols.http1.connection import HTTP1Limits
from tests.fuzz import http1_inputs
from tests.fuzz.http1_outcome import SMALL, told

CORPUS = Path(__file__).parent / "corpus"
FOUND = CORPUS / "http1.txt"
DEFAULT = HTTP1Limits()
ENGINES = ("zttp", "h11")
_MAX_INPUT = 40_000
_MAX_PIECES = 400  # byte by byte only what is short: the time goes with the square
_MAX_KEPT = 20_000
_HANG = 120  # seconds for a thousand inputs


class Meter:
    """Executions and seconds of each engine."""

    def __init__(self) -> None:
        self.executions: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def told(self, engine: str, pieces: list[bytes], limits: HTTP1Limits, *, known: bool = False) -> Any:
        """What the engine tells; an exception is an answer, too, and never the same as the other's."""
        begun = time.process_time()
        try:
            return told(engine, pieces, limits, known=known)
        except Exception as error:
            return [engine, repr(error)]
        finally:
            self.executions[engine] += 1
            self.seconds[engine] += time.process_time() - begun


def limits_for(data: bytes) -> HTTP1Limits:
    """The default limits or small ones: always the same for the same input."""
    return SMALL if zlib.crc32(data) % 4 == 0 else DEFAULT


def cuts(data: bytes, number: int) -> list[bytes]:
    """Some pieces, by chance but always the same."""
    random = Random(zlib.crc32(data))
    places = sorted({0, len(data), *(random.randrange(len(data) + 1) for _ in range(number))})
    return [data[a:b] for a, b in pairwise(places)]


def difference(data: bytes, meter: Meter | None = None, limits: HTTP1Limits | None = None) -> tuple[str, Any]:
    """Compare all ways to read some bytes, by the limits that are given or come with the bytes.

    Returns:
        What differs, "" if nothing does, and what the proven engine told.
    """
    meter, limits = meter or Meter(), limits or limits_for(data)
    expected = meter.told("h11", [data], limits)
    ways = {"whole": [data], "in pieces": cuts(data, 3)}
    if len(data) <= _MAX_PIECES:
        ways["byte by byte"] = [data[i : i + 1] for i in range(len(data))]
    for way, pieces in ways.items():
        for engine in ENGINES:
            for known in (False, True)[: 1 + (way == "whole")]:
                if meter.told(engine, pieces, limits, known=known) != expected:
                    return f"{engine} {way}{' known' * known}", expected
    return "", expected


def shape(events: list[Any]) -> str:
    """What is new about an input: which events came, and what each decides; of many the first few."""
    parts = []
    for event in events[:8]:
        kind = type(event).__name__
        if isinstance(event, RequestReceived):
            kind += f"{event.http_version}{event.ended}{event.upgrade[:9]!r}{event.expects_continue}"
        elif isinstance(event, BodyEnded):
            kind += str(len(event.trailers))
        elif isinstance(event, int | bytes):
            kind = repr(event)[:9]
        parts.append(kind)
    return " ".join(parts)


def read_corpus() -> list[bytes]:
    """The inputs that are kept in the repository."""
    return [ast.literal_eval(line) for line in FOUND.read_text().splitlines() if line.startswith("b")]


class Run:
    """One run: what it kept, what it found, and a report that is written as it goes."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.random, self.meter = Random(seed), Meter()
        self.kept, self.shapes = read_corpus(), set[str]()
        self.found: Counter[str] = Counter()
        self.report_file, self.found_file = folder / f"report-{seed}.json", folder / f"found-{seed}.txt"
        # If a parser in C or Zig ends the process, the input is here.
        self.current = os.open(folder / f"current-{seed}", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self.begun, self.inputs, self.seed = time.monotonic(), 0, seed

    def once(self) -> None:
        """Make, write down and compare one input."""
        data = http1_inputs.make(self.random, self.kept)[:_MAX_INPUT]
        if not data:
            return
        os.pwrite(self.current, len(data).to_bytes(4) + data, 0)
        self.inputs += 1
        differs, events = difference(data, self.meter)
        if differs:
            self._keep_difference(differs, data)
        elif (look := shape(events)) not in self.shapes and len(self.kept) < _MAX_KEPT and len(data) < 3000:
            self.shapes.add(look)
            self.kept.append(data)

    def _keep_difference(self, differs: str, data: bytes) -> None:
        self.found[differs] += 1
        if self.found[differs] <= 200:
            with self.found_file.open("a") as file:
                file.write(f"{differs}\t{smallest(data)!r}\n")

    def report(self) -> None:
        """Write down how far this is."""
        result = {
            "seed": self.seed,
            "minutes": round((time.monotonic() - self.begun) / 60, 1),
            "inputs": self.inputs,
            "executions": self.meter.executions,
            "cpu_minutes": {name: round(value / 60, 2) for name, value in self.meter.seconds.items()},
            "shapes": len(self.shapes),
            "differences": self.found,
            "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        self.report_file.write_text(json.dumps(result, indent=1) + "\n")


def smallest(data: bytes) -> bytes:
    """The same difference with fewer bytes: parts are left out as long as it stays."""
    size = max(1, len(data) // 2)
    while size:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + size :]
            if shorter and difference(shorter)[0]:
                data = shorter
            else:
                at += size
        size //= 2
    return data


def main(minutes: float, seed: int, folder: Path) -> int:
    """Run for so many minutes; 1 if something differed."""
    run = Run(folder, seed)
    end = run.begun + 60 * minutes
    while time.monotonic() < end:
        faulthandler.dump_traceback_later(_HANG, exit=True)
        for _ in range(1000):
            run.once()
        run.report()
    faulthandler.cancel_dump_traceback_later()
    print(run.report_file.read_text())
    return bool(run.found)


if __name__ == "__main__":
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    target = Path(os.environ.get("FUZZ_FOLDER", CORPUS / "new"))
    sys.exit(main(float(sys.argv[1]), chosen, target))
