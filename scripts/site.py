"""Build the site of the documentation: ``python scripts/site.py [FOLDER]``; into build/site by default.

What a page links to has to be there; a warning is a failure. The site is read without a network: what its
pages load from npm is bundled into it by ``scripts/vendor.py``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(target: Path) -> int:
    """Build the site; returns the exit status.

    Args:
        target: the folder for it.
    """
    vendor = [sys.executable, str(ROOT / "scripts" / "vendor.py"), str(ROOT / "docs")]
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", "auto"]
    for command in (vendor, [*sphinx, "-b", "html", str(ROOT / "docs"), str(target)]):
        status = subprocess.run(command, check=False).returncode
        if status:
            return status
    print(f"The site begins at {target / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build" / "site"))
