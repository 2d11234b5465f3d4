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

unset PYTHONDONTWRITEBYTECODE  # else every process that a test starts compiles what it imports

step() { printf '\n== %s\n' "$*"; }

# Run tests. What fails runs once more, alone: a test that then passes is named as one that minds a loaded
# machine, to be mended, and is no failure. Anything else that pytest complains of (its exit codes from 2 on)
# is a failure at once.
# Four workers on two processors: two thirds of a test's time it waits, for processes and for timers. Each begins with
# a quarter of the files in their order (worksteal), so that what a file's tests share is made once: the site, fleets.
run_tests() {  # which environment, pytest's arguments
    environment=$1
    shift
    python=$environment/bin/python
    cache=.pytest_cache/$environment
    rm -rf "$cache"
    result=0
    "$python" -m pytest -n 4 --dist worksteal -o "cache_dir=$cache" "$@" </dev/null || result=$?
    [ "$result" = 1 ] && [ -s "$cache/v/cache/lastfailed" ] || return "$result"
    step "once more, alone: $(grep -c '::' "$cache/v/cache/lastfailed") that failed on $($python --version)"
    grep '::' "$cache/v/cache/lastfailed"
    # shellcheck disable=SC2086  # words on purpose
    "$python" -m pytest -q --last-failed --last-failed-no-failures none -o "cache_dir=$cache" $selection </dev/null
}

# What the oldest Python shows for all: documents, programs of the checkout, fuzzers, browsers, and what the other side
# holds when a process is killed at each step (the processes themselves are started and ended by tests on each Python).
once='--ignore tests/docs --ignore tests/fuzz --ignore tests/e2e --ignore tests/benchmarks --ignore tests/layout
      --ignore tests/scripts --ignore tests/harness --ignore tests/typing --ignore tests/packaging
      --ignore-glob */kills --ignore-glob */test_kills.py --ignore-glob */test_chaos.py'
# What can differ on a Python between two that pass: event loops, sockets, threads, contexts, processes, classes of users.
# What 3.11 and 3.13 show for it: bytes in and out without I/O, the command line, names, what is read in logs.
differs="tests/server tests/sync tests/access tests/layers tests/consumer tests/generic tests/core tests/process tests/testing
         $(echo tests/test_*.py) --ignore-glob */test_chaos.py --ignore tests/testing/test_database.py"
set -f  # patterns are pytest's from here on

selection_for() {  # which Python: the newest runs all that looks at the code, those between what can differ
    case $1 in 3.13) echo "$once" ;; *) echo "$differs" ;; esac
}

# Let pytest rewrite and compile the tests once. Where nothing is compiled each of its workers does that for all of them.
compile_tests() {  # which environment, which tests
    # shellcheck disable=SC2086  # words on purpose
    "$1/bin/python" -m pytest --collect-only -qq -p no:cacheprovider $2 >/dev/null 2>&1 </dev/null || true
}

sh scripts/programs.sh
sh scripts/environment.sh dev .venv

# Other Pythons, where they are.
others=
for version in 3.12 3.13; do
    [ "$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" != "$version" ] || continue
    sh scripts/environment.sh --python "$version" >/dev/null 2>&1 || continue
    others="$others $version"
done
# Their environments are made, and the tests compiled, while mypy looks at the source.
trap wait EXIT
compile_tests .venv '' &
making=$!
for version in $others; do
    { sh scripts/environment.sh dev ".venv-$version" "$version" && compile_tests ".venv-$version" "$(selection_for "$version")"; } &
    making="$making $!"
done

step 'ruff'
.venv/bin/ruff check --quiet .
.venv/bin/ruff format --quiet --check .
step 'mypy'
.venv/bin/python -m mypy
step 'import-linter'
.venv/bin/lint-imports --no-logo 2>/dev/null || .venv/bin/lint-imports
for process in $making; do wait "$process"; done

failed=
for version in $others; do
    step "pytest on Python $version, Django $(".venv-$version/bin/python" -m django --version)"
    selection=$(selection_for "$version")
    # shellcheck disable=SC2086  # words on purpose
    run_tests ".venv-$version" -q -m 'not browser and not packaging' $selection || failed="$failed $version"
done

step "pytest on Python $(.venv/bin/python -c 'import platform; print(platform.python_version())')," \
     "Django $(.venv/bin/python -m django --version)"
selection=
run_tests .venv -q || failed="$failed 3.11"
if [ -n "$failed" ]; then
    echo "Tests failed on Python$failed: see above."
    exit 1
fi
