"""What real time needs in a project's files, as edits."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
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
_AROUND = (
    "Call what it serves pages with `pages` instead of `application`, and add below it:\n\n" + _ROUTER + "\n"
)


@dataclass(frozen=True, slots=True)
class Project:
    """Where the files of a project are.

    Attributes:
        root: the folder of ``manage.py``, for apps.
        settings: the module that assigns INSTALLED_APPS.
        asgi: the module with the ASGI application; its file need not be there.
        urls: the root URLconf.
        package: the dotted name of the package with ``asgi.py``.
        settings_module: the dotted name for DJANGO_SETTINGS_MODULE.
    """

    root: Path
    settings: Path
    asgi: Path
    urls: Path
    package: str
    settings_module: str


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
    yield _edit(project.settings, lambda source: settings_with(source, project.package))
    yield _edit(project.asgi, lambda source: asgi_with(source, project.settings_module))
    yield _edit(project.urls, lambda source: urls_with(source, page))
    for template in sorted(path for path in _APP_FILES.rglob("*") if path.is_file()):
        name = template.relative_to(_APP_FILES).as_posix().removesuffix("-tpl")
        target = project.root / APP / name
        text = template.read_text(encoding="utf-8")
        text = text.replace("{% package %}", project.package).replace("{% page %}", f"/{page}")
        before = _text_of(target)
        yield Edit(target, before, text if before is None else before)


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


def settings_with(source: str, package: str) -> str:
    """Return settings with the apps, and with the ASGI application and a channel layer unless they are there.

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
    if assignment(source, "ASGI_APPLICATION") is None:
        source = add_at_end(source, f'ASGI_APPLICATION = "{package}.asgi.application"')
    if assignment(source, "CHANNEL_LAYERS") is None:
        source = add_import(add_at_end(source, _LAYER.strip()), "sys", "argv", "modules")
    return source


def asgi_with(source: str, settings_module: str) -> str:
    """Return the module of the ASGI application with a route for the topics.

    Raises:
        NotAsExpected: it is not as Django makes it; the text says what to add.
    """
    if "channels.topics" in source:
        return source
    if not source:
        source = _new_asgi(settings_module)
    statement = assignment(source, "application")
    if statement is None or ast.unparse(statement) != "application = get_asgi_application()":
        raise NotAsExpected(
            f"its application is not Django's alone. {_BESIDE if 'URLRouter' in source else _AROUND}"
        )
    return replace(source, statement, _PAGES + _ROUTER)


def _new_asgi(settings_module: str) -> str:
    return (
        "import os\n\nfrom django.core.asgi import get_asgi_application\n\n"
        f'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings_module}")\n\n'
        "application = get_asgi_application()\n"
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
