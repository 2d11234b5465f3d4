"""Which groups a process tells of."""

from __future__ import annotations

from django.test import override_settings

from channels.layers.manager import get_channel_layer
from channels.observability.fleet.facts.topics import groups
from channels.observability.metrics.counting.latency import GROUP

MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


async def test_groups_of_our_own_are_no_groups_of_the_project() -> None:
    with override_settings(CHANNEL_LAYERS=MEMORY):
        layer = get_channel_layer()
        assert layer is not None
        channel = await layer.new_channel()
        for name in (GROUP, "room"):
            await layer.group_add(name, channel)
        assert groups() == {"room": 1}
