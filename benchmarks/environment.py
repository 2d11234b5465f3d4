"""The environment of the peers: what is installed, where, and what is missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = ROOT / ".venv-bench"
PYTHON = VENV / "bin" / "python"
NODE_MODULES = HERE / "node_modules"
REQUIREMENTS = HERE / "peers" / "requirements.txt"
BUILD = HERE / "build"
WS = "ws@8"


def install() -> list[str]:
    """Install the peers, each by itself, so that one that does not install is only missing.

    Returns:
        What could not be installed, one line each.
    """
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    stamp = VENV / ".made-for-bench"
    wanted = REQUIREMENTS.read_text()
    if stamp.exists() and stamp.read_text() == wanted and NODE_MODULES.exists() == bool(shutil.which("npm")):
        return []
    missing = [name for name in requirements() if not _pip(name)]
    if shutil.which("npm") and not _npm():
        missing.append(WS)
    stamp.write_text(wanted if not missing else "")
    return missing


def requirements() -> list[str]:
    """What the peers' environment should have, comments left out."""
    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines())
    return [line for line in lines if line]


def _pip(requirement: str) -> bool:
    command = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", requirement]
    return subprocess.run(command, env=variables(), capture_output=True).returncode == 0


def _npm() -> bool:
    command = ["npm", "install", "--silent", "--no-save", "--no-package-lock", "--prefix", str(HERE), WS]
    return subprocess.run(command, capture_output=True).returncode == 0


def variables(**extra: str) -> dict[str, str]:
    """Ours without what would bring our packages into the peers' interpreters."""
    unwanted = ("PYTHONPATH", "DJANGO_SETTINGS_MODULE", "PYTHONHOME", "VIRTUAL_ENV")
    return {**{name: value for name, value in os.environ.items() if name not in unwanted}, **extra}


def versions() -> dict[str, str]:
    """The peers' distributions by lower-case name, node and its ``ws``, mosquitto; empty where nothing is."""
    found: dict[str, str] = {}
    if PYTHON.exists():
        listed = subprocess.run(
            [str(PYTHON), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
            env=variables(),
            capture_output=True,
            text=True,
            check=True,
        )
        found = {row["name"].lower(): row["version"] for row in json.loads(listed.stdout)}
    node, ws = shutil.which("node"), NODE_MODULES / "ws" / "package.json"
    if node and ws.exists():
        found["ws"] = json.loads(ws.read_text())["version"]
        found["node"] = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    if broker := system_program("mosquitto"):
        told = subprocess.run(
            [broker, "-h"], capture_output=True, text=True
        ).stdout  # "mosquitto version 2.0.11"
        found["mosquitto"] = told.partition("\n")[0].rpartition(" ")[2]
    return found


def system_program(name: str) -> str | None:
    """Where a program of the system is; daemons are in a folder that few have in their path."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


def our_version(checkout: Path) -> str:
    """The version a checkout of ours declares."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def compile_c(source: Path) -> Path:
    """Compile a C file of ours if it changed; returns the program.

    Raises:
        SystemExit: there is no compiler, with what to install.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        sys.exit("The load client needs a C compiler. Install one: apt-get install gcc libc6-dev")
    BUILD.mkdir(exist_ok=True)
    program = BUILD / source.stem
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return program
