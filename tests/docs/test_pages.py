"""The pages hang together: every link leads somewhere, every page is found from the first one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: In benchmarks/ others may have installed what has pages of its own.
PAGES = sorted(
    page
    for folder in (ROOT, DOCS, ROOT / "changes", ROOT / "examples", ROOT / "benchmarks")
    for page in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
    if "node_modules" not in page.parts
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
KINDS = {"tutorial", "examples", "howto", "reference", "explanation", "contributing"}
#: Files that a page names, from the top or from src/channels.
NAMED = re.compile(r"`([a-z_0-9]+/[a-z_0-9/]+?(?:\.[a-z]+)?/?)`")


class Link(NamedTuple):
    page: Path
    heading: str


def links(page: Path) -> Iterator[Link]:
    for target, heading in LINK.findall(page.read_text()):
        yield Link((page.parent / target).resolve() if target else page, heading)


def headings(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        assert link.page.exists(), f"{link.page.relative_to(ROOT)} is not there"
        if link.heading:
            assert link.heading in headings(link.page), f"{link.page.name} has no such heading"


def test_every_page_is_listed() -> None:
    listed = {link.page for index in DOCS.rglob("index.md") for link in links(index)}
    assert {page for page in DOCS.rglob("*.md")} - listed == {DOCS / "index.md"}


@pytest.mark.parametrize(
    "page",
    [DOCS / "explanation" / "design.md", *sorted((DOCS / "contributing").rglob("*.md"))],
    ids=lambda page: page.stem,
)
def test_files_that_are_named_are_there(page: Path) -> None:
    for name in NAMED.findall(page.read_text()):
        assert any((base / name).exists() for base in (ROOT, ROOT / "src" / "channels")), name


def test_every_page_is_of_a_known_kind() -> None:
    assert {page.relative_to(DOCS).parts[0] for page in DOCS.rglob("*.md")} == {*KINDS, "index.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_one_title(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    titles = len(re.findall(r"^# ", text, re.M))
    is_fragment = page.parent.name == "changes" and page.name != "README.md"
    assert titles == (0 if is_fragment else 1)


def test_a_fragment_is_of_a_known_kind() -> None:
    kinds = {page.name.split(".")[1] for page in (ROOT / "changes").glob("*.*.md")}
    assert kinds <= {"added", "changed", "deprecated", "removed", "fixed", "security"}


# Pages of examples: pictures that are there and small, files that are there.

EXAMPLE_PAGES = ROOT / "docs" / "examples"
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/manage.py"))
#: Bytes of a picture; a page of them should be there at once on a phone.
LARGEST = 100_000


def pictures(page: Path) -> list[str]:
    return re.findall(r"!\[[^]]{10,}\]\((images/[\w-]+\.webp)\)", page.read_text())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_each_example_has_a_page_with_pictures_of_a_desk_and_a_phone(example: Path) -> None:
    page = EXAMPLE_PAGES / f"{example.name}.md"
    shown = pictures(page)
    assert {f"images/{example.name}-desk.webp", f"images/{example.name}-phone.webp"} <= set(shown)
    for heading in ("What it teaches", "The way of", "What to copy"):
        assert f"\n## {heading}" in page.read_text()


def test_pictures_are_shown_and_small() -> None:
    shown = {name for page in EXAMPLE_PAGES.glob("*.md") for name in pictures(page)}
    there = {f"images/{path.name}": path.stat().st_size for path in (EXAMPLE_PAGES / "images").iterdir()}
    assert shown == set(there)
    assert max(there.values()) < LARGEST


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_files_that_a_page_names_are_there(example: Path) -> None:
    named = re.findall(r"`(\w+/[\w/]+\.\w+)`", (EXAMPLE_PAGES / f"{example.name}.md").read_text())
    assert named
    for name in named:
        assert (example / name).exists(), name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_small(example: Path) -> None:
    """No more than somebody reads in an evening; tests and migrations apart."""
    kept = [path for path in example.rglob("*") if not {"vendor", "node_modules"} & set(path.parts)]
    python = [path for path in kept if path.suffix == ".py" and "migrations" not in path.parts]
    scripts = [path for path in kept if path.suffix == ".js" and path.name != "vendor.js"]
    assert lines([path for path in python if path.name != "tests.py"]) < 600
    assert lines(scripts) < 400


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_project_to_start_from(example: Path) -> None:
    (app,) = (path.parent for path in example.glob("*/models.py"))
    for name in ("admin.py", "tests.py", "migrations/0001_*.py", "templates/registration/login.html"):
        assert list(app.glob(name)), name
    assert "admin.register(" in (app / "admin.py").read_text()
    urls = (example / example.name / "urls.py").read_text()
    assert "LoginView" in urls
    assert "admin.site.urls" in urls


def lines(paths: list[Path]) -> int:
    return sum(len(path.read_text().splitlines()) for path in paths)
