#!/bin/sh
# Run the whole Autobahn WebSocket test suite against our server: a bare ASGI application without context
# takeover, then a consumer with it. 517 cases each; most of an hour, nearly all of it the suite's own.
#   scripts/autobahn.sh [CASES]      for example scripts/autobahn.sh '"1.*", "12.1.*"'; all by default
# The suite is a program for Python 2.7: name one in PYTHON27. It is installed into .venv-autobahn.
# Reports lie in dist/autobahn afterwards; docs/reference/conformance.md tells what they said.
set -eu
cd "$(dirname "$0")/.."
cases=${1:-'"*"'}
python27=${PYTHON27:-python2.7}
python=${PYTHON:-.venv/bin/python}
env=.venv-autobahn
out=dist/autobahn
port=${PORT:-9019}

command -v "$python27" >/dev/null || { echo "No Python 2.7: set PYTHON27 to one (pyenv install 2.7.18)." >&2; exit 2; }
if ! [ -x $env/bin/wstest ]; then
    # The last virtualenv that still makes environments for Python 2.7.
    [ -d $env-maker ] || "$python" -m venv $env-maker
    $env-maker/bin/pip install -q 'virtualenv<20.22'
    $env-maker/bin/virtualenv -q -p "$python27" $env
    $env/bin/pip install -q autobahntestsuite==25.10.1
fi

rm -rf $out
mkdir -p $out
server=""
failed=0
trap '[ -z "$server" ] || kill $server 2>/dev/null || true' EXIT
run() {  # name, path, more flags
    name=$1 path=$2
    shift 2
    PYTHONPATH=src:. "$python" -m daphne -v 0 -b 127.0.0.1 -p "$port" --websocket-deflate \
        --websocket-deflate-min-size 0 --websocket-max-message-size 0 --websocket-max-frame-size 0 \
        --websocket-max-rate 0 --websocket-max-control-rate 0 "$@" \
        tests.conformance.echo_app:application 2>"$out/$name.log" &
    server=$!
    curl -s -o /dev/null --retry 60 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$port/"
    cat >"$out/$name.json" <<END
{"outdir": "$out/$name", "servers": [{"agent": "$name", "url": "ws://127.0.0.1:$port$path"}],
 "cases": [$cases], "exclude-cases": [], "exclude-agent-cases": {}}
END
    $env/bin/wstest -m fuzzingclient -s "$out/$name.json" >"$out/$name.wstest.log" 2>&1
    kill $server
    wait $server || true
    "$python" scripts/autobahn_report.py "$out/$name/index.json" || failed=1
}
run application /
run consumer /consumer --websocket-deflate-context-takeover
exit $failed
