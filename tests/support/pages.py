"""A Django site with views of every kind, for tests of the handler."""

from __future__ import annotations

import asyncio
import bz2
import contextlib
import gzip
import io
import json
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied, SynchronousOnlyOperation
from django.core.files import File
from django.db import connection
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import get_urlconf, path
from django.utils import translation
from django.utils.decorators import async_only_middleware, sync_and_async_middleware
from django.views import View

#: What happened, for the test to look at; and when it may go on.
seen: list[Any] = []
begun, go_on = threading.Event(), threading.Event()


def in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def where(request: HttpRequest) -> JsonResponse:
    return JsonResponse(
        {"loop": in_loop(), "thread": threading.current_thread().name, "kind": type(request).__name__}
    )


async def awhere(request: HttpRequest) -> JsonResponse:
    return where(request)


class AsyncWhere(View):
    async def get(self, request: HttpRequest) -> JsonResponse:
        return where(request)


def echo(request: HttpRequest) -> HttpResponse:
    spooled = getattr(request._stream, "_rolled", False)
    response = HttpResponse(request.body, headers={"X-Spooled": str(spooled)})
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


def upload(request: HttpRequest) -> JsonResponse:
    files = {name: [file.size, type(file).__name__] for name, file in request.FILES.items()}
    return JsonResponse({"post": request.POST.dict(), "files": files})


async def aupload(request: HttpRequest) -> JsonResponse:
    return upload(request)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        try:
            for n in range(5):
                seen.append(threading.current_thread())
                yield f"{n} {in_loop()} " + "x" * 100_000
        finally:
            seen.append("ended")

    return StreamingHttpResponse(parts())


def endless(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            seen.append("ended")

    return StreamingHttpResponse(parts())


def astream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        for n in range(3):
            await asyncio.sleep(0)
            yield f"{n} {in_loop()} "

    return StreamingHttpResponse(parts())


def breaks(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        yield b"begun"
        raise RuntimeError("in the middle")

    return StreamingHttpResponse(parts())


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"))


PLAIN = b"plain text " * 4000


def turned(data: bytes) -> bytes:
    """What stands for encryption: as long, and other bytes."""
    return bytes(byte ^ 0x5A for byte in data)


class Decrypting(File):
    def read(self, size: int = -1) -> bytes:
        return turned(self.file.read(size))


class DecryptingRaw(io.FileIO):
    def read(self, size: int | None = -1) -> bytes:
        return turned(super().read(size) or b"")


class Wrapper:
    def __init__(self, file: Any) -> None:
        self.file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def read(self, size: int = -1) -> bytes:
        return turned(self.file.read(size))


def stored(data: bytes) -> str:
    with tempfile.NamedTemporaryFile(delete=False) as opened:
        opened.write(data)
    return opened.name


def opened_file(data: bytes, **more: Any) -> Any:
    return open(stored(data), "rb", **more)


def patched() -> Any:
    opened = opened_file(turned(PLAIN))
    read = opened.read
    opened.read = lambda size=-1: turned(read(size))
    return opened


class Altered(FileResponse):
    """It sends what it has read in another form."""

    def __iter__(self) -> Iterator[bytes]:
        return map(turned, super().__iter__())


#: Files that read as PLAIN, and whether what is stored is the same.
FILES: dict[str, Callable[[], Any]] = {
    "open": lambda: opened_file(PLAIN),
    "unbuffered": lambda: opened_file(PLAIN, buffering=0),
    "File": lambda: File(opened_file(PLAIN)),
    "growing": lambda: opened_file(PLAIN),
    "gzip": lambda: gzip.GzipFile(stored(gzip.compress(PLAIN))),
    "bz2": lambda: bz2.BZ2File(stored(bz2.compress(PLAIN))),
    "File subclass": lambda: Decrypting(opened_file(turned(PLAIN))),
    "FileIO subclass": lambda: DecryptingRaw(stored(turned(PLAIN))),
    "buffered FileIO subclass": lambda: io.BufferedReader(DecryptingInto(stored(turned(PLAIN)))),
    "wrapper": lambda: Wrapper(opened_file(turned(PLAIN))),
    "File of a wrapper": lambda: File(cast(Any, Wrapper(opened_file(turned(PLAIN))))),
    "patched": patched,
}


class DecryptingInto(io.FileIO):
    def readinto(self, buffer: Any) -> int | None:
        size = super().readinto(buffer)
        buffer[: size or 0] = turned(bytes(buffer[: size or 0]))
        return size


def some_file(request: HttpRequest, kind: str) -> FileResponse:
    if kind == "altered":
        return Altered(opened_file(turned(PLAIN)))
    response = FileResponse(FILES[kind](), content_type="text/plain")
    if kind == "growing":
        with open(response.file_to_stream.name, "ab") as more:
            more.write(b"one more line\n")
    return response


async def abreaks_async(request: HttpRequest) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_abroken())
    response._resource_closers.append(lambda: seen.append("closed"))  # type: ignore[attr-defined]
    return response


async def _abroken() -> AsyncIterator[bytes]:
    yield b"begun"
    raise RuntimeError("in the middle")


def part_of_a_file(request: HttpRequest) -> FileResponse:
    opened = open(__file__, "rb")  # noqa: SIM115
    opened.seek(100)
    return FileResponse(opened)


def temporary_file(request: HttpRequest) -> FileResponse:
    temporary = tempfile.NamedTemporaryFile()  # noqa: SIM115
    temporary.write(b"gone when it is closed")
    temporary.seek(0)
    return FileResponse(temporary)


def file_in_memory(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"in memory"))


