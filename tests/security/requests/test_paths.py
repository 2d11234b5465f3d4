"""Paths: a rule of the proxy and the application must mean the same one.

The proxies have the rule that the page about deployments shows, and nothing whose path begins with
``/admin/`` may reach the application, in whatever way it is written.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.http1_cases import get
from tests.security.proxies import PAGE
from tests.security.way import Way, way
from tests.support.certificates import Pair

_NGINX_RULE, _HAPROXY_RULE = re.findall(r"```conf\n(.*?)```", PAGE, re.S)
RULES = {
    "direct": [],
    "nginx": [("    location / {", f"{_NGINX_RULE}\n    location / {{")],
    "haproxy": [("    default_backend", f"    {_HAPROXY_RULE}\n    default_backend")],
}
FORBIDDEN, BAD = "stopped 403", "stopped 400"

#: The target; the path that the application would see; what nginx and HAProxy let through of it.
PATHS: dict[str, tuple[str, str, str]] = {
    "/admin/": ("/admin/", FORBIDDEN, FORBIDDEN),
    "/admin/x?y": ("/admin/x", FORBIDDEN, FORBIDDEN),
    "http://a/admin/": ("/admin/", FORBIDDEN, FORBIDDEN),
    "/%61dmin/": ("/admin/", FORBIDDEN, FORBIDDEN),
    "/adm%69n/": ("/admin/", FORBIDDEN, FORBIDDEN),
    "/admin%2f": ("/admin/", FORBIDDEN, FORBIDDEN),
    "/admin%2Fx": ("/admin/x", FORBIDDEN, FORBIDDEN),
    "/admin/%00": ("/admin/\0", BAD, FORBIDDEN),
    "/admin/..": ("/admin/..", BAD, FORBIDDEN),
    "/admin/../x": ("/admin/../x", BAD, FORBIDDEN),
    "/admin/%2e%2E/x": ("/admin/../x", BAD, FORBIDDEN),
    "/admin/..%2fx": ("/admin/../x", BAD, FORBIDDEN),
    "/admin%2f..%2fx": ("/admin/../x", BAD, FORBIDDEN),
    # Other paths than /admin/ to the application, whatever they are to the proxy.
    "/admin": ("/admin", "served /admin", "served /admin"),
    "/Admin/": ("/Admin/", "served /Admin/", "served /Admin/"),
    "/%2561dmin/": ("/%61dmin/", "served /%2561dmin/", "served /%2561dmin/"),
    "//admin/": ("//admin/", FORBIDDEN, "served //admin/"),
    "/%2fadmin/": ("//admin/", FORBIDDEN, "served /%2fadmin/"),
    "/./admin/": ("/./admin/", BAD, "served /./admin/"),
    "/a/../admin/": ("/a/../admin/", BAD, "served /a/../admin/"),
    "/a/%2e%2e/admin/": ("/a/../admin/", BAD, "served /a/%2e%2e/admin/"),
    "/a/../../admin/": ("/a/../../admin/", BAD, "served /a/../../admin/"),
    "/..;/admin/": ("/..;/admin/", "served /..;/admin/", "served /..;/admin/"),
    "/admin;x=1/": ("/admin;x=1/", "served /admin;x=1/", "served /admin;x=1/"),
    "/admin%00/": ("/admin\0/", BAD, "served /admin%00/"),
    "/admin%20/": ("/admin /", "served /admin%20/", "served /admin%20/"),
    "/admin%0d%0a/": ("/admin\r\n/", "served /admin%0d%0a/", "served /admin%0d%0a/"),
    "/admin\\x": ("/admin\\x", "served /admin\\x", "served /admin\\x"),
    "/a/..%5cadmin/": ("/a/..\\admin/", "served /a/..%5cadmin/", "served /a/..%5cadmin/"),
    "/%c0%afadmin/": ("/\ufffd\ufffdadmin/", "served /%c0%afadmin/", "served /%c0%afadmin/"),
    "/x?/admin/": ("/x", "served /x", "served /x"),
    "/x?/../admin/": ("/x", "served /x", "served /x"),
}


@pytest.fixture(scope="module", params=RULES)
def guarded(request: pytest.FixtureRequest, pair: Pair) -> Iterator[Way]:
    name = request.param
    with tempfile.TemporaryDirectory() as folder, way(name, Path(folder), pair, *RULES[name]) as found:
        yield found


@pytest.mark.parametrize("target", PATHS)
def test_path(guarded: Way, target: str) -> None:
    path, *columns = PATHS[target]
    result = guarded.send(get(b"Connection: close", line=b"GET %b HTTP/1.1" % target.encode()))
    assert all(seen.scope["path"] == path for seen in result.seen)
    if not result.through:
        assert len(result.seen) == 1
    else:
        assert not any(seen.scope["path"].startswith("/admin/") for seen in result.seen)
        if guarded.known_version:
            assert str(result) == columns[guarded.name == "haproxy"]
