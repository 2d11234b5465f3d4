"""Edits: what a diff shows, and that writing makes the file."""

from __future__ import annotations

from pathlib import Path

from channels.scaffold.edits import Edit


def test_a_diff_shows_the_change_with_paths_of_the_project(tmp_path: Path) -> None:
    edit = Edit(tmp_path / "site" / "urls.py", "a\nb", "a\nc")
    assert edit.diff(tmp_path).splitlines() == [
        "--- a/site/urls.py",
        "+++ b/site/urls.py",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]


def test_a_new_file_comes_from_nothing(tmp_path: Path) -> None:
    edit = Edit(tmp_path / "new" / "x.py", None, "text\n")
    assert edit.diff(Path("/elsewhere")).startswith(f"--- /dev/null\n+++ b/{tmp_path}/new/x.py\n")
    edit.write()
    assert (tmp_path / "new" / "x.py").read_text() == "text\n"


def test_a_file_that_stays_has_no_changes(tmp_path: Path) -> None:
    edit = Edit(tmp_path / "x.py", "a\n", "a\n")
    assert not edit.changes
    assert edit.diff(tmp_path) == ""
