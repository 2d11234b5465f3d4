from __future__ import annotations

import pytest

from tests.support.programs import require


def test_gives_the_path_of_what_is_there() -> None:
    assert require("sh").endswith("/sh")


def test_skips_with_the_remedy_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install no-such-program"):
        require("no-such-program")


def test_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium-driver"):
        require("chromedriver")
