"""What real time needs in a project's files, and what is told where these are not as expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from channels.scaffold.edits import Edit
from channels.scaffold.project import (
    ADDED,
    ByHand,
    Project,
    asgi_with,
    edits_for,
    settings_with,
    urls_with,
)
from channels.scaffold.python_files import NotAsExpected

DJANGO_ASGI = "from django.core.asgi import get_asgi_application\n\napplication = get_asgi_application()\n"


def test_settings_of_the_project_stay() -> None:
    source = 'INSTALLED_APPS = ["daphne", "channels"]\nASGI_APPLICATION = "x.y"\n'
    source += "CHANNEL_LAYERS = {}\nTEMPLATES = []\n"
    assert settings_with(source, "site.asgi.application") == source.replace(
        '"channels"]', '"channels", "channels.topics", "board"]'
    )


def test_settings_are_changed_once() -> None:
    once = settings_with("INSTALLED_APPS = []\n", "site.asgi.application")
    assert 'ASGI_APPLICATION = "site.asgi.application"' in once
    assert settings_with(once, "site.asgi.application") == once


def test_what_another_file_of_the_settings_has_is_not_added() -> None:
    assert settings_with("INSTALLED_APPS = []\n", "site.asgi.application", frozenset(ADDED)) == (
        'INSTALLED_APPS = ["daphne", "channels", "channels.topics", "board"]\n'
    )


def test_an_application_of_another_name_keeps_it() -> None:
    source = DJANGO_ASGI.replace("application =", "app =")
    once = asgi_with(source, "site.settings", "app")
    assert "\napp = ProtocolTypeRouter(" in once
    assert asgi_with(once, "site.settings", "app") == once
    with pytest.raises(NotAsExpected, match="`pages` instead of `app`"):
        asgi_with("app = wrapped()\n", "site.settings", "app")


def test_apps_that_are_no_list_are_named_to_be_added_by_hand() -> None:
    with pytest.raises(NotAsExpected, match="'channels', 'channels.topics' and 'board' at its end"):
        settings_with("INSTALLED_APPS = BASE + ('x',)\n", "site.asgi.application")


def test_djangos_application_gets_a_route_for_topics() -> None:
    once = asgi_with(DJANGO_ASGI, "site.settings")
    assert "AllowedHostsOriginValidator" in once
    assert asgi_with(once, "site.settings") == once


def test_an_application_that_is_missing_is_made() -> None:
    assert '"DJANGO_SETTINGS_MODULE", "site.settings"' in asgi_with("", "site.settings")


@pytest.mark.parametrize(
    "source", ["application = wrapped(get_asgi_application())\n", "app = get_asgi_application()\n"]
)
def test_another_application_is_left_alone(source: str) -> None:
    with pytest.raises(NotAsExpected, match="websocket_urlpatterns"):
        asgi_with(source, "site.settings")


def test_what_to_write_beside_an_application_of_pages_is_shown_whole_and_works() -> None:
    """As it stands, below the application with its new name."""
    with pytest.raises(NotAsExpected) as told:
        asgi_with("application = wrapped(get_asgi_application())\n", "site.settings")
    code = str(told.value).partition("add below it:\n\n")[2]
    found: dict[str, Any] = {"pages": object()}
    exec(code, found)  # what the reader is told to paste
    assert found["application"].application_mapping["http"] is found["pages"]
    assert asgi_with(f"pages = wrapped(get_asgi_application())\n{code}", "site.settings")


def test_an_application_with_a_router_gets_told_what_to_add_to_it() -> None:
    with pytest.raises(NotAsExpected, match="to the patterns of the URLRouter under 'websocket'") as told:
        asgi_with("application = ProtocolTypeRouter({'websocket': URLRouter([])})\n", "site.settings")
    assert "import ProtocolTypeRouter" not in str(told.value)


def test_urls_are_added_once() -> None:
    once = urls_with("from django.urls import path\n\nurlpatterns = []\n", "board/")
    assert once == (
        'from django.urls import include, path\n\nurlpatterns = [path("", include("channels.topics.urls")), '
        'path("board/", include("board.urls"))]\n'
    )
    assert urls_with(once, "board/") == once


def test_urls_that_are_no_list_are_to_be_added_by_hand() -> None:
    with pytest.raises(NotAsExpected, match=r'Add path\("", include\("channels\.topics\.urls"\)\) and path'):
        urls_with("urlpatterns = i18n_patterns()\n", "")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    site = tmp_path / "site"
    site.mkdir()
    return Project(
        tmp_path,
        site / "settings.py",
        site / "asgi.py",
        site / "urls.py",
        "site.asgi.application",
        "site.settings",
    )


def test_a_file_that_is_not_as_expected_stops_no_other(project: Project) -> None:
    project.settings.write_text("INSTALLED_APPS = (\n")
    project.urls.write_text("urlpatterns = []\n")
    found = list(edits_for(project, "board/"))
    [told] = [each for each in found if isinstance(each, ByHand)]
    assert "settings.py is no Python that can be read" in told.text
    assert project.urls in [each.path for each in found if isinstance(each, Edit)]


def test_an_app_that_is_there_stays(project: Project) -> None:
    (project.root / "board").mkdir()
    (project.root / "board" / "topics.py").write_text("mine = True\n")
    kept = [
        each for each in edits_for(project, "") if isinstance(each, Edit) and "mine" in (each.before or "")
    ]
    assert [each.changes for each in kept] == [False]
