"""Programs that some tests drive: found, or the test is skipped; with CI=true it fails instead."""

from __future__ import annotations

import os
import shutil

import pytest

PACKAGES = {
    "chromedriver": "chromium-driver",
    "h2load": "nghttp2-client",
    "nghttp": "nghttp2-client",
    "nginx": "nginx-light",
}
_SBIN = "/usr/sbin"  # where Debian puts what only root is thought to run


def require(program: str) -> str:
    """The path of a program, or the end of this test, saying what to install."""
    path = shutil.which(program) or shutil.which(program, path=_SBIN)
    if path is not None:
        return path
    package = PACKAGES.get(program, program)
    missing = f"{program} is not installed. Install it: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
