"""Print the way of a text frame, of a group message and of a page through the code, function by function.

    python scripts/ways.py                      the three ways of this checkout, with their figures
    python scripts/ways.py frame                one of them: frame, group, page (which has two parts)
    python scripts/ways.py --figures            the figures only
    python scripts/ways.py --src ../other/src   the ways of another checkout, for a comparison
    python scripts/ways.py --markdown           as docs/explanation/architecture.md has them

A server of the checkout runs in a thread of this process under ``threading.setprofile``, with asyncio's own
loop, whose transports are Python and so can be seen. The group message goes over the host layer to a second
process, which is watched in the same way; both have the machine's monotonic clock. ``tracing.py`` says what
counts as a stop.

The ways:

- frame: from ``data_received`` of the server's protocol, through ``receive()`` of an async consumer that
  answers with the same text, to the call that hands the answer's bytes to the transport;
- group: from ``group_send()`` in one process to the handler of a member's consumer in the other;
- page: from ``data_received`` to a sync view;
- answer: from that view to the call that hands its answer's bytes to the transport.

Each way is gone twenty times to fill the caches and fifteen times more, of which the shortest is shown: what
a growing pool of threads or a busy machine adds is in the longer ones.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import http.client
import importlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from tracing import BYTES, Stop, Trace, Way, find_way

SOURCE = Path(__file__).resolve().parents[1] / "src"
WARM_UPS = 20
ROUNDS = 15
#: Where a server in a thread was and is.
SERVER_MODULES = ("channels.server.in_thread", "channels.server.thread")
#: Where ways begin or end: what this program's consumer and view are called.
HANDLER, VIEW = "chat_message", "hello"


def set_up_django(folder: str) -> None:
    """Configure Django with one page and a layer between the processes of this program."""
    import django
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    def hello(request: HttpRequest) -> HttpResponse:
        return HttpResponse("hello")

    urls = types.ModuleType("ways_urls")
    urls.urlpatterns = [path("", hello)]  # type: ignore[attr-defined]
    sys.modules["ways_urls"] = urls
    backend = {"BACKEND": "channels.layers.host.HostChannelLayer", "CONFIG": {"path": folder}}
    settings.configure(
        SECRET_KEY="for this script only " * 3,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="ways_urls",
        CHANNEL_LAYERS={"default": backend},
    )
    django.setup()


def application() -> Any:
    """Return the application that is served: an echo, a room, pages."""
    from django.urls import path

    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter

    class Echo(AsyncWebsocketConsumer):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.send(text_data)

    class Speaker(AsyncWebsocketConsumer):
        async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
            await self.channel_layer.group_send("room", {"type": "chat.message", "text": text_data})
            await asyncio.sleep(0.05)  # the wait for its next message is no part of the way

    class Member(AsyncWebsocketConsumer):
        groups = ("room",)

        async def chat_message(self, event: dict[str, Any]) -> None:
            await self.send(event["text"])

    sockets = [
        path("echo/", Echo.as_asgi()),
        path("speak/", Speaker.as_asgi()),
        path("hear/", Member.as_asgi()),
    ]
    return ProtocolTypeRouter({"websocket": URLRouter(sockets)})


@contextmanager
def serving() -> Iterator[Any]:
    """Serve the application in a thread; yields the server."""
    for name in SERVER_MODULES:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        with module.ServerThread(application(), loop="asyncio") as server:
            yield server
        return
    raise SystemExit(f"No server in a thread: none of {', '.join(SERVER_MODULES)} can be imported.")


def rounds(trace: Trace, go: Callable[[], None], more: Callable[[], list[Stop]]) -> list[list[Stop]]:
    """Go a way several times; return the stops of each. ``more`` gives those of another process."""
    for _ in range(WARM_UPS):
        go()
    marks = [time.monotonic_ns()]
    for _ in range(ROUNDS):
        time.sleep(0.05)  # what follows a hand-over is done
        marks.append(time.monotonic_ns())
        go()
    marks.append(time.monotonic_ns())
    stops = [*trace.stops, *more()]
    spans = pairwise(marks[1:])
    return [[stop for stop in stops if a <= stop.when < b] for a, b in spans]


def shortest(name: str, gone: list[list[Stop]], first: str, last: str) -> Way:
    """Return the shortest way of several rounds; a thread that only woke up meanwhile is none of its own."""
    found = [find_way(name, stops, first, last) for stops in gone]
    return min((way for way in found if way is not None), key=lambda way: (len(way.threads), len(way.stops)))


def frame_way(trace: Trace, server: Any) -> Way:
    """A text frame to ``receive()`` and its answer."""
    from websockets.sync.client import connect

    with connect(server.ws_url + "/echo/") as client:

        def go() -> None:
            client.send("hello")
            client.recv()

        return shortest("frame", rounds(trace, go, list), "data_received", BYTES)


def page_ways(trace: Trace, server: Any) -> list[Way]:
    """A request to a sync view, and its answer."""
    client = http.client.HTTPConnection(server.host, server.port)

    def go() -> None:
        client.request("GET", "/")
        client.getresponse().read()

    gone = rounds(trace, go, list)
    client.close()
    return [shortest("page", gone, "data_received", VIEW), shortest("answer", gone, VIEW, BYTES)]


def group_way(trace: Trace, server: Any, member: subprocess.Popen[str]) -> Way:
    """A ``group_send()`` to a member in another process."""
    from websockets.sync.client import connect

    assert member.stdin is not None and member.stdout is not None  # noqa: PT018
    lines, orders = member.stdout, member.stdin
    ears, mouth = connect(lines.readline().strip()), connect(server.ws_url + "/speak/")

    def go() -> None:
        mouth.send("hello")
        ears.recv()

    def others() -> list[Stop]:
        orders.close()
        return [Stop(*stop) for stop in json.loads(lines.readline())]

    with ears, mouth:
        return shortest("group", rounds(trace, go, others), ".group_send", HANDLER)


@contextmanager
def member_process(source: Path, folder: str) -> Iterator[subprocess.Popen[str]]:
    """Start the second process: it prints its address and, when its input ends, its stops."""
    command = [sys.executable, __file__, "--src", str(source), "--member", folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def be_member(source: Path, folder: str) -> None:
    """Be the second process."""
    trace = Trace(source, "second process", {HANDLER, VIEW})
    trace.install()
    set_up_django(folder)
    with serving() as server:
        print(server.ws_url + "/hear/", flush=True)
        sys.stdin.read()
        trace.ended = True
        print(json.dumps(trace.stops), flush=True)


def find_ways(names: list[str], source: Path) -> list[Way]:
    """Go the ways of these names."""
    trace = Trace(source, "first process", {HANDLER, VIEW})
    trace.install()
    sys.setswitchinterval(1e-5)  # a thread begins when it is woken, not when the one before it has rested
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # after the layer has left it
    set_up_django(folder)
    found = []
    with serving() as server:
        if "frame" in names:
            found.append(frame_way(trace, server))
        if "group" in names:
            with member_process(source, folder) as member:
                found.append(group_way(trace, server, member))
        if "page" in names:
            found += page_ways(trace, server)
    trace.ended = True
    return found


def text(ways: list[Way]) -> str:
    """The ways for a terminal."""
    lines = []
    for way in ways:
        lines.append(f"{way.name}: {way.figures}")
        for thread in way.threads:
            lines.append(f"  {thread}")
            lines += [f"    {stop.file:44} {stop.function}" for stop in way.stops if stop.thread == thread]
    return "\n".join(lines) + "\n"


WAYS = ["frame", "group", "page"]
TITLES = {
    "frame": "A text frame to `receive()`, and its answer",
    "group": "A `group_send()` to a member in another process of the machine",
    "page": "A request to a sync view",
    "answer": "The answer of a sync view",
}


def markdown(ways: list[Way]) -> str:
    """The ways for a page."""
    parts = []
    for way in ways:
        parts.append(f"### {TITLES[way.name]}\n\n{way.figures}.\n")
        for thread in way.threads:
            parts.append(f"In the {thread.replace(':', ', thread')}:\n")
            parts.append("\n".join(_by_file(way, thread)) + "\n")
    return "\n".join(parts)


def _by_file(way: Way, thread: str) -> Iterator[str]:
    """A numbered line for each file that the thread comes to."""
    runs: list[tuple[str, list[str]]] = []
    for stop in (stop for stop in way.stops if stop.thread == thread):
        if not runs or runs[-1][0] != stop.file:
            runs.append((stop.file, []))
        runs[-1][1].append(f"`{stop.function}`")
    for number, (file, functions) in enumerate(runs, 1):
        yield f"{number}. {file.removeprefix('channels/')}: {', '.join(functions)}"


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description="Print the ways of messages through the code.")
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"{', '.join(WAYS)}; all by default")
    parser.add_argument("--src", type=Path, default=SOURCE, help="the src folder of the checkout to look at")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--figures", action="store_true", help="print one line for each way")
    parser.add_argument("--member", metavar="FOLDER", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if unknown := set(said.ways) - set(WAYS):
        parser.error(f"no such way: {', '.join(sorted(unknown))}; there are {', '.join(WAYS)}")
    source = said.src.resolve()
    sys.path.insert(0, str(source))
    if said.member:
        be_member(source, said.member)
        return
    found = find_ways(said.ways or WAYS, source)
    if said.figures:
        print("\n".join(f"{way.name}: {way.figures}" for way in found))
    else:
        print((markdown if said.markdown else text)(found), end="")


if __name__ == "__main__":
    main()
