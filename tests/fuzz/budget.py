"""How long the fuzzers run: briefly and always the same with the tests, long and at random when told to.

``FUZZ_EXAMPLES=100000 pytest tests/fuzz`` tries so many inputs in each test, other ones each time.
"""

import os

from hypothesis import HealthCheck, settings

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))

quick = settings(
    derandomize=not _EXAMPLES,
    max_examples=_EXAMPLES or 150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow] if _EXAMPLES else [],
)
