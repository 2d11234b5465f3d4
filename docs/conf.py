"""The site: `make docs` builds it into build/site/VERSION from the pages of this folder, as they are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

HERE = Path(__file__).parent
_project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]

project = "Fairway"
version = release = _project["version"]
html_title = f"Fairway {version}"

extensions = ["myst_parser", "sphinx_copybutton", "sphinxcontrib.mermaid"]
root_doc = "index"
exclude_patterns = ["conf.py"]
# Every link between pages, and to a heading of one, is followed when the site is built.
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]  # templates of Django among HTML
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
# As furo has them, with the version and a way to the others.
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
mermaid_use_local = "vendor/mermaid.js"  # scripts/vendor.py has put it there: the site needs no network
mermaid_fullscreen = False  # a drawing has its size, and is scrolled: site.css
html_search_scorer = str(HERE / "search_scorer.js")
html_theme_options = {"navigation_with_keys": True}

#: The kinds of pages: the folder, and its title in the navigation.
KINDS = {
    "tutorial": "Tutorial",
    "examples": "Examples",
    "howto": "How to",
    "reference": "Reference",
    "explanation": "Explanation",
    "contributing": "Change it",
}


def navigation(folder: str, title: str) -> str:
    """Return a table of contents, which is not shown on the page, of the pages in a folder."""
    pages = sorted(
        path.relative_to(HERE).with_suffix("").as_posix() for path in (HERE / folder).rglob("*.md")
    )
    first = [page for page in pages if page.endswith("/index")]
    entries = "\n".join([*first, *(page for page in pages if page not in first)])
    return f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{entries}\n```\n"


#: A link from a page to a file of the repository that is no page, as `[text](../../NAME)`.
_PAGES = "|".join((*KINDS, "index.md"))
_OUTSIDE = re.compile(rf"(?<!!)\[([^\]]+)\]\((?:\.\./)+(?!(?:{_PAGES})\b)([^)#]+?)(?:#[^)]*)?\)")


def adapt(app: Any, page: str, source: list[str]) -> None:
    """Turn a page, which is plain Markdown, into one of the site: links out of it become names of files."""
    if page.count("/") == 1:
        source[0] = _OUTSIDE.sub(lambda link: f"{link[1]} (`{link[2]}`)", source[0])
    if page == root_doc:
        source[0] += "".join(navigation(*kind) for kind in KINDS.items())


def leave_out(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Let pages that are written by no source, as the search is, load no megabytes for drawings."""
    if tree is None:
        context["script_files"] = [each for each in context["script_files"] if "mermaid" not in str(each)]


def setup(app: Any) -> None:
    """Have the functions above called, and show files of programs that Pygments does not know as text."""
    app.connect("source-read", adapt)
    app.connect("html-page-context", leave_out, priority=900)
    for language in ("haproxy", "conf"):
        app.add_lexer(language, TextLexer)
