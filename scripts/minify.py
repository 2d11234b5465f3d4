"""Write the client of topics as pages load it in production, by terser of npm.

    python scripts/minify.py

It is kept beside the source, so that neither installing nor building needs node; a test compares the two.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TERSER = "terser@5.51.4"
STATIC = Path(__file__).resolve().parent.parent / "src/channels/topics/static/channels"
SOURCE, MINIFIED = STATIC / "topics.js", STATIC / "topics.min.js"
HEAD = "// topics.js, minified: read and change that one.\n"


def minified(node: str, folder: Path) -> str:
    """Return the client as terser, which is installed in ``folder``, writes it."""
    program = folder / "node_modules/terser/bin/terser"
    options = ("--module", "--compress", "--mangle", "--ecma", "2022")
    done = subprocess.run(
        [node, str(program), str(SOURCE), *options], capture_output=True, text=True, check=True, timeout=60
    )
    return HEAD + done.stdout.rstrip() + "\n"


def main() -> None:
    """Install terser into a folder of its own, and write the file."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        sys.exit("Minifying needs node and npm. Install them: apt-get install nodejs npm")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, TERSER]
        subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
        MINIFIED.write_text(minified(node, Path(folder)))


if __name__ == "__main__":
    main()
