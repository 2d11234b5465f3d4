"""User code under mypy --strict, against the types we ship."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.packaging
@pytest.mark.timeout(240)
def test_user_code_passes_a_strict_type_check() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(HERE / "api.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
