import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchsite.settings")

try:
    from channels.http import get_asgi_application
except ImportError:  # the originals have none: there it is Django's own
    from django.core.asgi import get_asgi_application

http = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from .routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {"http": http, "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns))}
)
