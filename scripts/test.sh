#!/bin/sh
# All that `make test` checks. The full suite comes last, so that its closing line is the last one.
set -eu
cd "$(dirname "$0")/.."
[ -n "${HOME:-}" ] || { HOME=$(getent passwd "$(id -u)" | cut -d: -f6); export HOME; }
PYTHONUTF8=1
export PYTHONUTF8

step() { printf '\n== %s\n' "$*"; }

sh scripts/programs.sh
sh scripts/environment.sh dev .venv

step 'ruff'
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
step 'mypy --strict'
.venv/bin/python -m mypy
step 'import-linter'
.venv/bin/lint-imports --no-logo 2>/dev/null || .venv/bin/lint-imports

# Other Pythons, where they are: the same tests, without those that look at the checkout rather than at the code.
failed=
for version in 3.12 3.13; do
    [ "$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != "$version" ] || continue
    sh scripts/environment.sh --python "$version" >/dev/null 2>&1 || continue
    sh scripts/environment.sh dev ".venv-$version" "$version"
    step "pytest on Python $version, Django $(".venv-$version/bin/python" -m django --version)"
    ".venv-$version/bin/python" -m pytest -q -n 3 --dist loadgroup -p no:cacheprovider -m 'not browser and not packaging' \
        --ignore tests/docs --ignore tests/fuzz --ignore tests/e2e </dev/null || failed="$failed $version"
done

step "pytest on Python $(.venv/bin/python -c 'import platform; print(platform.python_version())')," \
     "Django $(.venv/bin/python -m django --version)"
.venv/bin/python -m pytest -n 3 --dist loadgroup --cov --cov-branch --cov-report=term --cov-fail-under=95 </dev/null
if [ -n "$failed" ]; then
    echo "Tests failed on Python$failed: see above."
    exit 1
fi
