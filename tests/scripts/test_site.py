"""The site is built from the pages as they are, and needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.programs import require

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"<(?:script|link|img|iframe|a)\b[^>]*\b(?:src|href)=\"(?P<url>[^\"]+)\"")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
ELSEWHERE = ("data:", "http:", "https:", "mailto:")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("npm")
    folder = tmp_path_factory.mktemp("site")
    (folder / "0.0.9").mkdir()  # of a release before
    (folder / "0.0.9" / "index.html").touch()
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "site.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / VERSION


@pytest.mark.timeout(240)
def test_the_list_of_versions_leads_to_each_and_each_page_to_the_list(site: Path) -> None:
    listed = re.findall(r'href="([^"]+)"', (site.parent / "index.html").read_text())
    assert listed == [f"{VERSION}/index.html", "0.0.9/index.html"]
    for page, up in (("index.html", "./../"), ("howto/tasks.html", "../../")):
        assert f'Version {VERSION} · <a href="{up}index.html">' in (site / page).read_text()


@pytest.mark.timeout(240)
def test_each_page_is_there_and_links_to_and_loads_only_what_is_there(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 90
    missing = []
    for page in pages:
        for found in LOADED.finditer((site / page).read_text()):
            url = found["url"].split("?")[0].split("#")[0]
            if not url.startswith(ELSEWHERE) and not (site / page).parent.joinpath(url).exists():
                missing.append((str(page), found["url"]))
    assert missing == []


@pytest.mark.timeout(240)
def test_it_can_be_searched_and_shows_the_drawings(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    assert "recover" in index
    drawing = (site / "explanation" / "architecture.html").read_text()
    assert 'class="mermaid' in drawing
    assert (site / "_static" / "vendor" / "mermaid.js").stat().st_size > 100_000


def test_the_search_loads_no_drawings_and_ranks_pages_that_explain_first(site: Path) -> None:
    search = (site / "search.html").read_text()
    assert "searchindex.js" in search and "mermaid" not in search
    assert "const FOLDERS" in (site / "_static" / "language_data.js").read_text()
