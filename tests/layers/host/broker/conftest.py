from __future__ import annotations

import pytest

from channels.layers.host.broker import broker as module
from tests.layers.host.broker.site import Site


@pytest.fixture
def site(directory):
    site = Site(directory)
    site.open()
    yield site
    site.close()


@pytest.fixture
def quick_window(monkeypatch):
    monkeypatch.setattr(module, "FAILOVER_TIME", 0.05)
