"""The inputs that fuzzing has found, read again; and the comparison itself, which must find what differs."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path
from random import Random
from typing import Any

import pytest

from channels.protocols.http.malformed import RawHead, ReadChunks
from channels.protocols.http1 import engine_h11, engines
from channels.protocols.http1.chunked import ChunkReader
from tests.fuzz import differential, http1_inputs


@pytest.mark.parametrize("data", differential.read_corpus(), ids=repr)
def test_what_once_differed(data: bytes) -> None:
    """Under both sets of limits: which one the fuzzer took depends on every byte."""
    for limits in (differential.SMALL, differential.DEFAULT):
        assert differential.difference(data, limits=limits)[0] == ""


def test_the_engine_is_the_one_that_was_compared() -> None:
    """Before another version: ``make fuzz MINUTES=120`` with it, then here and in pyproject.toml."""
    assert metadata.version("zttp") == "0.0.35"
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    (wanted,) = [line for line in pyproject["project"]["dependencies"] if line.startswith("zttp")]
    assert wanted.startswith("zttp>=0.0.35,<0.0.36;")


def test_a_short_run(tmp_path: Path) -> None:
    """The same inputs each time: nothing differs, and requests of every kind came through."""
    run = differential.Run(tmp_path, seed=1)
    for _ in range(1000):
        run.once()
    assert not run.found
    assert {"zttp", "h11"} <= set(run.meter.executions)
    assert len(run.shapes) > 80
    for word in ("b'websocket'", "b'h2c'", "BodyEnded1", "StreamClosed", "400", "417", "501", "505"):
        assert any(word in shape for shape in run.shapes), word


def test_a_lenient_engine_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes a Content-Length beside Transfer-Encoding: the kind that smuggles requests."""

    def lenient(head: bytes) -> tuple[RawHead, ReadChunks]:
        lines = head.split(b"\r\n")
        if any(line.startswith(b"Transfer-Encoding") for line in lines):
            lines = [line for line in lines if not line.startswith(b"Content-Length")]
        return engine_h11.read_head(b"\r\n".join(lines))[0], ChunkReader()

    monkeypatch.setitem(engines.HTTP1_ENGINES, "zttp", lenient)
    run = differential.Run(tmp_path, seed=1)
    for _ in range(500):
        run.once()
    assert run.found
    data = run.found_file.read_text()
    assert "Transfer-Encoding" in data
    assert "Content-Length" in data


def test_inputs_depend_on_the_seed_alone() -> None:
    def made(seed: int) -> list[Any]:
        random = Random(seed)
        return [http1_inputs.make(random, http1_inputs.GOOD) for _ in range(50)]

    assert made(1) == made(1)
    assert made(1) != made(2)
