"""``make demo``: serve the examples, each on a port of its own, and a page that leads to them.

``python examples/demo.py [EXAMPLE] [--port 8000]``
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
DAPHNE = str(Path(sys.executable).with_name("daphne"))


@dataclass(frozen=True)
class Example:
    """An example and what it teaches.

    Attributes:
        name: of its folder.
        title: for people.
        teaches: what to look at.
        beside: commands of its ``manage.py`` that run beside the server; "PORT" in them is the devices' port.
        devices: name of the application that serves devices, at a port of its own (1000 further).
    """

    name: str
    title: str
    teaches: str
    beside: tuple[tuple[str, ...], ...] = ()
    devices: str = ""

    def prepare(self) -> subprocess.Popen[bytes]:
        """Begin to make its database; returns the process that does."""
        return subprocess.Popen([sys.executable, "manage.py", "migrate", "-v0"], cwd=HERE / self.name)

    def run(self, port: int) -> list[subprocess.Popen[bytes]]:
        """Start its server and what runs beside it."""
        local, beyond = "interface=127.0.0.1", str(port + 1000)
        endpoints = ["-e", f"tcp:{port}:{local}"]
        if self.devices:
            endpoints += ["-e", f"tcp:{beyond}:{local}:app={self.devices}"]
        beside = [[beyond if word == "PORT" else word for word in words] for words in self.beside]
        commands = [
            [DAPHNE, *endpoints, f"{self.name}.asgi:application"],
            *([sys.executable, "manage.py", *words] for words in beside),
        ]
        return [
            subprocess.Popen(command, cwd=HERE / self.name, stdout=subprocess.DEVNULL)  # noqa: S603
            for command in commands
        ]


EXAMPLES = (
    Example(
        "chat",
        "Chat",
        "Topics with history, presence, typing; the same by plain consumers for comparison. Reload a room: "
        "its last lines are there. Go offline and come back: you have what you missed.",
    ),
    Example(
        "notifications",
        "Notifications",
        "Publishing inside the transaction, and a page without JavaScript of its own: htmx reads an event "
        "stream. Change an order in the admin, or by manage.py advance, and its owner's windows show it.",
    ),
    Example(
        "editor",
        "Editor",
        "Collaborative editing by CRDT: yjs and y-websocket in the page, a consumer on the server, updates "
        "in the database. Write in two windows at once, and with the network switched off for a while.",
    ),
    Example(
        "game",
        "Game",
        "An authoritative worker at 20 ticks a second, snapshots as a binary topic with differences, "
        "prediction in the page. Open it in two windows with two names.",
        (("runworker", "arena"),),
    ),
    Example(
        "ticker",
        "Ticker",
        "A live feed: 2,000 instruments, 5,000 prices a second, and each page gets those on its screen. A "
        "slow phone gets fewer prices and never an old one.",
        (("feed",),),
    ),
    Example(
        "devices",
        "Devices",
        "500 devices that speak MQTT, on a page: what they say, and a switch for each. One that is away is "
        "switched when it is back. End the fleet, and the broker says which devices are lost.",
        (("fleet", "--port", "PORT"),),
        devices="mqtt",
    ),
)


def page(ports: dict[str, int]) -> str:
    """Return the front page; links lead to the same host at other ports."""
    cards = "".join(
        f'<li><h2><a data-port="{ports[example.name]}" href="http://127.0.0.1:{ports[example.name]}/">'
        f"{escape(example.title)}</a></h2><p>{escape(example.teaches)}</p>"
        f"<p><code>examples/{example.name}</code></p></li>"
        for example in EXAMPLES
    )
    return (HERE / "demo.html").read_text(encoding="utf-8").replace("{% cards %}", cards)


class FrontPage(BaseHTTPRequestHandler):
    """Serves one page.

    Args:
        text: of the page.
        arguments: of the base class.
    """

    def __init__(self, text: str, *arguments: object) -> None:
        self.body = text.encode()
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with the page."""
        found = self.path == "/"
        self.send_response(200 if found else 404)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(self.body) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(self.body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing of each request."""


def serve_front_page(port: int, ports: dict[str, int]) -> None:
    """Serve the front page in a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(FrontPage, page(ports)))
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> int:
    """Serve until Ctrl-C, or until something has ended; returns the exit status."""
    parser = argparse.ArgumentParser(description="Serve the examples.")
    parser.add_argument(
        "name", nargs="?", choices=[example.name for example in EXAMPLES], help="this one alone"
    )
    parser.add_argument("--port", type=int, default=8000)
    chosen = parser.parse_args()
    examples = [example for example in EXAMPLES if chosen.name in (None, example.name)]
    # With a front page each example has a port of its own beside it.
    ports = {each.name: chosen.port + (0 if chosen.name else n) for n, each in enumerate(examples, 1)}
    preparing = [example.prepare() for example in examples]  # all at once: each takes a second or two
    if any([process.wait() for process in preparing]):
        parser.exit(1, "A database cannot be made: see above.\n")
    if not chosen.name:
        try:
            serve_front_page(chosen.port, ports)
        except OSError as error:
            parser.exit(
                1, f"Port {chosen.port} cannot be used: {error.strerror}. Choose one: make demo PORT=...\n"
            )
    running = [process for example in examples for process in example.run(ports[example.name])]
    print(f"The demo is on http://127.0.0.1:{chosen.port} (Ctrl-C ends it)", flush=True)
    return wait(running)


def wait(running: list[subprocess.Popen[bytes]]) -> int:
    """Wait until a signal comes or a process ends by itself, and end the others; returns the exit status."""
    told = threading.Event()

    def stop(*_: object) -> None:
        told.set()
        for process in running:
            process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    ended, status = os.wait()
    command = next(process.args for process in running if process.pid == ended)
    if not told.is_set():
        print(f"{command!s} has ended with status {os.waitstatus_to_exitcode(status)}.", file=sys.stderr)
        stop()
        told.clear()
    for process in running:
        process.wait()
    return 0 if told.is_set() else 1


if __name__ == "__main__":
    sys.exit(main())
