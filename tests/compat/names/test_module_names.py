"""Whatever others import from the originals' modules is here, or says what to use.

``names.json`` says what the originals have: ``tests/compat/names/inspection.py`` has looked.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from tests.compat.names.inspection import names_of

TABLE = json.loads((Path(__file__).parent / "names.json").read_text())
#: Modules and functions of the standard library and of Twisted that the originals happen to import, and
#: Django's that no two projects import from there.
UNUSED = {
    "channels.auth": {"LazyObject", "_get_backends"},
    "channels.generic.websocket": {"json"},
    "channels.layers": {
        *("asyncio", "deepcopy", "fnmatch", "import_string", "random", "re"),
        *("setting_changed", "string", "time", "warnings"),
    },
    "channels.routing": {"RegexPattern"},
    "channels.security.websocket": {"AsyncWebsocketConsumer"},
    "channels.sessions": {"LazyObject", "django", "force_str", "timezone"},
    "channels.testing.application": {"mock", "no_op"},
    "channels.testing.http": {"unquote", "urlparse"},
    "channels.testing.live": {"ImproperlyConfigured", "partial"},
    "channels.testing.websocket": {"unquote", "urlparse"},
    "channels.utils": {"types"},
    "channels_redis.core": {
        *("aioredis", "asyncio", "collections", "functools", "itertools", "time", "uuid")
    },
    "channels_redis.pubsub": {"aioredis", "asyncio", "functools", "uuid"},
    "channels_redis.serializers": {"abc", "base64", "hashlib", "json", "msgpack", "random"},
    "channels_redis.utils": {"aioredis", "binascii", "types"},
    "daphne": {"PY38_WIN", "sys"},
    "daphne.access": {"datetime"},
    "daphne.apps": {"daphne"},
    "daphne.checks": {"register"},
    "daphne.http_protocol": {
        *(
            "HEADER_NAME_RE",
            "INVALID_HEADER_VALUE_BYTES",
            "IProtocolNegotiationFactory",
            "ProtocolWrapper",
            "http",
            "implementer",
            "inlineCallbacks",
        ),
        *("maybeDeferred", "time", "traceback", "unquote"),
    },
    "daphne.management.commands.runserver": {"ImproperlyConfigured", "importlib"},
    "daphne.server": {
        *("CancelledError", "STDLibLogObserver", "ThreadPoolExecutor", "asyncioreactor", "defer"),
        *("globalLogBeginner", "http", "os", "partial", "sys", "time", "warnings"),
    },
    "daphne.testing": {"CancelledError", "logging", "os", "pickle", "tempfile"},
    "daphne.utils": {"importlib", "re"},
    "daphne.ws_protocol": {
        *("ConnectionDeny", "WebSocketServerFactory", "WebSocketServerProtocol", "defer", "time"),
        *("traceback", "unquote"),
    },
}
DIFFERENCES = (Path(__file__).parents[3] / "docs/reference/differences.md").read_text()


@pytest.mark.parametrize("module", TABLE["modules"])
def test_what_can_be_imported_from_the_original_can_be_imported(module: str) -> None:
    parts = {name.removeprefix(f"{module}.").partition(".")[0] for name in TABLE["modules"]}
    here = importlib.import_module(module)
    absent = set(vars(here).get("ABSENT", ()))
    wanted = set(TABLE["modules"][module]) - UNUSED.get(module, set()) - parts - absent
    assert {name for name in wanted if not hasattr(here, name)} == set()
    assert UNUSED.get(module, set()) | absent <= set(TABLE["modules"][module]) - set(names_of(module))


@pytest.mark.parametrize("module", TABLE["modules"])
def test_an_absent_name_says_what_to_use_and_is_listed(module: str) -> None:
    for name in vars(importlib.import_module(module)).get("ABSENT", ()):
        with pytest.raises(ImportError, match=rf"{module}\.{name} is not here: .+\."):
            exec(f"from {module} import {name}", {})
        assert f"`{name}`" in DIFFERENCES
        assert f"`{module}`" in DIFFERENCES


@pytest.mark.parametrize("module", ["daphne.http_protocol", "channels_redis.core", "channels.http"])
def test_a_misspelt_name_is_an_error_as_in_any_module(module: str) -> None:
    assert not hasattr(importlib.import_module(module), "typo")
    with pytest.raises(ImportError, match="cannot import name 'typo'"):
        exec(f"from {module} import typo", {})


@pytest.mark.parametrize(
    "line",
    [  # each is in several public projects; the name stands in this module by chance
        "from channels.auth import get_user_model",
        "from channels.consumer import async_to_sync",
        "from channels.consumer import await_many_dispatch",
        "from channels.db import sync_to_async",
        "from channels.testing.live import DaphneProcess, make_application, set_database_connection",
        "from daphne.management.commands.runserver import get_default_application",
        "from daphne.server import twisted_loop",
        "from daphne.testing import DaphneProcess, _reinstall_reactor",
        "from channels_redis.utils import _close_redis, _wrap_close",
        "from channels_redis.core import ChannelFull, logger",
        "import daphne.http_protocol, daphne.ws_protocol",
    ],
)
def test_lines_of_other_projects(line: str) -> None:
    exec(line, {})


@pytest.mark.parametrize("name", ["AsgiHandler", "AsgiRequest"])
def test_code_that_asks_which_channels_it_is_gets_the_exception_that_it_catches(name: str) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(f"from channels.http import {name}", {})
    assert caught.value.name == "channels.http"
    with pytest.raises(ImportError, match="cannot import name 'typo'"):
        exec("from channels.http import typo", {})
