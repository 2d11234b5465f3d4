"""A release: what it collects, what keeps it from being made, and a dry run of the real thing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import release

KINDS = ("added", "changed", "deprecated", "removed", "fixed", "security")


@pytest.mark.parametrize("fragment", release.fragments(), ids=lambda path: path.name)
def test_a_fragment_is_named_after_its_kind_and_is_a_text(fragment: Path) -> None:
    assert re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(KINDS)})\.md", fragment.name)
    text = fragment.read_text().strip()
    assert text
    assert text[-1] in ".)|`"


def test_the_dry_run_prints_every_fragment_and_changes_nothing() -> None:
    before = release.CHANGELOG.read_text(), release.PYPROJECT.read_text(), release.fragments()
    command = [sys.executable, "scripts/release.py", "99.0.0", "--dry-run"]
    text = subprocess.run(command, cwd=release.ROOT, capture_output=True, text=True, check=True).stdout
    assert text.startswith("## 99.0.0 (")
    for fragment in release.fragments():
        first = fragment.read_text().strip().split("\n")[0].replace("](../", "](")
        assert first in text, fragment.name
    assert (release.CHANGELOG.read_text(), release.PYPROJECT.read_text(), release.fragments()) == before


@pytest.mark.parametrize(
    ("version", "said"), [("1.0", "three numbers"), ("v1.0.0", "three numbers"), ("0.0.1", "comes before")]
)
def test_a_version_that_is_none_is_refused(version: str, said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        release.main([version])


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one fragment, in the place of ours."""
    (tmp_path / "changes").mkdir()
    (tmp_path / "changes" / "one.added.md").write_text("Something [new](../docs/new.md).\n")
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{release.MARK}\n## 0.1.0\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0.1.0"\n')
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "First"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    monkeypatch.setattr(release, "PYPROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(release, "CHANGELOG", tmp_path / "CHANGELOG.md")
    return tmp_path


def test_a_release_moves_the_fragments_and_sets_the_version(checkout: Path) -> None:
    release.require_clean()
    release.write("0.2.0", "## 0.2.0\n\n- Something new.\n")
    assert release.current() == "0.2.0"
    assert release.fragments() == []
    assert (checkout / "CHANGELOG.md").read_text() == (
        f"# Changelog\n\n{release.MARK}\n## 0.2.0\n\n- Something new.\n\n## 0.1.0\n"
    )
    with pytest.raises(release.NotReady, match="commit or stash"):
        release.require_clean()


def test_without_fragments_there_is_no_release(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "run", lambda *command: "## 0.2.0\n\nNo significant changes.\n")
    with pytest.raises(release.NotReady, match="no fragments"):
        release.collected("0.2.0")


def test_a_changelog_without_its_mark_is_told(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("# Changelog\n")
    with pytest.raises(release.NotReady, match="has lost its line"):
        release.write("0.2.0", "text")


def test_what_a_command_says_is_shown(checkout: Path) -> None:
    with pytest.raises(release.NotReady, match="not a git command"):
        release.run("git", "no-such-command")
