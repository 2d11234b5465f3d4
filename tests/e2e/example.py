"""An example of the repository, on a port and a database of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from selenium.common.exceptions import JavascriptException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.support.browsers.readable import assert_focus_shows, assert_readable
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.served import environment, served

PATIENCE = 30  # seconds; a loaded machine starts browsers slowly
PASSWORD = "correct horse"
EXAMPLES = Path(__file__).parents[2] / "examples"
VENDOR = str(EXAMPLES.parent / "scripts" / "vendor.py")


def until(window: Chrome, script: str) -> None:
    """Wait until an expression is true in the page, whose elements may not be there yet."""
    waiting = WebDriverWait(window, PATIENCE, ignored_exceptions=[JavascriptException])
    waiting.until(lambda _: window.execute_script(f"return {script}"), script)


@dataclass
class Example:
    """The example with this name.

    Attributes:
        name: of its folder, and of the package with its settings.
        folder: for its database and what its server prints.
        app: of a second endpoint, over TCP: for devices.
    """

    name: str
    folder: Path
    app: str = ""
    port: int = field(default_factory=free_port)
    devices_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"
        database = str(self.folder / "db.sqlite3")
        self.env = environment(
            **{f"{self.name.upper()}_DATABASE": database, "DJANGO_SETTINGS_MODULE": f"{self.name}.settings"}
        )
        self._running, self._server = ExitStack(), ExitStack()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of its ``manage.py``; raises AssertionError if it fails, with what it said."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=EXAMPLES / self.name,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def assert_own_tests_pass(self, count: int) -> None:
        """Run so many tests of its own; its settings give no warning, and no migration is missing."""
        done = self.command("test")
        told = done.stdout + done.stderr
        assert f"Ran {count} tests" in told
        assert "System check identified no issues" in told, told
        self.command("makemigrations", "--check", "--dry-run")

    def vendor(self) -> None:
        """Have the files that its pages load from npm."""
        require("npm")
        subprocess.run([sys.executable, VENDOR, str(EXAMPLES / self.name)], check=True)

    def run(self, *words: str) -> subprocess.Popen[bytes]:
        """Run a command of its ``manage.py`` until :meth:`close`."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=EXAMPLES / self.name,
            env=self.env,
            stdout=subprocess.DEVNULL,
        )
        self._running.callback(process.wait)
        self._running.callback(process.terminate)
        return process

    def start(self) -> None:
        """Serve it; the same port again after a stop."""
        local = "interface=127.0.0.1"
        endpoints = ["-e", f"tcp:{self.port}:{local}"]
        if self.app:
            endpoints += ["-e", f"tcp:{self.devices_port}:{local}:app={self.app}"]
        command = ["daphne", *endpoints, f"{self.name}.asgi:application"]
        log = self.folder / "server.log"
        self._process = self._server.enter_context(
            served(command, self.port, folder=EXAMPLES / self.name, log=log, env=self.env)
        )

    def stop(self) -> None:
        """End the server as a service manager would."""
        self._server.close()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Have its server do nothing meanwhile; what is sent to it waits."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def join(self, window: Chrome, name: str) -> None:
        """Choose a name on the example's page for that."""
        window.get(f"{self.url}/join/")
        for place, text in {"username": name, "password1": PASSWORD, "password2": PASSWORD}.items():
            window.find_element(By.NAME, place).send_keys(text)
        window.find_element(By.CSS_SELECTOR, "main form button").click()
        until(window, "!location.pathname.includes('join')")

    def assert_pages_readable(self, window: Chrome) -> None:
        """Look at the pages where people log in, choose a name, and are told what is wrong with it."""
        window.get(f"{self.url}/login/")
        assert_readable(window)
        window.find_element(By.NAME, "username").send_keys("nobody")
        window.find_element(By.NAME, "password").send_keys("nothing", Keys.ENTER)
        until(window, "document.querySelector('.errorlist') !== null")
        assert_readable(window)
        window.get(f"{self.url}/join/")
        assert_readable(window)
        assert_focus_shows(window, 4)

    def close(self) -> None:
        """End all of it."""
        self.stop()
        self._running.close()
