"""Redis servers of the tests' own: started on free ports, stopped, restarted, paused, failed over.

``REDIS_SERVER_PROGRAM`` names another program than ``redis-server``: any Redis from 6.0 on, or Valkey.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.ports import free_cluster_port, free_port
from tests.support.programs import require

PATIENCE = 30.0


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {PATIENCE} s: {what}.")
        time.sleep(0.02)


def server_program() -> str:
    return os.environ.get("REDIS_SERVER_PROGRAM") or require("redis-server")


def server_version() -> tuple[int, ...]:
    """For example (7, 0, 15)."""
    answer = subprocess.run([server_program(), "--version"], capture_output=True, text=True, check=True)
    (number,) = re.findall(r"v=([\d.]+)", answer.stdout)
    return tuple(map(int, number.split(".")))


def require_tls() -> None:
    """End this test unless the program was built with TLS: then it is a certificate that it misses."""
    command = [server_program(), "--port", "0", "--tls-port", str(free_port())]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if "Failed to configure TLS" not in answer.stdout + answer.stderr:
        pytest.skip(f"{server_program()} was built without TLS")


class RedisServer:
    """One redis-server process with a directory of its own."""

    def __init__(self, *options: str, port: int | None = None):
        self.program = server_program()
        self.port = port or free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="fwr"))
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.connect_options: dict[str, Any] = {}
        self.start()

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            self.program,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
            *("--repl-diskless-sync-delay", "0"),  # five seconds before a replica follows
            *("--dir", str(self.directory), "--logfile", "log", *self.options),
        ]

    def start(self) -> None:
        self.process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, f"redis-server on port {self.port} answers\n{self.log()}")

    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5, protocol=2, **self.connect_options)

    def ask(self, *command: str):
        client = self.client()
        try:
            return client.execute_command(*command)
        finally:
            client.close()

    def answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.exceptions.AuthenticationError:
            return True
        except redis.exceptions.BusyLoadingError:
            return False
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            if self.process is not None and self.process.poll() is not None:
                self.process = subprocess.Popen(  # its port was taken meanwhile by somebody else's client
                    self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            return False

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it politely."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait(PATIENCE)
            self.process = None

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def cut(self) -> None:
        """Drop all connections but the one that asks."""
        for kind in ("normal", "pubsub"):
            self.ask("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def all_keys(self) -> list[bytes]:
        return self.ask("KEYS", "*")

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class TLSRedisServer(RedisServer):
    """A server that speaks TLS only, with a certificate for 127.0.0.1 made here."""

    def __init__(self) -> None:
        require_tls()
        self.files = Path(tempfile.mkdtemp(prefix="fwt"))
        self.certificate, key = make_certificate(self.files)
        self.tls_port = free_port()
        super().__init__(
            *("--tls-port", str(self.tls_port), "--tls-cert-file", str(self.certificate)),
            *("--tls-key-file", str(key), "--tls-ca-cert-file", str(self.certificate)),
            *("--tls-auth-clients", "no"),
        )

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.tls_port}?ssl_ca_certs={self.certificate}"

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.files, ignore_errors=True)


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = directory / "certificate.pem", directory / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path


class Sentinels:
    """A primary, a replica and three sentinels that watch them."""

    master_name = "tests"

    def __init__(self) -> None:
        self.primary = RedisServer()
        self.replica = RedisServer("--replicaof", "127.0.0.1", str(self.primary.port))
        wait_until(lambda: self._linked(self.replica), "the replica follows")
        self.sentinels = [Sentinel(self.primary.port, self.master_name) for _ in range(3)]
        wait_until(self._all_known, "the sentinels know each other and the replica")

    def _linked(self, server: RedisServer) -> bool:
        return server.client().info("replication").get("master_link_status") == "up"

    def _all_known(self) -> bool:
        for sentinel in self.sentinels:
            answer = sentinel.ask("SENTINEL", "MASTER", self.master_name)
            facts = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))
            facts = {_text(key): _text(value) for key, value in facts.items()}
            if (int(facts["num-other-sentinels"]), int(facts["num-slaves"])) != (2, 1):
                return False
        return True

    @property
    def url(self) -> str:
        places = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{places}/{self.master_name}/0"

    @property
    def servers(self) -> list[RedisServer]:
        return [self.primary, self.replica]

    def fail_over(self) -> None:
        """Kill the primary and wait until the replica has taken over."""
        self.primary.kill()
        wait_until(self._fails_over, "a sentinel begins to fail over")
        wait_until(lambda: self.replica.ask("ROLE")[0] == b"master", "the replica takes over")

    def _fails_over(self) -> bool:
        """Ask the sentinels: their own look-out takes long, so that they never judge a loaded machine."""
        for sentinel in self.sentinels:
            try:
                sentinel.ask("SENTINEL", "FAILOVER", self.master_name)
            except redis.exceptions.ResponseError as error:
                if "INPROG" in str(error):
                    return True
            else:
                return True
        return False

    def close(self) -> None:
        for process in (*self.sentinels, self.replica, self.primary):
            process.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Sentinel(RedisServer):
    def __init__(self, master_port: int, master_name: str) -> None:
        self.master_port = master_port
        self.master_name = master_name
        super().__init__()

    def command(self) -> list[str]:
        configuration = self.directory / "sentinel.conf"
        if not configuration.exists():
            configuration.write_text(
                f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\nlogfile log\n"
                f"sentinel monitor {self.master_name} 127.0.0.1 {self.master_port} 2\n"
                f"sentinel down-after-milliseconds {self.master_name} 20000\n"
                f"sentinel failover-timeout {self.master_name} 5000\n"
            )
        return [self.program, str(configuration), "--sentinel"]


class TLSSentinel(RedisServer):
    """One sentinel that speaks TLS only, and watches a server over TLS."""

    master_name = "tests"

    def __init__(self, master: TLSRedisServer) -> None:
        self.master = master
        super().__init__()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self) -> redis.Redis:
        certificate = str(self.master.certificate)
        return redis.Redis(
            "127.0.0.1", self.port, socket_timeout=5, protocol=2, ssl=True, ssl_ca_certs=certificate
        )

    def command(self) -> list[str]:
        configuration = self.directory / "sentinel.conf"
        if not configuration.exists():
            certificate, key = self.master.certificate, self.master.files / "key.pem"
            configuration.write_text(
                f"port 0\ntls-port {self.port}\nbind 127.0.0.1\ndir {self.directory}\nlogfile log\n"
                f"tls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {certificate}\n"
                "tls-auth-clients no\ntls-replication yes\n"
                f"sentinel monitor {self.master_name} 127.0.0.1 {self.master.tls_port} 1\n"
            )
        return [self.program, str(configuration), "--sentinel"]


class Cluster:
    """Three masters that share the slots."""

    def __init__(self, *options: str) -> None:
        self.servers = [
            RedisServer(
                *("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
                *("--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no", *options),
                port=free_cluster_port(),
            )
            for _ in range(3)
        ]
        bounds = [0, 5461, 10923, 16384]
        for server, first, end in zip(self.servers, bounds, bounds[1:], strict=False):
            server.ask("CLUSTER", "ADDSLOTS", *range(first, end))  # ADDSLOTSRANGE came with Redis 7
            for other in self.servers:
                server.ask("CLUSTER", "MEET", "127.0.0.1", str(other.port))
        for server in self.servers:
            wait_until(lambda server=server: _is_whole(server), "the cluster is whole")

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def move_slot(self, slot: int, start: int, end: int) -> None:
        """Give an empty slot from one master to another, by their indexes."""
        identifier = _text(self.servers[end].ask("CLUSTER", "MYID"))
        for server in (self.servers[end], self.servers[start], *self.servers):
            server.ask("CLUSTER", "SETSLOT", str(slot), "NODE", identifier)

    def migrate_slot(self, slot: int, start: int, end: int) -> None:
        """Begin to move a slot and do not finish: what is not at its start is asked for at its end."""
        ends = [_text(server.ask("CLUSTER", "MYID")) for server in self.servers]
        self.servers[end].ask("CLUSTER", "SETSLOT", str(slot), "IMPORTING", ends[start])
        self.servers[start].ask("CLUSTER", "SETSLOT", str(slot), "MIGRATING", ends[end])

    def all_keys(self) -> list[bytes]:
        return [key for server in self.servers for key in server.all_keys()]

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _is_whole(server: RedisServer) -> bool:
    state = server.ask("CLUSTER", "INFO")
    facts = state if isinstance(state, dict) else dict(line.split(":") for line in _text(state).split())
    return len(server.ask("CLUSTER", "SLOTS")) == 3 and facts["cluster_state"] == "ok"


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
