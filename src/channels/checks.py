"""System checks: what is wrong with a project's settings, and what to do about it.

=================  =========================================================  ===========
id                 what                                                       when
=================  =========================================================  ===========
channels.W001      ASGI_APPLICATION is not set                                always
channels.E001      ASGI_APPLICATION cannot be imported                        always
channels.E002      the originals lie over our files, or have taken them away  always
channels.E003      mistakes in CHANNELS_TOPICS, such as a short API_KEY       always
channels.W002      WebSockets that no origin validator guards                 ``--deploy``
channels.W003      a layer or store that ends at the border of its process    ``--deploy``
channels.W004      runserver serves WSGI: the app daphne is missing           runserver
channels.W005      a layer or store on Redis with ``hosts`` that are no hosts always
channels.W006      topics, but an ASGI application that takes no WebSocket    always
channels.W007      a ``LOGGING`` that hides errors of ours                    always
channels.W008      a layer for one host, in a container                       ``--deploy``
=================  =========================================================  ===========
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.utils.module_loading import import_string

from channels.core.routes import INNER_ATTRIBUTES, flatten
from channels.diagnostics.loggers import our_loggers, why_hidden
from channels.diagnostics.tracebacks import place_of
from channels.layers.manager import channel_layers
from channels.layers.reach import layers_in_memory
from channels.process.platforms import is_in_container
from channels.routing import (
    ProtocolTypeRouter,
    URLRouter,
    get_default_application,
)
from channels.security.websocket import OriginValidator
from channels.topics.stores.manager import configured_stores
from django_fairway import presence
from django_fairway.names import EMPTY, SUFFIX


def check_asgi_application(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look whether ``ASGI_APPLICATION`` is there and can be imported (W001, E001)."""
    dotted = getattr(settings, "ASGI_APPLICATION", None)
    if not dotted:
        return [
            Warning(
                "The setting ASGI_APPLICATION is missing: servers and workers have nothing to run.",
                hint="Add your application's path, as ASGI_APPLICATION = 'myproject.asgi.application'.",
                id="channels.W001",
            )
        ]
    try:
        get_default_application()
    except Exception as error:
        return [
            Error(
                f"ASGI_APPLICATION is {dotted!r}, which cannot be imported: {error} ({place_of(error)})",
                hint="Name an ASGI application as 'package.module.attribute', and try it in a shell.",
                id="channels.E001",
            )
        ]
    return []


