"""``{% load topics %}``: the client for pages without a build step."""

from __future__ import annotations

import json

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.urls import NoReverseMatch, get_script_prefix, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from channels.topics.development.reloading import reloads_pages
from channels.topics.limits import topics_setting

register = template.Library()

#: The client as it was written, and as terser made it shorter (scripts/minify.py).
_RELOAD = "channels/reload.js"
_CLIENT, _MINIFIED = "channels/topics.js", "channels/topics.min.js"


@register.simple_tag
def topics_client() -> SafeString:
    """Load the client, and tell it where this site's topics are.

    Under ``runserver`` with its reloader, pages with it are loaded anew when a file of the project changes.
    Module scripts behind it have ``topics.connect()``; others may import it from ``{% topics_client_url %}``.
    Nothing in it is a script in the page, so that a content security policy needs no exception.
    """
    scripts = [topics_client_url(), *([static(_RELOAD)] if reloads_pages() else [])]
    return format_html(
        '<meta name="channels-topics" content="{}">{}',
        json.dumps(endpoints()),
        format_html_join("", '<script type="module" src="{}"></script>', ((script,) for script in scripts)),
    )


@register.simple_tag
def topics_client_url() -> str:
    """Return the address of the client, an ES module; minified unless ``DEBUG`` is on."""
    return static(_CLIENT if settings.DEBUG else _MINIFIED)


def endpoints() -> dict[str, str]:
    """Return where clients connect; paths that the project does not serve are left out."""
    found = {"websocket": get_script_prefix() + topics_setting("WEBSOCKET_PATH", "connection/websocket")}
    for name in ("sse", "emulation"):
        try:
            found[name] = reverse(f"topics:{name}")
        except NoReverseMatch:
            continue
    return found
