"""Topics that the tests subscribe to."""

import threading
from typing import Any, ClassVar

import msgspec

from channels.topics import Entry, History, RPCError, Topic, rpc

#: When a room's method ``wait`` answers.
go_on = threading.Event()


class Line(msgspec.Struct):
    text: str


class Room(Topic):
    pattern = "room:<slug:name>"
    history = History(size=100, ttl=60)
    presence = True
    join_leave = True
    ephemeral = Any
    ephemeral_interval = 0.2
    name: str

    def may_subscribe(self, user: Any) -> bool:
        return self.name != "secret"

    async def may_publish(self, user: Any, data: Any) -> bool:
        return self.name == "open"

    @rpc
    def rename(self, user: Any, title: str, times: int = 1) -> dict[str, Any]:
        if title == "taken":
            raise RPCError(409, "That title is taken.")
        return {"room": self.name, "title": title * times, "anonymous": user.is_anonymous}

    @rpc
    def wait(self, user: Any) -> bool:
        return go_on.wait(60)

    def not_for_clients(self, user: Any) -> str:
        return "secret"


class Typed(Topic):
    pattern = "typed:<int:number>"
    message = Line

    async def may_subscribe(self, user: Any) -> bool:
        return True

    async def may_publish(self, user: Any, data: Any) -> bool:
        return isinstance(data, Line)


class Document(Topic):
    pattern = "document:<int:number>"
    history = History(size=10, ttl=60)
    delta = True

    async def may_subscribe(self, user: Any) -> bool:
        return True


class Price(Topic):
    pattern = "price:<slug:symbol>"
    history = History(size=1, ttl=60)
    cache = True
    tags_filter = True

    async def may_subscribe(self, user: Any) -> bool:
        return True


class Named(Topic):
    pattern = "named:<int:number>"
    event = "price"

    async def may_subscribe(self, user: Any) -> bool:
        return True


class Card(Topic):
    pattern = "card:<int:number>"
    history = History(size=10, ttl=60)
    template = "card.html"
    message = Line

    async def may_subscribe(self, user: Any) -> bool:
        return True


class Shown(Topic):
    """Renders by itself; notes each time, with the thread."""

    pattern = "shown:<slug:kind>"
    history = History(size=10, ttl=60)
    renderings: ClassVar[list[int]] = []
    kind: str

    def may_subscribe(self, user: Any) -> bool:
        return True

    def render(self, publication: Entry, user: Any, request: Any) -> str | None:
        self.renderings.append(threading.get_ident())
        if publication.data == "broken":
            raise ValueError(publication.data)
        if publication.data == "hidden" and request.GET.get("name") != "owner":
            return None
        whom = request.GET["name"] if self.kind == "personal" else "all"
        return f"<p>{publication.data}</p>\n<p>{whom}</p>"


class Patched(Topic):
    """For Datastar, as the release of npm names things."""

    pattern = "patched:<int:number>"
    history = History(size=10, ttl=60)
    presence = True
    event = "datastar-merge-fragments"

    async def may_subscribe(self, user: Any) -> bool:
        return True

    async def render(self, publication: Entry, user: Any, request: Any) -> str:
        return f'fragments <div id="card">{publication.data}</div>'


@rpc
async def add(user: Any, numbers: list[int]) -> int:
    return sum(numbers)
