"""Read the index of an Autobahn report: count the answers, name those that are not "OK", fail on a failure.

autobahn_report.py dist/autobahn/index.json
"""

import json
import sys
from collections import Counter
from pathlib import Path

# "OK" and what the suite itself does not judge.
PASSED = {"OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED"}


def main(index: str) -> int:
    """Print a summary for each server; returns 1 if a case failed, else 0."""
    failures = 0
    for agent, cases in json.loads(Path(index).read_text()).items():
        counts = Counter(case["behavior"] for case in cases.values())
        closes = Counter(case["behaviorClose"] for case in cases.values())
        print(f"{agent}: {len(cases)} cases: {dict(counts)}, closing: {dict(closes)}")
        for name, case in cases.items():
            kinds = {case["behavior"], case["behaviorClose"]}
            if kinds != {"OK"}:
                print(f"  {name}: {case['behavior']}, closing: {case['behaviorClose']}")
            failures += not kinds <= PASSED
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
