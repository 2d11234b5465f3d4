import importlib
import sys

import pytest

from channels.protocols import engines, http1_h11
from channels.protocols.engines import DEFAULT_HTTP1_ENGINE, HTTP1_ENGINES, http1_engine

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


def test_the_fast_engine_is_the_default():
    assert DEFAULT_HTTP1_ENGINE == "zttp"
    assert http1_engine() is http1_engine(None) is http1_engine("zttp")


def reader_of(engine, head):
    """Which library an engine asked."""
    _, read_chunks = http1_engine(engine)(head)
    return type(read_chunks.args[0]).__module__.split(".")[0]


def test_each_engine_by_name():
    assert reader_of("zttp", HEAD + b"\r\n") == "zttp"
    assert reader_of("h11", HEAD + b"\r\n") == "h11"


@pytest.mark.parametrize(
    ("head", "reader"),
    [
        (HEAD + b"X: " + b"x" * (16_384 - len(HEAD) - 7) + b"\r\n\r\n", "zttp"),
        (HEAD + b"X: " + b"x" * (16_385 - len(HEAD) - 7) + b"\r\n\r\n", "h11"),
        (HEAD + b"X: y\r\n" * 99 + b"\r\n", "zttp"),
        (HEAD + b"X: y\r\n" * 100 + b"\r\n", "h11"),
    ],
)
def test_heads_that_are_too_large_for_the_fast_engine(head, reader):
    assert reader_of("zttp", head) == reader


def test_an_engine_that_does_not_exist():
    with pytest.raises(ValueError, match="No HTTP/1.1 engine 'httptools': use one of zttp, h11"):
        http1_engine("httptools")


def test_without_zttp_the_proven_engine_is_the_default(monkeypatch):
    names = ["channels.protocols.http1_zttp", "channels.protocols.engines"]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "zttp", None)  # what an import of a missing module finds
    monkeypatch.delattr("channels.protocols.http1_zttp", raising=False)
    without = importlib.import_module("channels.protocols.engines")
    try:
        assert without.DEFAULT_HTTP1_ENGINE == "h11"
        assert without.http1_engine() is http1_h11.read_head
        with pytest.raises(ValueError, match="use one of h11, or install 'zttp'"):
            without.http1_engine("zttp")
    finally:
        monkeypatch.undo()
        importlib.import_module("channels.protocols").engines = engines
    assert set(HTTP1_ENGINES) == {"zttp", "h11"}
