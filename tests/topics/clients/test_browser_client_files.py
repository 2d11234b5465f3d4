"""The files of the client for browsers: their types, and the minified form that production serves."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from django.template import engines
from django.test import override_settings

from scripts import minify
from tests.support import programs

HERE = Path(__file__).parent
TYPES = minify.STATIC / "topics.d.ts"
# tsc itself takes some seconds.
STRICT = ("--strict", "--noEmit", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler")
PROJECT = {"TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}], "STATIC_URL": "/s/"}
INSTALLED = ["django.contrib.staticfiles", "channels.topics"]


@pytest.fixture(scope="module")
def typescript() -> Path:
    return programs.require_npm_packages("typescript@5.9.3")


def node(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [programs.require("node"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.timeout(120)
def test_a_strict_program_is_accepted_and_its_mistakes_are_found(typescript: Path, tmp_path: Path) -> None:
    shutil.copy(HERE / "typed_page.ts", tmp_path)
    shutil.copy(TYPES, tmp_path)
    tsc = typescript / "node_modules" / "typescript" / "bin" / "tsc"
    done = node(tsc, *STRICT, "--noUncheckedIndexedAccess", tmp_path / "typed_page.ts")
    assert (done.returncode, done.stdout) == (0, "")


def test_types_declare_what_is_there(typescript: Path) -> None:
    done = node(HERE / "declared.mjs", typescript, TYPES, minify.SOURCE)
    assert json.loads(done.stdout or done.stderr) == {"missing": [], "undeclared": ["Subscription"]}


def test_the_minified_file_is_the_source_of_today() -> None:
    terser = programs.require_npm_packages(minify.TERSER)
    fresh = minify.minified(programs.require("node"), terser)
    assert fresh == minify.MINIFIED.read_text(), "Run python scripts/minify.py."


def test_what_production_loads_has_less_than_12_kb() -> None:
    assert len(gzip.compress(minify.MINIFIED.read_bytes())) < 12_000


@pytest.mark.parametrize(("debug", "name"), [(True, "topics.js"), (False, "topics.min.js")])
def test_the_minified_form_is_served_unless_somebody_debugs(debug: bool, name: str) -> None:
    with override_settings(**PROJECT, DEBUG=debug, INSTALLED_APPS=INSTALLED):
        page = engines["django"].from_string("{% load topics %}{% topics_client %} {% topics_client_url %}")
        tag, url = page.render().split(" /s/")
        assert (url, f'src="/s/channels/{name}"' in tag) == (f"channels/{name}", True)
