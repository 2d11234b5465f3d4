from __future__ import annotations

import pytest

from channels.layers.names import (
    CHANNEL_NAME,
    GROUP_NAME,
    NameChecks,
    channel_name,
    group_name,
    is_process_local,
    non_local_name,
)


@pytest.mark.parametrize("name", ["a", "Z-9_.", "a!", "a!b", "specific.inmemory!x"])
def test_channel_names_that_fit(name):
    assert CHANNEL_NAME.match(name)


@pytest.mark.parametrize("name", ["", "!", "!a", "a!b!c", "a b", "é", "a\n", "a!\n", "٣"])
def test_channel_names_that_do_not(name):
    assert not CHANNEL_NAME.match(name)


@pytest.mark.parametrize("name", ["a!b", "", "a/b", "a\n"])
def test_group_names_that_do_not_fit(name):
    assert not GROUP_NAME.match(name)


def test_the_part_that_other_processes_route_by():
    assert non_local_name("prefix.x!y") == "prefix.x!"
    assert non_local_name("chat") == "chat"
    assert is_process_local("a!b")
    assert not is_process_local("ab")


@pytest.mark.parametrize(
    "text",
    ["Küche 7/блог", "a" * 100, "x" * 500, "🦊", "with space", "u8.made-before", "line\nbreak", "\ud800"],
)
def test_any_text_has_a_name(text):
    name = group_name(text)
    assert GROUP_NAME.match(name)
    assert len(name) < 100
    assert name == group_name(text) == channel_name(text)
    assert name != group_name(text[:-1] + "?")


def test_text_that_is_a_name_stays_as_it_is():
    assert group_name("chat_lobby-1.2") == "chat_lobby-1.2"


def test_a_derived_name_cannot_be_taken_by_other_text():
    derived = group_name("é")
    assert group_name(derived) != derived


@pytest.mark.parametrize("text", ["", "x" * 501, None, b"bytes", 5])
def test_what_no_name_is_made_of(text):
    with pytest.raises(TypeError, match="1 to 500 characters of text"):
        group_name(text)


class Shorter(NameChecks):
    """A layer's own grammar."""

    MAX_NAME_LENGTH = 5


def test_a_layer_says_what_is_wrong_with_a_name():
    checks = NameChecks()
    assert checks.require_valid_channel_name("a!b")
    assert checks.require_valid_group_name("g")
    for wrong in ("no spaces", None, "x" * 100):
        with pytest.raises(TypeError, match=r"Channel name must be .* < 100 .*Got"):
            checks.require_valid_channel_name(wrong)
        with pytest.raises(TypeError, match=r"Group name must be .*group_name\(\) makes a name of any text"):
            checks.require_valid_group_name(wrong)


def test_where_a_name_ends_matters_to_who_receives():
    checks = NameChecks()
    assert checks.require_valid_channel_name("a!", receive=True)
    with pytest.raises(TypeError, match="must end at the !"):
        checks.require_valid_channel_name("a!b", receive=True)
    assert checks.non_local_name("a!b") == "a!"


def test_several_names_at_once():
    checks = NameChecks()
    assert checks.valid_channel_names(["a", "b!c"])
    with pytest.raises(AssertionError, match="at least one name"):
        checks.valid_channel_names([])
    with pytest.raises(TypeError):
        checks.valid_channel_names(["a", "b!c"], receive=True)


def test_names_of_channels_4_2_still_work():
    checks = NameChecks()
    with pytest.warns(DeprecationWarning, match="use require_valid_channel_name"):
        assert checks.valid_channel_name("a!b", receive=True)
    with pytest.warns(DeprecationWarning, match="use require_valid_group_name"):
        assert checks.valid_group_name("g")


def test_the_grammar_can_be_overridden():
    with pytest.raises(TypeError):
        Shorter().require_valid_group_name("longer")
    assert Shorter().require_valid_group_name("four")
