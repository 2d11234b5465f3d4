"""Spans of each test's own; nothing is traced after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels import telemetry
from channels.observability.tracing.setup import uninstrument
from tests.observability.tracing.spans import Spans


@pytest.fixture(autouse=True)
def off() -> Iterator[None]:
    before = telemetry.listeners, telemetry.handler_wrappers
    yield
    uninstrument()
    assert (telemetry.listeners, telemetry.handler_wrappers) == before
    assert (telemetry.carry, telemetry.create_context) == (None, None)


@pytest.fixture
def spans() -> Spans:
    return Spans()
