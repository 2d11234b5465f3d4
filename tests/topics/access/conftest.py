"""Two servers of topics, a user with a session, and what the user may have."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.asgi import get_asgi_application

from channels.access.announcements import carry
from channels.access.signals import connect_signals
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.server.in_thread import ServerThread
from channels.topics import Topic, websocket_urlpatterns
from channels.topics.apps import hear_nodes, tell_nodes
from tests.layers.redis.conftest import server  # noqa: F401  # a fixture
from tests.topics import topics_for_tests  # noqa: F401  # the topics exist


class Office(Topic):
    """A topic for which a permission is needed."""

    pattern = "office:<int:floor>"

    def may_subscribe(self, user: Any) -> bool:
        return bool(user.has_perm("auth.view_group"))


@pytest.fixture(autouse=True)
def announced() -> None:
    """As the app does it when it is installed."""
    carry(tell_nodes, hear_nodes)
    connect_signals()


@pytest.fixture
def ports() -> Iterator[list[int]]:
    application = ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)})
    with ExitStack() as stack:
        yield [stack.enter_context(ServerThread(application)).port for _ in range(2)]


@pytest.fixture
def ada() -> Any:
    user = get_user_model().objects.create_user("ada", password=None)
    Permission.objects.get_or_create(
        codename="view_group", content_type=ContentType.objects.get_for_model(Permission)
    )
    user.user_permissions.add(view_groups())
    return user


def view_groups() -> Permission:
    return Permission.objects.filter(codename="view_group", content_type__app_label="auth").first()  # type: ignore[return-value]


@pytest.fixture
def pages(settings: Any) -> Iterator[str]:
    """Where a project has topics for clients without WebSockets."""
    settings.ROOT_URLCONF = "tests.topics.urls"
    with ServerThread(ProtocolTypeRouter({"http": get_asgi_application()})) as thread:
        yield f"http://127.0.0.1:{thread.port}"


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """Have no time measured that a password takes to be hashed."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