def check_runserver(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look whether ``runserver`` is about to serve WSGI, though there is an ASGI application (W004)."""
    is_runserver = sys.argv[1:2] == ["runserver"] and "--noasgi" not in sys.argv
    if not is_runserver or apps.is_installed("daphne") or not getattr(settings, "ASGI_APPLICATION", None):
        return []
    return [
        Warning(
            "'daphne' is missing from INSTALLED_APPS: runserver serves WSGI, and every WebSocket gets a 404.",
            hint="Add 'daphne' to INSTALLED_APPS, best in the first place.",
            id="channels.W004",
        )
    ]


def check_distributions(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look whether our files are there, and nobody else's in their places (E002)."""
    found = presence.look()
    if not found:
        return []
    return [
        Error(
            str(found),
            hint=(
                f"Run '{presence.remedy()}', whatever was installed in whatever order: it takes "
                f"{', '.join(EMPTY)} away, then installs Fairway again and empty distributions of these "
                f"names (their versions end in '{SUFFIX}')."
            ),
            id="channels.E002",
        )
    ]


def check_topics_served(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look whether a project with topics has an application for WebSockets at all (W006)."""
    if not apps.is_installed("channels.topics"):
        return []
    try:
        application = get_default_application()
    except Exception:  # reported by check_asgi_application
        return []
    router = _find_router(application)
    lacks = router is not None and "websocket" not in router.application_mapping
    if not lacks and not isinstance(application, ASGIHandler):
        return []
    return [
        Warning(
            "ASGI_APPLICATION serves pages only: clients of topics have to take event streams.",
            hint=(
                "Make it a ProtocolTypeRouter with 'http' and 'websocket', and "
                "channels.topics.websocket_urlpatterns in the URLRouter of the latter. If event streams are "
                "all that your pages read, add 'channels.W006' to SILENCED_SYSTEM_CHECKS."
            ),
            id="channels.W006",
        )
    ]


def check_topics_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look for mistakes in ``CHANNELS_TOPICS``, which are raised at the first use of a key (E003)."""
    if not apps.is_installed("channels.topics"):
        return []
    return [
        Error(mistake, hint=hint, id="channels.E003")
        for read, hint in _readers_of_topics_settings()
        for mistake in _mistakes_of(read)
    ]


_MAKE_KEY: Final = (
    'Make one by python -c "import secrets; print(secrets.token_urlsafe(32))", keep it where your other '
    "secrets are, and give it to those who call the API; without API_KEY the API is off."
)


def _readers_of_topics_settings() -> Iterator[tuple[Callable[[], object], str]]:
    """Return what reads keys of the setting, each with what to do about a mistake in them."""
    from channels.topics.access.hooks import find_hook
    from channels.topics.api.keys import api_keys
    from channels.topics.limits import limits, topics_setting

    reference = "docs/reference/settings.md has all keys of CHANNELS_TOPICS."
    yield limits, f"Give it such a number, or leave it out for the default; {reference}"
    yield api_keys, _MAKE_KEY
    for key in ("AUTHENTICATE", "TOKEN_USER", "USER_INFO"):
        yield partial(find_hook, key), f"Name it as 'package.module.function', or leave it out; {reference}"
    if topics_setting("TOKENS", None):  # it takes long to import
        from channels.topics.tokens.configuration import token_configuration

        yield token_configuration, f"Correct it, or leave TOKENS out, so that no token is valid; {reference}"


def _mistakes_of(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except ImproperlyConfigured as error:
        return [str(error)]
    return []


def check_origin_validation(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look whether every WebSocket of the application passes an origin validator (W002)."""
    try:
        application = get_default_application()
    except Exception:  # reported by check_asgi_application
        return []
    router = _find_router(application)
    if router is None or "websocket" not in router.application_mapping:
        return []
    if _is_guarded(router.application_mapping["websocket"]):
        return []
    return [
        Warning(
            "WebSockets are accepted from the pages of any site, and come with your users' cookies.",
            hint=(
                "Wrap the 'websocket' application of ASGI_APPLICATION in "
                "channels.security.websocket.AllowedHostsOriginValidator."
            ),
            id="channels.W002",
        )
    ]


def _inner(application: Any) -> Any:
    """Return the application that a middleware wraps, or None."""
    for name in INNER_ATTRIBUTES:
        inner = getattr(application, name, None)
        if callable(inner):
            return inner
    return None


def _find_router(application: Any) -> ProtocolTypeRouter | None:
    while application is not None and not isinstance(application, ProtocolTypeRouter):
        application = _inner(application)
    return application


def _is_guarded(application: Any) -> bool:
    while application is not None:
        if isinstance(application, OriginValidator):
            return True
        if isinstance(application, URLRouter):
            return all(_is_guarded(chain[-1].callback) for chain in flatten(application.routes))
        application = _inner(application)
    return False


def check_channel_layers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look for layers, and stores of topics, that cannot reach other processes (W003)."""
    stores = [alias for alias, config in configured_stores().items() if config.get("BACKEND") in _IN_MEMORY]
    found: list[CheckMessage] = [
        Warning(
            f"The store of topics {alias!r} is in memory: what one process publishes does not reach the "
            "clients of another.",
            hint=(
                "With several processes leave it out of CHANNELS_TOPICS['STORES'], so that the store beside "
                "the channel layer is used, or choose one that spans them (docs/howto/choosing-a-store.md)."
            ),
            id="channels.W003",
        )
        for alias in stores
    ]
    inside = layers_in_memory()
    if not inside:
        return found
    return [
        *found,
        Warning(
            f"The channel layer of {', '.join(map(repr, inside))} is in memory: what one process sends "
            "does not reach the consumers of another.",
            hint=(
                "With more than one server or worker process, use a layer that spans them in the setting "
                "CHANNEL_LAYERS: 'channels.layers.host.HostChannelLayer' on one machine, "
                "'channels_redis.core.RedisChannelLayer' on many."
            ),
            id="channels.W003",
        ),
    ]


_IN_MEMORY = ("channels.topics.stores.memory.MemoryStore", "channels.topics.stores.MemoryStore")
_ON_HOST = ("channels.layers.host.HostChannelLayer", "channels.layers.host.layer.HostChannelLayer")


def check_containers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look for a layer that ends at the border of its container (W008)."""
    if not is_in_container():
        return []
    return [
        Warning(
            f"The channel layer {alias!r} is for one host, and this is a container: processes of other "
            "containers have a directory of their own, and hear nothing of this one.",
            hint=(
                "Where web processes and workers run in several containers, use "
                "'channels_redis.core.RedisChannelLayer', or mount one volume in all of them and set "
                f"CHANNEL_LAYERS[{alias!r}]['CONFIG']['path'] to a directory in it."
            ),
            id="channels.W008",
        )
        for alias, config in channel_layers.configs.items()
        if config.get("BACKEND") in _ON_HOST and not (config.get("CONFIG") or {}).get("path")
    ]


_DISABLED = (
    "Say 'disable_existing_loggers': False in LOGGING: it is True if nothing is said, and then each logger "
    "is disabled that was there before and that LOGGING does not name."
)
_GIVE_HANDLER = (
    "Give it a handler and a level in LOGGING, as in 'loggers': {{{name!r}: {{'handlers': ['console'], "
    "'level': 'INFO'}}}}, or leave it out there."
)


def check_logging(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look for loggers of ours whose errors are written nowhere (W007)."""
    hidden = {name: why for name in our_loggers() if (why := why_hidden(name))}
    told: dict[str, list[str]] = {}
    for name, why in hidden.items():
        if hidden.get(name.rpartition(".")[0]) != why:  # what is said of a logger holds for those below it
            told.setdefault(why, []).append(name)
    return [
        Warning(
            f"Nobody reads the errors of Fairway: the logger{'s' * (len(names) > 1)} "
            f"{', '.join(map(repr, names))} {'are' if len(names) > 1 else 'is'} {why}.",
            hint=_DISABLED if why == "disabled" else _GIVE_HANDLER.format(name=names[0]),
            id="channels.W007",
        )
        for why, names in told.items()
    ]


def check_redis_hosts(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Look for mistakes in ``hosts`` of layers and stores on Redis; raised at their first use (W005)."""
    found = [
        *((f"CHANNEL_LAYERS[{alias!r}]", "layer", each) for alias, each in channel_layers.configs.items()),
        *(
            (f"CHANNELS_TOPICS['STORES'][{alias!r}]", "store", each)
            for alias, each in configured_stores().items()
        ),
    ]
    return [
        Warning(
            f"{setting}['CONFIG']: {mistake}",
            hint=f"The forms of `hosts` are in docs/howto/redis.md. The {what} raises it at first use.",
            id="channels.W005",
        )
        for setting, what, config in found
        for mistake in _mistakes_in_hosts(config)
    ]


def _mistakes_in_hosts(config: Any) -> list[str]:
    try:
        backend = import_string(config["BACKEND"])
        hosts = config.get("CONFIG", {}).get("hosts")
    except (ImportError, KeyError, AttributeError):
        return []
    if not (isinstance(backend, type) and issubclass(backend, tuple(_on_redis()))):
        return []
    from channels.layers.redis.hosts.setting import mistakes_in

    return mistakes_in(hosts)


def _on_redis() -> Iterator[type[Any]]:
    """Return those classes of ours on Redis that were imported, as a backend that derives from one has."""
    for module, name in (
        ("channels.layers.redis.layer", "RedisChannelLayer"),
        ("channels.topics.stores.redis.store", "RedisStore"),
    ):
        if module in sys.modules:
            yield getattr(sys.modules[module], name)
