"""Programs that some tests drive: found, or the test is skipped; with CI=true it fails instead."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGES = {
    "chromedriver": "chromium-driver",
    "h2load": "nghttp2-client",
    "mariadb-install-db": "mariadb-server",
    "mariadbd": "mariadb-server",
    "mosquitto_pub": "mosquitto-clients",
    "mosquitto_sub": "mosquitto-clients",
    "nc": "netcat-openbsd",
    "nghttp": "nghttp2-client",
    "nginx": "nginx-light",
    "node": "nodejs",
    "postgres": "postgresql",
    "promtool": "prometheus",
}
_NPM = Path(__file__).parents[2] / "node_modules" / ".tests"
_SBIN = "/usr/sbin"  # where Debian puts what only root is thought to run
_POSTGRESQL = Path("/usr/lib/postgresql")  # and a folder for each version of that


def require(program: str) -> str:
    """The path of a program, or the end of this test, saying what to install."""
    path = next(filter(None, (shutil.which(program, path=folder) for folder in _folders())), None)
    if path is not None:
        return path
    package = PACKAGES.get(program, program)
    return _missing(f"{program} is not installed. Install it: apt-get install {package}")


def _folders() -> list[str | None]:
    versions = sorted(_POSTGRESQL.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    return [None, _SBIN, *map(str, versions)]


def require_index() -> None:
    """The package index answers, or this test ends: it installs what others have published."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
        "--dest",
        ".",
    ]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "hyperframe"], cwd=folder, capture_output=True, check=False)
    if done.returncode:
        _missing("pip cannot reach a package index. Tests that install from it need one.")


def require_npm_packages(*packages: str) -> Path:
    """The folder with these packages ("name@version") in its node_modules, or the end of this test.

    It is filled once, and shared by the tests of this checkout that ask for the same packages.
    """
    npm = require("npm")
    require("node")
    folder = _NPM / "_".join(package.replace("/", "+") for package in sorted(packages))
    if folder.is_dir():
        return folder
    _NPM.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=_NPM))
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", ".", *packages]
    done = subprocess.run(command, cwd=made, capture_output=True, check=False, timeout=50)
    if done.returncode:
        shutil.rmtree(made)
        _missing(f"npm cannot install {', '.join(packages)}. Tests that use them need a package registry.")
    with contextlib.suppress(OSError):  # another test was faster
        made.rename(folder)
    return folder


def _missing(missing: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)
