#!/bin/sh
# Test with the lowest releases that pyproject.toml allows: a quick part of the suite, in an environment of its own.
#
#   scripts/lowest.sh [pytest arguments]
set -eu
cd "$(dirname "$0")/.."
export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1  # what the system trusts, as with pip
venv=.venv-lowest
uv=.venv/bin/uv
lowest=$(mktemp)
"$uv" pip compile pyproject.toml --resolution lowest-direct --python "$(pwd)/.venv/bin/python" \
    --quiet --no-header --no-annotate --output-file "$lowest"
[ -x "$venv/bin/python" ] || "$uv" venv --quiet --python .venv/bin/python "$venv"
"$uv" pip install --quiet --python "$venv/bin/python" --constraints "$lowest" -e '.[dev]'
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps -r scripts/written-for-channels.txt
for package in django asgiref cryptography h11 h2 hpack msgspec pyjwt redis uvloop websockets zttp; do
    grep -i "^$package==" "$lowest"
done
rm -f "$lowest"
[ $# -gt 0 ] || set -- tests/test_[a-c]*.py tests/test_[h-w]*.py tests/generic tests/security tests/protocols tests/daphne \
    tests/channels_redis tests/layers/test_*.py tests/layers/redis tests/server/connection/test_http[12].py tests/server/asgi
exec "$venv/bin/python" -m pytest -q -n 2 --dist worksteal -p no:cacheprovider -m 'not browser and not packaging' "$@"
