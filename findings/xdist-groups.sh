#!/bin/sh
# pytest-xdist 3.8.0 keeps the tests of one `xdist_group` in one process under `--dist loadgroup`. With pytest 9.2.0 it does not: the
# mark and the option are taken without a word, and the tests of a group are spread over all processes, as without them. With
# pytest 9.0.2 they stay together. Fixtures of a session or a module that a group was to share are made once in each process.
#
# Seen, how many of four processes ran the forty tests of one group:
#   {'pytest 9.0.2': '1', 'pytest 9.2.0': '4'}
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export PYTHONDONTWRITEBYTECODE=1
cat > test_group.py <<'TESTS'
import os
import time

import pytest

pytestmark = pytest.mark.xdist_group("one")


@pytest.mark.parametrize("number", range(40))
def test_it(number):
    time.sleep(0.02)
    with open("processes", "a") as file:
        file.write(f"{os.getpid()}\n")
TESTS
processes() {
    python3 -m venv "venv-$1"
    "venv-$1/bin/pip" install -q pytest=="$1" pytest-xdist==3.8.0 2>/dev/null
    rm -f processes
    "venv-$1/bin/python" -m pytest -q -n 4 --dist loadgroup -p no:cacheprovider test_group.py >/dev/null
    sort -u processes | wc -l
}
seen="{'pytest 9.0.2': '$(processes 9.0.2)', 'pytest 9.2.0': '$(processes 9.2.0)'}"
expected="{'pytest 9.0.2': '1', 'pytest 9.2.0': '4'}"
echo "saw      $seen"
echo "expected $expected"
[ "$seen" = "$expected" ]
