"""Recordings as files, and what is masked in them."""

from __future__ import annotations

import json

import pytest

from channels.diagnostics.recording import MASKED, Frame, Mask, Recording, RecordingError

RECORDING = Recording(
    "connection",
    "/chat/lobby/",
    ["json"],
    [Frame(0.0, "in", "Küche\u2028"), Frame(0.25, "out", b"\x00\xff"), Frame(1.5, "out", "{}")],
    complete=False,
)


def test_a_recording_comes_back_as_it_was() -> None:
    assert Recording.loads(RECORDING.dumps()) == RECORDING
    assert len(RECORDING.dumps().splitlines()) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Line 1"),
        ("{}", "Line 1"),
        ('{"format": 2}', "format is 2"),
        ("no JSON", "Line 1"),
        (RECORDING.dumps() + '{"at": 1, "direction": "up", "text": ""}', "Line 5"),
        (RECORDING.dumps() + '{"at": 1, "direction": "in", "bytes": "?"}', "Line 5"),
        (RECORDING.dumps() + '{"at": 1, "direction": "in", "text": 7}', "Line 5"),
    ],
)
def test_what_is_none_is_an_error_that_names_the_line(text: str, said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        Recording.loads(text)


@pytest.mark.parametrize(
    ("data", "masked"),
    [
        ('{"text": "hi", "user_token": "abc"}', {"text": "hi", "user_token": MASKED}),
        ('{"list": [{"Email": 7, "n": 1}]}', {"list": [{"Email": MASKED, "n": 1}]}),
        ('{"address": {"city": "Ulm", "phone": "1"}}', {"address": {"city": "Ulm", "phone": MASKED}}),
        ('{"text": "write to ada@example.org"}', {"text": f"write to {MASKED}"}),
        ('["call +49 170 1234567 now"]', [f"call {MASKED} now"]),
        ('{"ours": "x", "n": 2}', {"ours": MASKED, "n": 2}),
    ],
)
def test_personal_data_are_masked_in_json(data: str, masked: object) -> None:
    assert json.loads(str(Mask(["OURS"])(data))) == masked


def test_personal_data_are_masked_in_other_messages() -> None:
    mask = Mask()
    assert mask("from ada@example.org, id 7") == f"from {MASKED}, id 7"
    assert mask("{no JSON ada@example.org") == f"{{no JSON {MASKED}"
    assert mask('{"token":"a"}\n{"id":1}') == f'{{"token": "{MASKED}"}}\n{{"id": 1}}'
    assert mask("eyJhbGciOi.eyJzdWIiOiI0.abc_-") == MASKED
    assert mask(b"secret") == bytes(6)
    assert [each.data for each in RECORDING.masked().frames] == ["Küche\u2028", bytes(2), "{}"]
