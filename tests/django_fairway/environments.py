"""Fresh environments with what others published in them, made by pip or by uv."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
ORIGINALS = ("channels==4.3.2", "channels-redis==4.3.0", "daphne==4.2.1")
PROJECT = """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
settings.configure(INSTALLED_APPS=["daphne", "channels"], SECRET_KEY="x", DEBUG=True,
                   ASGI_APPLICATION="django.core.handlers.asgi.ASGIHandler")
execute_from_command_line(sys.argv)
"""


class Environment:
    """A virtual environment, and one tool that installs into it.

    Args:
        folder: where it is made.
        tool: "pip" or "uv"; an environment of uv's has no pip.
    """

    def __init__(self, folder: Path, tool: str) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        seed = ["--seed"] if tool == "pip" else []
        self.run(UV, "venv", "--quiet", *seed, "--python", sys.executable, folder / "venv")
        base = [self.python, "-m", "pip"] if tool == "pip" else [UV, "pip"]
        place = [] if tool == "pip" else ["--python", self.python]
        self._install = [*base, "install", "--quiet", *place]
        self._uninstall = [*base, "uninstall", "--quiet", *place, *(["--yes"] if tool == "pip" else [])]
        (folder / "manage.py").write_text(PROJECT)
        self.run(UV, "pip", "install", "--quiet", "--python", self.python, "django", "asgiref")

    def install(self, *what: object) -> None:
        self.run(*self._install, *what)

    def uninstall(self, *what: object) -> None:
        self.run(*self._uninstall, *what)

    def run(self, *command: object, ok: bool = True, **env: str) -> str:
        """Run a command; returns all that it prints."""
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        clean["PATH"] = f"{UV.parent}:{clean['PATH']}"
        clean["PIP_NO_COMPILE"] = "0"  # "0" says yes: compiling takes pip longest, and most is never imported
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env={**clean, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=200,
        )
        assert not ok or done.returncode == 0, done.stdout
        return done.stdout

    def manage(self, ok: bool = True) -> str:
        """What ``manage.py check`` says."""
        return self.run(self.python, "manage.py", "check", ok=ok)
