"""Beside the originals of the package index, in every order, with pip and with uv: said, then mended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from django_fairway.migrate import Source, source
from django_fairway.names import EMPTY
from tests.django_fairway.environments import ORIGINALS, ROOT, Environment
from tests.support import programs

packaging = [pytest.mark.packaging, pytest.mark.timeout(400)]

LINE = ("django-fairway==0.1.0", *(f"{name}=={version}" for name, version in EMPTY.items()))
LOOKS = """
import channels.layers.host, daphne.management.commands.runserver as ours, sys
from importlib.metadata import version
print(ours.__file__, version("channels"), version("channels-redis"), version("daphne"), file=sys.stderr)
"""


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four distributions, as `make dist` builds them."""
    programs.require_index()
    out = tmp_path_factory.mktemp("dist")
    folder = Environment(tmp_path_factory.mktemp("builder"), "uv")
    folder.run(sys.executable, ROOT / "scripts" / "dist.py", out)
    return out


def line_first(fresh: Environment, dist: Path) -> None:
    """Step 1 of the page was skipped: the originals are there, the page's line comes."""
    fresh.install(*ORIGINALS)
    fresh.install("--find-links", dist, *LINE)


def originals_later(fresh: Environment, dist: Path) -> None:
    """Ours without the empty ones, then a package that brings the originals."""
    fresh.install("--find-links", dist, LINE[0])
    fresh.install("--no-deps", *ORIGINALS)


def originals_taken_away_too_late(fresh: Environment, dist: Path) -> None:
    """Step 1 after step 2."""
    originals_later(fresh, dist)
    fresh.uninstall(*EMPTY)


ORDERS = [line_first, originals_later, originals_taken_away_too_late]


class TestMigrate:
    pytestmark = packaging

    @pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
    @pytest.mark.parametrize("tool", ["pip", "uv"])
    def test_every_order_is_seen_and_mended(
        self, order: Callable[[Environment, Path], None], tool: str, dist: Path, tmp_path: Path
    ) -> None:
        fresh = Environment(tmp_path, tool)
        order(fresh, dist)
        said = fresh.manage(ok=False)
        if "django-fairway: " in said:
            assert f"Mend it with: {fresh.python} -m django_fairway" in said
        else:
            assert (order, tool) == (line_first, "uv"), said  # uv removes all before it installs
        fresh.run(fresh.python, "-m", "django_fairway", "--yes", "--from", dist)
        self.is_whole(fresh)

    @pytest.mark.parametrize(("before", "tool"), [((), "uv"), (ORIGINALS, "pip"), (ORIGINALS, "uv")])
    def test_from_a_checkout(self, before: tuple[str, ...], tool: str, tmp_path: Path) -> None:
        programs.require_index()
        fresh = Environment(tmp_path, tool)
        if before:
            fresh.install(*before)
        command = (fresh.python, "-m", "channels.migrate")
        said = fresh.run(*command, PYTHONPATH=str(ROOT / "src"), ok=False)
        assert "To do:" in said
        assert "Nothing was done. Say --yes to do it." in said
        fresh.run(*command, "--yes", PYTHONPATH=str(ROOT / "src"))
        self.is_whole(fresh)
        # From now on it is known where Fairway comes from: the remedy needs no more words.
        fresh.install("--no-deps", *ORIGINALS)
        assert fresh.manage(ok=False).count("--from") == 0
        fresh.run(fresh.python, "-m", "django_fairway", "--yes")
        self.is_whole(fresh)

    def test_from_a_wheel_that_is_not_installed(self, dist: Path, tmp_path: Path) -> None:
        fresh = Environment(tmp_path, "uv")
        (wheel,) = dist.glob("django_fairway-*.whl")
        fresh.run(fresh.python, "-m", "channels.migrate", "--yes", PYTHONPATH=str(wheel))
        self.is_whole(fresh)

    def test_nothing_is_changed_when_ours_cannot_be_had(self, dist: Path, tmp_path: Path) -> None:
        fresh = Environment(tmp_path, "pip")
        fresh.install(*ORIGINALS)
        wrong = tmp_path / "no-such.whl"
        said = fresh.run(
            fresh.python,
            "-m",
            "channels.migrate",
            "--yes",
            "--from",
            wrong,
            PYTHONPATH=str(ROOT / "src"),
            ok=False,
        )
        assert "so nothing was changed" in said
        assert "Version: 4.3.2\n" in fresh.run(fresh.python, "-m", "pip", "show", "channels")

    def is_whole(self, fresh: Environment) -> None:
        assert "is whole" in fresh.run(fresh.python, "-m", "django_fairway", "--look")
        assert "django-fairway: " not in fresh.manage()
        assert "+fairway" in fresh.run(fresh.python, "-c", LOOKS)
        assert "--workers" in fresh.run(fresh.python.with_name("daphne"), "--help")


class TestSource:
    def test_what_is_given_wins(self, tmp_path: Path) -> None:
        assert source("django-fairway==1") == Source("django-fairway==1")
        assert source(str(tmp_path)) == Source(str(tmp_path))

    def test_the_newest_wheel_of_a_folder(self, tmp_path: Path) -> None:
        wheel = tmp_path / "django_fairway-0.1.0-py3-none-any.whl"
        wheel.touch()
        assert source(str(tmp_path)) == Source(str(wheel))

    def test_a_checkout_that_is_installed_editable_stays_so(self) -> None:
        assert source(None) == Source(str(ROOT), editable=True)
