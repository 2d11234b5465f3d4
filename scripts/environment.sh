#!/bin/sh
# Make a virtual environment with Fairway in it, if it is not there yet.
#
#   scripts/environment.sh runtime .venv            what serves the demo
#   scripts/environment.sh dev .venv                what the tests need as well
#   scripts/environment.sh dev .venv-3.13 3.13      the same for that Python (exit 3: there is none)
#   scripts/environment.sh --python 3.13            print the interpreter that would be used
#
# The releases are those of scripts/constraints.txt, which `make upgrade` renews.
# A stamp inside the environment remembers for which of these files it was made.
set -eu
cd "$(dirname "$0")/.."

# An empty environment has no HOME; pip and pyenv live there.
[ -n "${HOME:-}" ] || { HOME=$(getent passwd "$(id -u)" | cut -d: -f6); export HOME; }

candidates() {  # of one version, or of all that will do, the one we develop on first
    for version in ${1:-3.11 3.12 3.13 3.14}; do
        command -v "python$version" || true
        ls "$HOME"/.pyenv/versions/"$version"*/bin/python 2>/dev/null || true
        ls /usr/local/bin/python"$version" /usr/bin/python"$version" 2>/dev/null || true
    done
    [ -n "${1:-}" ] || command -v python3 || true
}

find_python() {
    without_venv=
    for python in ${PYTHON:-$(candidates "$1")}; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if "$python" -c 'import venv, ensurepip' 2>/dev/null; then echo "$python"; return 0; fi
        without_venv=$python
    done
    if [ -n "$without_venv" ]; then
        echo "$without_venv cannot make virtual environments. Install that part: apt-get install python3-venv" >&2
    else
        echo "No Python ${1:-3.11 or newer} found. Install one (apt-get install python3 python3-venv)," \
             "or name it: make PYTHON=/path/to/python3.11 ..." >&2
    fi
    return 3
}

if [ "$1" = --python ]; then find_python "${2:-}"; exit; fi

kind=$1 venv=$2 version=${3:-}
stamp=$venv/.made-for-$kind
sum=$(cat pyproject.toml scripts/environment.sh scripts/constraints.txt scripts/written-for-channels.txt | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && exit 0
python=$(find_python "$version")
[ -x "$venv/bin/python" ] || { echo "Making $venv with $("$python" --version) ..."; "$python" -m venv "$venv"; }
pip() { "$venv/bin/python" -m pip "$@" --disable-pip-version-check; }
# uv takes a tenth of pip's time: with eighty packages for each of three Pythons that is a minute. It reads no
# settings of pip's, so it is told of the index. Where it cannot install, pip can or says why.
uv=
[ "$kind" = runtime ] || for uv in .venv/bin/uv "$venv/bin/uv"; do [ ! -x "$uv" ] || break; done
if [ -n "$uv" ]; then
    [ -x "$uv" ] || pip install -qq -c scripts/constraints.txt uv
    index=${PIP_INDEX_URL:-$(pip config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1  # what the system trusts, as with pip
fi
install() {
    { [ -n "$uv" ] && "$uv" pip install -qq --python "$venv/bin/python" "$@" 2>/dev/null; } || pip install -qq "$@"
}

case $kind in dev) what='.[dev]' ;; *) what='.' ;; esac
echo "Installing Fairway and what the $kind environment needs into $venv ..."
# An environment from before the distribution had its name: two of them would share the same files.
pip uninstall -qq --yes fairway 2>/dev/null
install -c scripts/constraints.txt -e "$what"
[ "$kind" = dev ] ||  # what examples of `make demo` need beside it
    install -c scripts/constraints.txt -r examples/editor/requirements.txt -r examples/devices/requirements.txt
# What tests/compat/test_packages.py runs. Their dependencies would bring the originals over our files.
[ "$kind" = runtime ] || install --no-deps -r scripts/written-for-channels.txt
[ "$kind" = runtime ] || echo "$sum" > "$venv/.made-for-runtime"
echo "$sum" > "$stamp"