def template(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, engines["django"].from_string("Hello {{ name }}"), {"name": "Ada"})


def error(request: HttpRequest, kind: str) -> HttpResponse:
    match kind:
        case "404":
            raise Http404("nothing")
        case "403":
            raise PermissionDenied
        case "none":
            return None  # type: ignore[return-value]
    raise ValueError("a bug")


def inside(request: HttpRequest) -> JsonResponse:
    """Async code from a sync view: it runs in the server's loop, its sync code in this thread."""

    async def ask() -> tuple[bool, bool]:
        from asgiref.sync import sync_to_async

        ident = await sync_to_async(threading.get_ident)()
        return in_loop(), ident == outer

    outer = threading.get_ident()
    return JsonResponse(async_to_sync(ask)(), safe=False)


def language(request: HttpRequest, code: str) -> JsonResponse:
    before = translation.get_language(), get_urlconf()
    translation.activate(code)
    return JsonResponse([*before, translation.get_language()], safe=False)


def atomic(request: HttpRequest) -> JsonResponse:
    return JsonResponse(connection.in_atomic_block, safe=False)


async def forbidden(request: HttpRequest) -> HttpResponse:
    try:
        connection.ensure_connection()
    except SynchronousOnlyOperation as problem:
        return HttpResponse(type(problem).__name__)
    return HttpResponse("no error")


async def patient(request: HttpRequest) -> HttpResponse:
    begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        seen.append("cancelled")
    return HttpResponse()


def blocking(request: HttpRequest) -> HttpResponse:
    begun.set()
    assert go_on.wait(30)
    seen.append("to its end")
    response = HttpResponse("late")
    response.close = lambda: seen.append("closed")
    return response


def closes(request: HttpRequest) -> HttpResponse:
    class Closing(HttpResponse):
        def close(self) -> None:
            super().close()
            begun.set()
            assert go_on.wait(30)
            seen.append("closed")

    return Closing("sent before it is closed")


urlpatterns = [
    path("where/", where),
    path("awhere/", awhere),
    path("async-class/", AsyncWhere.as_view()),
    path("echo/", echo),
    path("upload/", upload),
    path("stream/", stream),
    path("endless/", endless),
    path("astream/", astream),
    path("breaks/", breaks),
    path("file/", file),
    path("aupload/", aupload),
    path("files/<str:kind>/", some_file),
    path("abreaks-async/", abreaks_async),
    path("part-of-a-file/", part_of_a_file),
    path("temporary-file/", temporary_file),
    path("file-in-memory/", file_in_memory),
    path("template/", template),
    path("error/<kind>/", error),
    path("inside/", inside),
    path("language/<code>/", language),
    path("atomic/", atomic),
    path("forbidden/", forbidden),
    path("patient/", patient),
    path("blocking/", blocking),
    path("closes/", closes),
]

Response = Callable[[HttpRequest], Any]


class SyncOnly:
    """Middleware as most are: sync, and with every hook."""

    instances = 0

    def __init__(self, get_response: Response) -> None:
        type(self).instances += 1
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)
        response["X-Middleware"] = json.dumps({"loop": in_loop()})
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        seen.append("process_view")

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        response.context_data["name"] = "middleware"
        return response

    def process_exception(self, request: HttpRequest, problem: Exception) -> HttpResponse | None:
        return HttpResponse("caught", status=418) if isinstance(problem, ValueError) else None


@sync_and_async_middleware
def both(get_response: Response) -> Response:
    return get_response


@async_only_middleware
def async_only(get_response: Response) -> Response:
    async def middleware(request: HttpRequest) -> Any:
        response = await get_response(request)
        with contextlib.suppress(AttributeError):
            response["X-Async"] = "yes"
        return response

    return middleware
