#!/bin/sh
# All that `make test` checks. The full suite comes last, so that its closing line is the last one.
set -eu
cd "$(dirname "$0")/.."
[ -n "${HOME:-}" ] || { HOME=$(getent passwd "$(id -u)" | cut -d: -f6); export HOME; }
PYTHONUTF8=1
# uv and npm, which some tests drive, trust what the system trusts, as pip is told to; uv had another name for it.
UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1
export PYTHONUTF8 UV_SYSTEM_CERTS UV_NATIVE_TLS
certificates=/etc/ssl/certs/ca-certificates.crt
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -f "$certificates" ]; then export NODE_EXTRA_CA_CERTS="$certificates"; fi

step() { printf '\n== %s\n' "$*"; }

# Run tests. What fails runs once more, alone: a test that then passes is named as one that minds a loaded
# machine, to be mended, and is no failure. Anything else that pytest complains of (its exit codes from 2 on,
# coverage that is too low) is a failure at once.
run_tests() {  # which environment, pytest's arguments
    environment=$1
    shift
    python=$environment/bin/python
    cache=.pytest_cache/$environment
    rm -rf "$cache"
    result=0
    "$python" -m pytest -n 3 --dist loadgroup -o "cache_dir=$cache" "$@" </dev/null || result=$?
    [ "$result" = 1 ] && [ -s "$cache/v/cache/lastfailed" ] || return "$result"
    step "once more, alone: $(grep -c '::' "$cache/v/cache/lastfailed") that failed on $($python --version)"
    grep '::' "$cache/v/cache/lastfailed"
    "$python" -m pytest -q --last-failed --last-failed-no-failures none -o "cache_dir=$cache" $selection </dev/null
}

sh scripts/programs.sh
sh scripts/environment.sh dev .venv

step 'ruff'
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
step 'mypy'
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
    selection='--ignore tests/docs --ignore tests/fuzz --ignore tests/e2e'
    # shellcheck disable=SC2086  # words on purpose
    run_tests ".venv-$version" -q -m 'not browser and not packaging' $selection || failed="$failed $version"
done

step "pytest on Python $(.venv/bin/python -c 'import platform; print(platform.python_version())')," \
     "Django $(.venv/bin/python -m django --version)"
selection=
run_tests .venv --cov --cov-branch --cov-report=term --cov-fail-under=95 || failed="$failed 3.11"
if [ -n "$failed" ]; then
    echo "Tests failed on Python$failed: see above."
    exit 1
fi
