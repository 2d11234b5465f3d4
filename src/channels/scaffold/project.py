"""What real time needs in a project's files, as edits."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from channels.scaffold.edits import Edit
from channels.scaffold.python_files import (
    NotAsExpected,
    add_at_end,
    add_import,
    add_to_list,
    assignment,
    replace,
)

#: The app with a topic, a page and tests.
APP = "board"

_APP_FILES = Path(__file__).parent / "app"

_LAYER = """
# What one process sends, consumers and topics of every process on this machine get. Several machines need
# Redis: "channels_redis.core.RedisChannelLayer" with "CONFIG": {"hosts": [...]}.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.host.HostChannelLayer"}}
if "test" in argv or "pytest" in modules:
    # Tests keep to themselves: neither the server beside them nor others hear what they send.
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Whoever logs out, or loses a permission, loses what is open in other windows as well.
CHANNELS_ACCESS_FOR_LIFE = True
"""

_TEMPLATES = """TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True},
]"""
#: Settings that are added where there are none.
ADDED = ("ASGI_APPLICATION", "CHANNEL_LAYERS", "TEMPLATES")

_PAGES = """# Sets Django up: it has to run before anything imports a model.
pages = get_asgi_application()

"""
_ROUTER = """import channels.topics  # noqa: E402
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": pages,
        # Consumers of yours stand beside the topics: [*channels.topics.websocket_urlpatterns, path(...)]
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(channels.topics.websocket_urlpatterns))
        ),
    }
)"""
_BESIDE = (
    "Add channels.topics.websocket_urlpatterns (import channels.topics) to the patterns of the URLRouter "
    "under 'websocket'."
)


@dataclass(frozen=True, slots=True)
class Project:
    """Where the files of a project are.

    Attributes:
        root: the folder of ``manage.py``, for apps.
        settings: the module that assigns INSTALLED_APPS.
        asgi: the module with the ASGI application; its file need not be there.
        urls: the root URLconf.
        application: the dotted path of the ASGI application, as ASGI_APPLICATION has it.
        settings_module: the dotted name for DJANGO_SETTINGS_MODULE.
        configured: settings that some file of theirs has, of those that may be added.
    """

    root: Path
    settings: Path
    asgi: Path
    urls: Path
    application: str
    settings_module: str
    configured: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ByHand:
    """What is to be written by hand, as a file is not as expected.

    Attributes:
        text: which file, and what.
    """

    text: str


def edits_for(project: Project, page: str) -> Iterator[Edit | ByHand]:
    """Return what is to be changed, or to be written by hand, file by file.

    Args:
        project: where the files are.
        page: the path of the page of the new app, "" or as "board/".
    """
    module, _, name = project.application.rpartition(".")
    yield _edit(
        project.settings, lambda source: settings_with(source, project.application, project.configured)
    )
    yield _edit(project.asgi, lambda source: asgi_with(source, project.settings_module, name))
    yield _edit(project.urls, lambda source: urls_with(source, page))
    imported = name if name == "application" else f"{name} as application"
    texts = {"asgi": module, "application": imported, "page": f"/{page}"}
    for template in sorted(path for path in _APP_FILES.rglob("*") if path.is_file()):
        yield _app_file(template, project.root / APP, texts)


def _app_file(template: Path, folder: Path, texts: Mapping[str, str]) -> Edit:
    target = folder / template.relative_to(_APP_FILES).as_posix().removesuffix("-tpl")
    before, text = _text_of(target), template.read_text(encoding="utf-8")
    for place, given in texts.items():
        text = text.replace(f"{{% {place} %}}", given)
    return Edit(target, before, text if before is None else before)


def _edit(path: Path, change: Callable[[str], str]) -> Edit | ByHand:
    before = _text_of(path)
    try:
        return Edit(path, before, change(before or ""))
    except SyntaxError as error:
        return ByHand(f"{path} is no Python that can be read: {error}.")
    except NotAsExpected as error:
        return ByHand(f"{path}: {error}")


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def settings_with(source: str, application: str, configured: Set[str] = frozenset()) -> str:
    """Return settings with the apps, and with what else is needed unless it is there or in another file.

    Args:
        source: of the module that assigns INSTALLED_APPS.
        application: the dotted path of the ASGI application.
        configured: settings that another file has.

    Raises:
        NotAsExpected: INSTALLED_APPS is no list; the text says what to add to it.
    """
    try:
        # daphne: first, so that its runserver is the one that runs.
        source = add_to_list(
            source, "INSTALLED_APPS", ['"daphne"'], ['"channels"', '"channels.topics"', f'"{APP}"']
        )
    except NotAsExpected as error:
        raise NotAsExpected(
            f"{error}. Put 'daphne' at the beginning of INSTALLED_APPS, and 'channels', 'channels.topics' "
            f"and '{APP}' at its end; then ask again."
        ) from None
    missing = {name for name in ADDED if name not in configured and assignment(source, name) is None}
    if "TEMPLATES" in missing:
        source = add_at_end(source, _TEMPLATES)
    if "ASGI_APPLICATION" in missing:
        source = add_at_end(source, f'ASGI_APPLICATION = "{application}"')
    if "CHANNEL_LAYERS" in missing:
        source = add_import(add_at_end(source, _LAYER.strip()), "sys", "argv", "modules")
    return source


def asgi_with(source: str, settings_module: str, name: str = "application") -> str:
    """Return the module of the ASGI application with a route for the topics.

    Args:
        source: of the module; "" if there is none yet.
        settings_module: the dotted name for DJANGO_SETTINGS_MODULE.
        name: of the application there.

    Raises:
        NotAsExpected: it is not as Django makes it; the text says what to add.
    """
    if "channels.topics" in source:
        return source
    if not source:
        source = _new_asgi(settings_module, name)
    statement, router = assignment(source, name), _ROUTER.replace("application =", f"{name} =", 1)
    if statement is None or ast.unparse(statement) != f"{name} = get_asgi_application()":
        around = (
            f"Call what it serves pages with `pages` instead of `{name}`, and add below it:\n\n{router}\n"
        )
        raise NotAsExpected(
            f"its application is not Django's alone. {_BESIDE if 'URLRouter' in source else around}"
        )
    return replace(source, statement, _PAGES + router)


def _new_asgi(settings_module: str, name: str) -> str:
    return (
        "import os\n\nfrom django.core.asgi import get_asgi_application\n\n"
        f'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings_module}")\n\n'
        f"{name} = get_asgi_application()\n"
    )


def urls_with(source: str, page: str) -> str:
    """Return the URLconf with the topics and the page.

    Raises:
        NotAsExpected: ``urlpatterns`` is no list; the text says what to add to it.
    """
    patterns = [
        *([] if "channels.topics.urls" in source else ['path("", include("channels.topics.urls"))']),
        *([] if f"{APP}.urls" in source else [f'path("{page}", include("{APP}.urls"))']),
    ]
    if not patterns:
        return source
    try:
        return add_to_list(add_import(source, "django.urls", "include", "path"), "urlpatterns", [], patterns)
    except NotAsExpected as error:
        raise NotAsExpected(f"{error}. Add {' and '.join(patterns)} to its patterns.") from None
