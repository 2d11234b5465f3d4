"""How long the fuzzers run: briefly and always the same with the tests, long and at random when told to.

``FUZZ_EXAMPLES=100000 pytest tests/fuzz`` tries so many inputs in each test, other ones each time. What
failed is kept in ``corpus/new`` and tried first the next time.
"""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))

quick = settings(
    derandomize=not _EXAMPLES,
    max_examples=_EXAMPLES or 150,
    deadline=None,
    database=DirectoryBasedExampleDatabase(Path(__file__).parent / "corpus" / "new") if _EXAMPLES else None,
    suppress_health_check=[HealthCheck.too_slow] if _EXAMPLES else [],
)
