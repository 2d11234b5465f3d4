#!/bin/sh
# A Text of pycrdt 0.14.13 counts its length, and where to insert, in bytes of UTF-8, but slices in characters; Yjs, which may share
# the document, counts in UTF-16. An index inside a character is no error: what is inserted there goes to the end. The positions
# of its events are bytes too, so an editor that applies them is wrong behind the first letter that is not ASCII. And a whole
# number that is put into a Map comes back as a float.
#
# Seen, of a Text "äöb": its length, its first two, what an insert at 1 and at 2 makes of it, the event of an insert at its end; and a 1
# in a Map:
#   [5, 'äö', 'äöbX', 'äXöb', [{'retain': 5}, {'insert': 'X'}], 1.0]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pycrdt==0.14.13 2>/dev/null
"$folder/venv/bin/python" - <<'PROBE'
import sys

from pycrdt import Doc, Map, Text


def text():
    document = Doc()
    document["text"] = made = Text("äöb")
    return made


def inserted(index):
    made = text()
    made.insert(index, "X")
    return str(made)


def event():
    made, deltas = text(), []
    made.observe(lambda each: deltas.extend(each.delta))
    made.insert(len(made), "X")
    return deltas


document = Doc()
document["map"] = numbers = Map({"one": 1})
seen = [len(text()), text()[0:2], inserted(1), inserted(2), event(), numbers["one"]]
expected = [5, "äö", "äöbX", "äXöb", [{"retain": 5}, {"insert": "X"}], 1.0]
print("saw     ", seen)
print("expected", expected)
sys.exit(seen != expected or type(seen[-1]) is not float)
PROBE
