"""Make a release: collect the fragments of ``changes/``, set the version, build what is published.

    python scripts/release.py 0.2.0 --dry-run     print the section of the changelog, change nothing
    python scripts/release.py 0.2.0               write it, set the version, build into dist/

Nothing is committed, tagged or uploaded: the last lines say how.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"
CHANGELOG = ROOT / "CHANGELOG.md"
MARK = "<!-- releases -->\n"


class NotReady(Exception):
    """Why there can be no release now; the text says what to do."""


def main(args: list[str]) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("version", help="as in 0.2.0")
    parser.add_argument("--dry-run", action="store_true", help="print the section, change nothing")
    options = parser.parse_args(args)
    try:
        judge(options.version, current())
        section = collected(options.version)
        if options.dry_run:
            print(section)
            return
        require_clean()
        write(options.version, section)
    except NotReady as error:
        raise SystemExit(f"No release: {error}") from None
    run(sys.executable, "scripts/dist.py", "dist")
    print(
        f"dist/ holds {options.version}. Look at it, then:\n"
        f"  git commit -am 'Release {options.version}' && git tag {options.version} && git push --tags\n"
        "  python -m twine upload dist/*"
    )


def current() -> str:
    """Return the version in pyproject.toml."""
    return str(tomllib.loads(PYPROJECT.read_text())["project"]["version"])


def judge(version: str, before: str) -> None:
    """Raise NotReady unless ``version`` is three numbers that come after ``before``, or are it."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise NotReady(f"{version!r} is no version of three numbers, as in 0.2.0.")
    if _numbers(version) < _numbers(before):
        raise NotReady(f"{version} comes before {before}, which pyproject.toml has.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def collected(version: str) -> str:
    """Return the section of the changelog for ``version``; raises NotReady if there are no fragments."""
    text = run(sys.executable, "-m", "towncrier", "build", "--draft", "--version", version)
    if "\n- " not in text:
        raise NotReady("changes/ has no fragments, so nothing has changed for users.")
    return text.replace("](../", "](").strip() + "\n"


def require_clean() -> None:
    """Raise NotReady if something is not committed: the release would not be what the repository holds."""
    if changed := run("git", "status", "--porcelain").strip():
        raise NotReady(f"commit or stash these first:\n{changed}")


def write(version: str, section: str) -> None:
    """Put the section into the changelog, take the fragments away, set the version."""
    text = CHANGELOG.read_text()
    if MARK not in text:
        raise NotReady(f"CHANGELOG.md has lost its line {MARK.strip()!r}, below which releases are put.")
    CHANGELOG.write_text(text.replace(MARK, f"{MARK}\n{section}", 1))
    for fragment in fragments():
        run("git", "rm", "--quiet", str(fragment))
    PYPROJECT.write_text(
        re.sub(r'^version = ".*"$', f'version = "{version}"', PYPROJECT.read_text(), count=1, flags=re.M)
    )


def fragments() -> list[Path]:
    """Return the fragments that wait."""
    return sorted(path for path in (ROOT / "changes").glob("*.md") if path.name != "README.md")


def run(*command: str) -> str:
    """Run a command in the checkout and return what it prints; raises NotReady with its errors."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotReady(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main(sys.argv[1:])
