"""Fuzz for as long as told: ``make fuzz MINUTES=60``, or ``python -m tests.fuzz MINUTES``.

Half of the time goes to the comparison of the HTTP/1.1 engines, half to rounds of the tests in this folder
with other inputs each time. What they find is kept in ``tests/fuzz/corpus/new``; it fails this run, and is to
be written into ``corpus/http1.txt``, or beside its test as an ``@example``, with the mend.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz import differential

_EXAMPLES = "1000"  # of each test in a round, so that a round takes a minute or two
_ROUND = [
    "-m",
    "pytest",
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "--timeout",
    "1800",
    str(Path(__file__).parent),
]


def rounds(minutes: float) -> int:
    """Run the tests of this folder over and over; the first failure ends it."""
    end, failed, number = time.monotonic() + 60 * minutes, 0, 0
    while time.monotonic() < end and not failed:
        failed = subprocess.call([sys.executable, *_ROUND], env={**os.environ, "FUZZ_EXAMPLES": _EXAMPLES})
        number += 1
    print(f"{number} rounds of {_EXAMPLES} inputs in each test")
    return failed


def main(minutes: float) -> int:
    """Run both halves; 0 if neither found anything."""
    differs = differential.main(minutes / 2, int(time.time()), differential.CORPUS / "new")
    return rounds(minutes / 2) or differs


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
