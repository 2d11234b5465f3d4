"""Run nginx or HAProxy before an upstream that answers with given bytes, and ask through it over HTTP/1.1."""

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

from servers import pieces, wait_for

VERSIONS = {"nginx": "1.22.1", "haproxy": "2.6.12"}
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; {more} }} }}
}}
"""
HAPROXY = """
defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server one 127.0.0.1:{upstream}
"""
COMMANDS = {"nginx": (["nginx", "-e", "stderr", "-c"], NGINX), "haproxy": (["haproxy", "-f"], HAPROXY)}


def answer_with(parts, pause):
    """Listen, answer each request with ``parts``, ``pause`` seconds apart, and close; return the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(link):
        with link:
            asked = link.recv(65536)
            for part in parts if asked else ():
                link.sendall(part)
                time.sleep(pause)

    def serve():
        while True:
            threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


@contextlib.contextmanager
def through(name, upstream, more=""):
    """Run the proxy before ``upstream`` and yield its port; end with 1 if its version is another one."""
    said = subprocess.run([name, "-v"], capture_output=True, check=False, text=True)
    if not re.search(rf"\b{re.escape(VERSIONS[name])}\b", said.stdout + said.stderr):
        sys.exit(f"this is for {name} {VERSIONS[name]}: {said.stdout}{said.stderr}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, text = COMMANDS[name]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with open(f"{folder}/config", "w") as config:
            config.write(text.format(folder=folder, port=port, upstream=upstream, more=more))
        process = subprocess.Popen([*command, f"{folder}/config"], stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def get(port, quiet=2.0):
    """Return what comes back for a plain GET, as (seconds, bytes)."""
    return pieces(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", quiet)
