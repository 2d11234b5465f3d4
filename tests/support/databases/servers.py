"""PostgreSQL and MariaDB, each with a directory of its own: started, stopped, restarted."""

from __future__ import annotations

import atexit
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from tests.support.databases.settings import Database, let_django_find_pymysql
from tests.support.programs import require
from tests.support.redis_servers import PATIENCE, wait_until

_numbers = itertools.count(1)

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Server:
    """A database server with a directory and a socket of its own, run as a user that is not root."""

    vendor: ClassVar[str]
    STOP: ClassVar[signal.Signals] = signal.SIGTERM
    KILL: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self) -> None:
        _, self._as_user = self.program(), _unprivileged()
        self.directory = Path(tempfile.mkdtemp(prefix="fwd"))  # a short path: it holds a socket
        if self._as_user:
            shutil.chown(self.directory, self._as_user["user"])
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)
        self._run(self.prepare())
        self.start()

    def program(self) -> str:
        raise NotImplementedError

    def prepare(self) -> list[str]:
        """The command that fills the directory."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """The command that serves."""
        raise NotImplementedError

    def execute(self, statement: str) -> None:
        """Run a statement as the administrator."""
        raise NotImplementedError

    def settings(self, name: str) -> dict[str, Any]:
        raise NotImplementedError

    def database(self) -> Database:
        """A fresh database."""
        name = f"fresh_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}{self.create_options}")
        return Database(self.vendor, self.settings(name))

    create_options = ""

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, preexec_fn=self._end_with_parent, **self._as_user
            )
        wait_until(self.answers, f"{self.vendor} answers\n{self.log()}")

    def _end_with_parent(self) -> None:
        """Have the kernel end this process if pytest is killed; only Linux can, others leave it running."""
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, self.KILL)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (
            f"{self.vendor} ended with {self.process.returncode}:\n{self.log()}"
        )
        try:
            self.execute("SELECT 1")
        except Exception:  # whatever the driver calls a server that is not up yet
            return False
        return True

    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """End it politely, as a restart does."""
        self._end(self.STOP)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(self.KILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(PATIENCE)
            self.process = None

    def close(self) -> None:
        atexit.unregister(self.close)
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd="/", **self._as_user
        )
        assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}\n{done.stderr}"


class PostgreSQL(Server):
    """One server of PostgreSQL."""

    vendor = "postgresql"
    STOP = signal.SIGINT  # "fast": without waiting for its clients to leave
    KILL = signal.SIGQUIT  # "immediate": the processes that it has started end as well, and recovery follows
    create_options = " TEMPLATE template0"

    def program(self) -> str:
        return require("postgres")

    def prepare(self) -> list[str]:
        initdb = str(Path(self.program()).with_name("initdb"))
        options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]
        return [initdb, f"--pgdata={self.directory / 'data'}", *options]

    def command(self) -> list[str]:
        values = {
            "unix_socket_directories": str(self.directory),
            "listen_addresses": "",
            "max_connections": "200",
            "shared_buffers": "16MB",
            "fsync": "off",
            "full_page_writes": "off",
        }
        options = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]
        return [self.program(), "-D", str(self.directory / "data"), *options]

    def execute(self, statement: str) -> None:
        import psycopg

        address = f"host={self.directory} user=postgres dbname=postgres connect_timeout=5"
        with closing(psycopg.connect(address, autocommit=True)) as connection:
            connection.execute(statement.encode())

    def settings(self, name: str) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": "postgres",
            "HOST": str(self.directory),
        }


class MariaDB(Server):
    """One server of MariaDB."""

    vendor = "mariadb"

    def program(self) -> str:
        return require("mariadbd")

    def prepare(self) -> list[str]:
        return [
            require("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=4M",
            f"--tmpdir={self.directory}",  # several that start at once would share names in /tmp
        ]

    def command(self) -> list[str]:
        return [
            self.program(),
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            f"--socket={self._socket}",
            f"--pid-file={self.directory / 'pid'}",
            "--skip-networking",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=4M",
            "--max-connections=200",
        ]

    @property
    def _socket(self) -> str:
        return str(self.directory / "socket")

    def execute(self, statement: str) -> None:
        import pymysql

        with closing(pymysql.connect(unix_socket=self._socket, user="root", connect_timeout=5)) as connection:
            connection.cursor().execute(statement)

    def settings(self, name: str) -> dict[str, Any]:
        let_django_find_pymysql()
        return {"ENGINE": "django.db.backends.mysql", "NAME": name, "USER": "root", "HOST": self._socket}


def _unprivileged() -> dict[str, Any]:
    """Both servers refuse to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
