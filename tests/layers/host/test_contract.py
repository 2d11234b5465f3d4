from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import IsolatedAsyncioTestCase

from channels.layers.host import HostChannelLayer
from channels.testing.contracts import ChannelLayerContract


class HostLayerTests(ChannelLayerContract, IsolatedAsyncioTestCase):
    """Each layer is a process of its own to the broker."""

    spans_processes = True

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="fw"))
        self.addCleanup(shutil.rmtree, self.directory)

    def make_layer(self, **config):
        return HostChannelLayer(path=self.directory / "broker", **config)

    async def asyncTearDown(self):
        await super().asyncTearDown()
        assert not (self.directory / "broker" / "broker.sock").exists()
