"""Every public name of channels 4.3.2, channels_redis 4.3.0 and daphne 4.2.3 is here, and takes what it took.

``surface.json`` was read off the originals with ``inspect``: module, name, member, parameters
(null: no callable). Ours may offer and take more.
"""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

SURFACE = json.loads((Path(__file__).parent / "surface.json").read_text())

#: What differs on purpose; docs/reference/differences.md says why.
DIFFERENT = {
    "WebsocketDenier.*",  # refuses by itself, is no consumer
    "TestApplication.result_storage",  # results stay in memory
    "TestApplication.setup_storage",
    "RedisChannelLayer.brpop_timeout",  # these four: nothing polls, and connections are shared
    "RedisChannelLayer.create_pool",
    "RedisChannelLayer.receive_single",
    "RedisChannelLayer.wait_received",
}


def names() -> list[Any]:
    return [
        pytest.param(module, name, id=f"{module}.{name}")
        for module, found in SURFACE.items()
        for name in found
    ]


def parameters(target: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(target)
    except (TypeError, ValueError):
        return None


def missing_parameters(target: Any, wanted: list[str]) -> list[str]:
    """Which of ``wanted`` the callable does not take by name."""
    signature = parameters(target)
    if signature is None:
        return []
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return []
    return [name for name in wanted if name not in signature.parameters]


@pytest.mark.parametrize(("module", "name"), names())
def test_the_name_and_its_members(module: str, name: str) -> None:
    target = getattr(importlib.import_module(module), name)
    problems = []
    for member, wanted in SURFACE[module][name].items():
        if f"{name}.{member}" in DIFFERENT or (member and f"{name}.*" in DIFFERENT):
            continue
        found = target if not member else inspect.getattr_static(target, member, None)
        if member and not hasattr(target, member) and found is None:
            problems.append(f"{name}.{member} is missing")
        elif wanted:
            lost = missing_parameters(target if not member else getattr(target, member), wanted)
            problems += [f"{name}.{member} takes no {parameter!r}" for parameter in lost]
    assert not problems
