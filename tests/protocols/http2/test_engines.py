import pytest

from channels.protocols.http2.engine_h2 import H2Engine
from channels.protocols.http2.engine_native import NativeEngine
from channels.protocols.http2.engines import http2_engine


def test_engines_of_http2():
    assert http2_engine() is http2_engine("native") is NativeEngine
    assert http2_engine("h2") is H2Engine
    with pytest.raises(ValueError, match="No HTTP/2 engine 'zttp': use one of native, h2"):
        http2_engine("zttp")
