"""Of a response: its headers, whether it closes itself in its own way, and whether it is a file on disk."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File
from django.http import FileResponse, HttpResponse, StreamingHttpResponse

from channels.core.responses import has_own_close, headers_of, path_to_send

#: Closing a response sends ``request_finished``, at which Django looks at its connections.
pytestmark = pytest.mark.django_db
READS_FILES = {"extensions": {"http.response.pathsend": {}}}
HERE = Path(__file__)


class Shouting(FileResponse):
    def __iter__(self) -> Any:
        return map(bytes.upper, super().__iter__())


def part() -> FileResponse:
    file = HERE.open("rb")
    file.seek(10)
    return FileResponse(file)


@pytest.mark.parametrize("make", [lambda: HERE.open("rb"), lambda: File(HERE.open("rb"))])
def test_a_whole_file_has_a_path(make: Callable[[], Any]) -> None:
    with closing(FileResponse(make())) as response:
        assert path_to_send(response, READS_FILES) == str(HERE)
        assert path_to_send(response, {}) is None
        assert path_to_send(response, {"extensions": {}}) is None


@pytest.mark.parametrize(
    "make",
    [
        part,
        lambda: FileResponse(io.BytesIO(b"in memory")),
        lambda: Shouting(HERE.open("rb")),
        lambda: StreamingHttpResponse([b"no file"]),
    ],
)
def test_all_else_has_none(make: Callable[[], Any]) -> None:
    with closing(make()) as response:
        assert path_to_send(response, READS_FILES) is None


def test_headers_with_cookies() -> None:
    response = HttpResponse("text", headers={"X-Word": "b", "Content-Type": "a/b"})
    response.set_cookie("word", "1")
    assert headers_of(response) == [
        (b"X-Word", b"b"),
        (b"Content-Type", b"a/b"),
        (b"Set-Cookie", b"word=1; Path=/"),
    ]


def test_a_close_of_its_own() -> None:
    class Closing(HttpResponse):
        def close(self) -> None:
            super().close()

    patched = HttpResponse()
    patched.close = lambda: None
    assert [has_own_close(response) for response in (HttpResponse(), Closing(), patched)] == [
        False,
        True,
        True,
    ]
