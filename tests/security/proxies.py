"""Debian's nginx and HAProxy as the page about deployments configures them: unprivileged, on own ports."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.certificates import Pair
from tests.support.ports import free_port
from tests.support.programs import require
from tests.support.served import stop, wait_until_listening

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "howto" / "deploy.md").read_text()

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log info;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {site}
}}
"""


def snippet(language: str) -> str:
    """The configuration on the page, letter for letter."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    assert len(found) == 1, f"deploy.md has {len(found)} blocks of {language}"
    return str(found[0])


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Text with other words; each word that is replaced must be there."""
    for old, new in pairs:
        assert old in text, f"deploy.md no longer says {old!r}"
        text = text.replace(old, new)
    return text


def nginx_site(port: int, upstream: Path, pair: Pair, *changes: tuple[str, str]) -> str:
    """The page's configuration with this port, socket and certificate, and with mistakes, if any."""
    return replaced(
        snippet("nginx"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/run/myproject.sock", str(upstream)),
        ("/etc/ssl/example.org/fullchain.pem", str(pair.certificate)),
        ("/etc/ssl/example.org/privkey.pem", str(pair.key)),
        *changes,
    )


def haproxy_site(port: int, upstream: Path, pair: Pair, *changes: tuple[str, str]) -> str:
    """Likewise; HAProxy wants the certificate and its key in one file."""
    combined = upstream.with_name("combined.pem")
    combined.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    return replaced(
        snippet("haproxy"),
        ("bind :443", f"bind 127.0.0.1:{port}"),
        ("/run/myproject.sock", str(upstream)),
        ("/etc/ssl/example.org/combined.pem", str(combined)),
        *changes,
    )


@contextmanager
def nginx(folder: Path, upstream: Path, pair: Pair, *changes: tuple[str, str]) -> Iterator[int]:
    """Run nginx before a Unix socket; yields its port."""
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, site=nginx_site(port, upstream, pair, *changes)))
    command = [require("nginx"), "-c", str(config), "-p", str(folder), "-e", str(folder / "nginx.log")]
    with _running(command, port, folder / "nginx.out"):
        yield port


@contextmanager
def haproxy(folder: Path, upstream: Path, pair: Pair, *changes: tuple[str, str]) -> Iterator[int]:
    """Run HAProxy before a Unix socket; yields its port."""
    port, config = free_port(), folder / "haproxy.cfg"
    config.write_text(haproxy_site(port, upstream, pair, *changes))
    with _running([require("haproxy"), "-db", "-f", str(config)], port, folder / "haproxy.out"):
        yield port


@contextmanager
def caddy(folder: Path, upstream: Path, pair: Pair, *changes: tuple[str, str]) -> Iterator[int]:
    """Run Caddy before a Unix socket; yields its port. It shall not ask anybody for certificates."""
    port, config = free_port(), folder / "Caddyfile"
    own = ("example.org {", f"https://localhost:{port} {{\n    tls {pair.certificate} {pair.key}")
    site = replaced(snippet("caddy"), own, ("127.0.0.1:8000", f"unix/{upstream}"), *changes)
    config.write_text(f"{{\n    admin off\n    auto_https off\n}}\n{site}")
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    command = [require("caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]
    with _running(command, port, folder / "caddy.out", home):
        yield port


@contextmanager
def _running(
    command: list[str], port: int, log: Path, environment: dict[str, str] | None = None
) -> Iterator[None]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        wait_until_listening(process, port, log)
        yield
    finally:
        stop(process)


def has_known_version(name: str) -> bool:
    """Whether this is the version of Debian 12, by which the tables were written; others may refuse more."""
    option, version = {
        "nginx": ("-v", "nginx/1.22."),
        "haproxy": ("-v", "version 2.6."),
        "caddy": ("version", "2.6."),
    }[name]
    told = subprocess.run([require(name), option], capture_output=True, text=True, check=True, timeout=20)
    return version in told.stdout + told.stderr


PROXIES = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy}
