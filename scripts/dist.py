"""Build what is published: django-fairway, and three empty distributions with the old names.

Packages written for Channels depend on the distributions ``channels``, ``channels-redis`` and
``daphne`` by name. The empty ones satisfy them, so that pip and uv do not bring the originals
back over our files. Nothing is in them; each depends on
the django-fairway that was built with it.

    python scripts/dist.py dist

Nothing is downloaded: hatchling has to be installed in this environment.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from django_fairway.empty import description  # noqa: E402 (of this checkout, installed or not)
from django_fairway.names import EMPTY, EXTRAS  # noqa: E402

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.21"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"
description = "{description}"
license = "BSD-3-Clause"
requires-python = ">=3.11"
dependencies = ["django-fairway=={ours}"]

[project.optional-dependencies]
{extras}

[tool.hatch.build.targets.wheel]
bypass-selection = true

[tool.hatch.build.targets.sdist]
only-include = ["pyproject.toml"]
"""


def build(folder: Path, out: Path) -> None:
    """Build the wheel and the sdist of the project in ``folder`` into ``out``."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Building {folder} failed:\n{done.stdout}{done.stderr}")


def our_version() -> str:
    """The version of django-fairway; the empty ones depend on just this, as they were built with it."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def build_shim(name: str, version: str, out: Path) -> None:
    """Build one empty distribution; extras of the original are known, and empty too."""
    extras = "\n".join(f"{extra} = []" for extra in EXTRAS[name])
    with tempfile.TemporaryDirectory() as folder:
        text = PYPROJECT.format(
            name=name, version=version, ours=our_version(), description=description(name), extras=extras
        )
        Path(folder, "pyproject.toml").write_text(text)
        build(Path(folder), out)


def main(out: Path) -> None:
    """Build all four into ``out`` and list what is there."""
    out.mkdir(parents=True, exist_ok=True)
    build(ROOT, out)
    for name, version in EMPTY.items():
        build_shim(name, version, out)
    for path in sorted(out.iterdir()):
        print(f"{path.stat().st_size:>9,}  {path.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist").resolve())
