import importlib
import sys

import pytest

from channels.protocols.http1 import engine_h11 as http1_h11
from channels.protocols.http1 import engine_zttp as http1_zttp
from channels.protocols.http1 import engines
from channels.protocols.http1.engines import DEFAULT_HTTP1_ENGINE, HTTP1_ENGINES, http1_engine


def test_the_fast_engine_is_the_default():
    assert DEFAULT_HTTP1_ENGINE == "zttp"
    assert http1_engine() is http1_engine(None) is http1_engine("zttp")


def test_each_engine_by_name():
    assert http1_engine("zttp") is http1_zttp.read_head
    assert http1_engine("h11") is http1_h11.read_head


def test_an_engine_that_does_not_exist():
    with pytest.raises(ValueError, match="No HTTP/1.1 engine 'httptools': use one of zttp, h11"):
        http1_engine("httptools")


def test_without_zttp_the_proven_engine_is_the_default(monkeypatch):
    names = ["channels.protocols.http1.engine_zttp", "channels.protocols.http1.engines"]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "zttp", None)  # what an import of a missing module finds
    monkeypatch.delattr("channels.protocols.http1.engine_zttp", raising=False)
    without = importlib.import_module("channels.protocols.http1.engines")
    try:
        assert without.DEFAULT_HTTP1_ENGINE == "h11"
        assert without.http1_engine() is http1_h11.read_head
        with pytest.raises(ValueError, match="use one of h11, or install 'zttp'"):
            without.http1_engine("zttp")
    finally:
        monkeypatch.undo()
        monkeypatch.setattr("channels.protocols.http1.engines", engines)
    assert set(HTTP1_ENGINES) == {"zttp", "h11"}
