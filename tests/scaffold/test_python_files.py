"""Changes of Python files keep what people wrote: their quotes, comments and layout."""

from __future__ import annotations

import pytest

from channels.scaffold.python_files import (
    NotAsExpected,
    add_at_end,
    add_import,
    add_to_list,
    assignment,
    replace,
    star_imports,
)

LISTS = {
    "one line": ("X = ['a']\n", "X = ['first', 'a', 'last']\n"),
    "empty": ("X = []\n", 'X = ["first", "last"]\n'),
    "a comma at the end of one line": ("X = ['a',]\n", "X = ['first', 'a', 'last']\n"),
    "lines": (
        "X = [\n    'a',  # why\n    'b',\n]\ny = 1\n",
        "X = [\n    'first',\n    'a',  # why\n    'b',\n    'last',\n]\ny = 1\n",
    ),
    "lines without the last comma": (
        'X = [\n    "a"\n]\n',
        'X = [\n    "first",\n    "a",\n    "last",\n]\n',
    ),
    "a comment at the end": (
        'X = [\n    "a",\n    # "b",\n]\n',
        'X = [\n    "first",\n    "a",\n    # "b",\n    "last",\n]\n',
    ),
    "a comment after an item without a comma": (
        'X = [\n    "a"  # why\n]\n',
        'X = [\n    "first",\n    "a",  # why\n    "last",\n]\n',
    ),
    "annotated": ('X: list[str] = ["a"]\n', 'X: list[str] = ["first", "a", "last"]\n'),
    "they are there": ("X = ['first', 'a', 'last']\n", "X = ['first', 'a', 'last']\n"),
    "one is there": ("X = ['last', 'a']\n", "X = ['first', 'last', 'a']\n"),
    "letters of many bytes": ("é = 'ü'; X = ['ö']\n", "é = 'ü'; X = ['first', 'ö', 'last']\n"),
    "a call among them": ("X = [path('', f)]\n", 'X = ["first", path(\'\', f), "last"]\n'),
}


@pytest.mark.parametrize("name", LISTS)
def test_items_are_added_to_a_list(name: str) -> None:
    before, after = LISTS[name]
    assert add_to_list(before, "X", ['"first"'], ['"last"']) == after
    compile(after, name, "exec")


@pytest.mark.parametrize("source", ["", "X = ('a',)\n", "X = BASE + ['a']\n", "def f():\n    X = []\n"])
def test_what_is_no_list_is_told(source: str) -> None:
    with pytest.raises(NotAsExpected, match="no list is assigned to X"):
        add_to_list(source, "X", [], ["'a'"])


IMPORTS = {
    "beside": ("from m import b\n", "from m import a, b\n"),
    "is there": ("from m import a\n", "from m import a\n"),
    "renamed ones stay": ("from m import b as c\n", "from m import a, b as c\n"),
    "after others": ("import os\n\nx = 1\n", "import os\nfrom m import a\n\nx = 1\n"),
    "none": ("x = 1\n", "from m import a\nx = 1\n"),
    "a relative one is another": ("from .m import a\n", "from .m import a\nfrom m import a\n"),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_names_are_imported(name: str) -> None:
    before, after = IMPORTS[name]
    assert add_import(before, "m", "a") == after


def test_the_last_assignment_is_the_one_that_counts() -> None:
    source = "x = 1\nx = 2\ny.x = 3\n"
    found = assignment(source, "x")
    assert found is not None
    assert replace(source, found, "x = 4") == "x = 1\nx = 4\ny.x = 3\n"
    assert assignment(source, "y") is None


def test_text_goes_to_the_end_after_an_empty_line() -> None:
    assert add_at_end("a\n\n\n", "b\n\n") == "a\n\nb\n"


def test_where_everything_is_imported_from() -> None:
    assert star_imports("from .base import *\nfrom ..x import *\nfrom a.b import *\nfrom c import d\n") == [
        ".base",
        "..x",
        "a.b",
    ]
