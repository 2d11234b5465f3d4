"""Build the site of the documentation: ``python scripts/site.py [FOLDER]``; into build/site by default.

Each version has a folder of its own in it, and FOLDER/index.html lists them; what was built from another
release before stays, and its pages lead to the list as well. What a page links to has to be there; a warning
is a failure. The site is read without a network: what its pages load from npm is bundled into it by
``scripts/vendor.py``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INDEX = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fairway: versions of the documentation</title>
<style>
  :root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }}
  main {{ max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }}
</style>
<main>
<h1>Fairway</h1>
<p>The documentation of each version:</p>
<ul>
{entries}
</ul>
</main>
</html>
"""


def build(target: Path) -> int:
    """Build the pages of this version, and the list of versions; returns the exit status.

    Args:
        target: the folder of the site.
    """
    pages = target / tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    vendor = [sys.executable, str(ROOT / "scripts" / "vendor.py"), str(ROOT / "docs")]
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "auto"]
    for command in (vendor, [*sphinx, "-b", "html", str(ROOT / "docs"), str(pages)]):
        status = subprocess.run(command, check=False).returncode
        if status:
            return status
    write_index(target)
    print(f"The site begins at {target / 'index.html'}; this version at {pages / 'index.html'}")
    return 0


def write_index(target: Path) -> None:
    """Write the list of the versions that there are, the newest first."""
    found = [path.parent.name for path in target.glob("*/index.html")]
    newest_first = sorted(found, key=as_numbers, reverse=True)
    entries = [f'<li><a href="{version}/index.html">{version}</a></li>' for version in newest_first]
    if entries:
        entries[0] = entries[0].replace("</a>", "</a>, the newest")
    (target / "index.html").write_text(INDEX.format(entries="\n".join(entries)), encoding="utf-8")


def as_numbers(version: str) -> list[int]:
    """Return the numbers of a version, so that 0.10 comes after 0.9."""
    return [int(number) for number in re.findall(r"\d+", version)]


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build" / "site"))
