#!/bin/sh
# Pin the newest releases that pyproject.toml allows, for every Python at once, and ask for known vulnerabilities.
#
#   scripts/upgrade.sh           write scripts/constraints.txt anew, then audit it
#   scripts/upgrade.sh audit     audit what is pinned now
#
# Exit 1: a pinned release has a known vulnerability. An index that has no such data is said, and is no failure:
# then the dated table in SECURITY.md is what is known, and tests/packaging/test_dependencies.py holds us to it.
set -eu
cd "$(dirname "$0")/.."
export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1  # what the system trusts, as with pip
pins=scripts/constraints.txt
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    uv=.venv-tools/bin/uv
    [ -x "$uv" ] || { "$(sh scripts/environment.sh --python)" -m venv .venv-tools; .venv-tools/bin/pip install -qq uv; }
fi

if [ "${1:-}" != audit ]; then
    before=$(mktemp)
    cp "$pins" "$before" 2>/dev/null || true
    "$uv" pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --quiet \
        --no-header --no-annotate --no-emit-package django-fairway --output-file "$pins"
    echo "What has changed in $pins:"
    diff "$before" "$pins" && echo "nothing"
    rm -f "$before"
fi

# A pin holds for some Pythons only: each of these sees other ones.
for version in 3.11 3.13; do
    seen=$(mktemp) said=$(mktemp)
    "$uv" pip compile "$pins" --no-deps --python-version "$version" --quiet --no-header --no-annotate >"$seen"
    for service in pypi osv; do
        result=0
        "$uv" tool run --quiet pip-audit -r "$seen" --no-deps --disable-pip --strict --progress-spinner off \
            --vulnerability-service "$service" >"$said" 2>&1 || result=$?
        if [ "$result" = 0 ]; then echo "Python $version: $service knows of no vulnerability in $(wc -l <"$seen") releases."; break; fi
        if grep -q '^Found [0-9]' "$said"; then cat "$said"; exit 1; fi
        echo "Python $version: $service could not be asked: $(grep -m1 ERROR "$said" || tail -1 "$said")"
    done
    rm -f "$seen" "$said"
done
