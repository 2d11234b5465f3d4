"""Options that need to know who the proxies are."""

from __future__ import annotations

import pytest

from channels.server.proxies.settings import conflict


@pytest.mark.parametrize(
    ("trusted", "header", "root_path", "wrong"),
    [
        (None, None, False, None),
        (None, "X-Forwarded-For", False, None),
        (None, None, True, "root_path_header"),
        (None, "FORWARDED", False, "Forwarded"),
        ((), "Forwarded", True, None),
    ],
)
def test_conflicts(trusted: object, header: str | None, root_path: bool, wrong: str | None) -> None:
    found = conflict(trusted, header, root_path)  # type: ignore[arg-type]
    assert found is None if wrong is None else wrong in str(found)
