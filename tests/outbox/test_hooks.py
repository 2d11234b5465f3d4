from __future__ import annotations

import functools
import json
import uuid
from datetime import date
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.test import override_settings
from django.utils.translation import gettext_lazy

from channels.exceptions import MessageTooLarge
from channels.outbox import Hook, on_commit_durably
from channels.outbox.hooks import UnknownHook, encode_arguments, find_hook
from channels.outbox.models import HookCall
from tests.outbox import tools
from tests.support.databases import Database

itself: list[object] = []
itself.append(itself)


class Receipts:
    @staticmethod
    @on_commit_durably
    def send(number: int) -> None:
        """Send a receipt."""


def test_called_directly_it_is_the_function_itself() -> None:
    tools.calls.clear()
    tools.note(1, two=2)
    assert tools.calls == [((1,), {"two": 2})]
    assert (vars(Receipts.send)["__name__"], Receipts.send.__doc__) == ("send", "Send a receipt.")


def test_is_found_by_its_path() -> None:
    assert find_hook("tests.outbox.tools.note") is tools.note
    assert find_hook(Receipts.send.path) is Receipts.send


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tests.outbox.tools.absent", "cannot be imported"),
        ("tests.outbox.absent.note", "cannot be imported"),
        ("absent", "cannot be imported"),
        ("tests.outbox.tools.until", "is there, but is not marked with @on_commit_durably"),
    ],
)
def test_an_unknown_one_says_what_is_there(path: str, said: str) -> None:
    with pytest.raises(UnknownHook, match=said):
        find_hook(path)


def test_a_function_that_others_cannot_find_is_refused() -> None:
    def inner() -> None: ...

    for function in (inner, lambda: None, functools.partial(print)):
        with pytest.raises(ImproperlyConfigured, match="cannot be found by other processes"):
            on_commit_durably(function)


@pytest.mark.parametrize("options", [{"attempts": 0}, {"backoff": -1}, {"backoff": 10, "max_backoff": 1}])
def test_options_out_of_range_are_refused(options) -> None:
    with pytest.raises(ImproperlyConfigured):
        on_commit_durably(**options)(tools.note.function)


def test_arguments_are_json() -> None:
    values = json.loads(
        encode_arguments((1, "two", None, 1.5, (3, [True])), {"d": {"e": gettext_lazy("Yes")}})
    )
    assert values == {"args": [1, "two", None, 1.5, [3, [True]]], "kwargs": {"d": {"e": "Yes"}}}


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((1, {"items": [0, Decimal(1)]}), {}, r"args\[1\]\['items'\]\[1\] is of the type decimal.Decimal"),
        ((), {"order": User()}, "order is of the type .*User, which JSON has not. Pass its primary key"),
        ((uuid.UUID(int=7),), {}, r"args\[0\] is of the type uuid.UUID, .* Pass str\(\) of it"),
        ((), {"total": Decimal("9.50")}, r"total is of the type decimal.Decimal, .* Pass str\(\) of it"),
        ((), {"day": date(2030, 1, 1)}, r"day is of the type datetime.date.*Pass its isoformat\(\)"),
        (({1: 2},), {}, r"args\[0\] has the key 1"),
        ((float("nan"),), {}, r"args\[0\] is nan"),
        ((b"raw",), {}, "builtins.bytes"),
        ((itself,), {}, "contains itself"),
    ],
)
def test_what_is_no_json_is_named(args, kwargs, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        tools.note.on_commit(*args, **kwargs)


def test_the_row_holds_path_and_arguments(outbox: Database) -> None:
    tools.note.on_commit(1, two="\0\ud800ñ")
    row = HookCall.objects.get()
    assert (row.hook, row.state, row.attempts) == ("tests.outbox.tools.note", "ready", 0)
    assert json.loads(row.arguments) == {"args": [1], "kwargs": {"two": "\0\ud800ñ"}}


def test_arguments_have_a_size(sqlite: Database) -> None:
    said = "tests.outbox.tools.note is called with has .* takes 100"
    with sqlite.as_default(), override_settings(CHANNELS_OUTBOX={"MAX_SIZE": 100}):
        arguments = "x" * 100
        with pytest.raises(MessageTooLarge, match=said):
            tools.note.on_commit(arguments)


async def test_async_code_has_a_call_of_its_own(outbox: Database) -> None:
    with pytest.raises(SynchronousOnlyOperation, match=r"await hook.aon_commit"):
        tools.note.on_commit()
    await tools.note.aon_commit(1)
    assert await HookCall.objects.acount() == 1


def test_a_call_can_be_written_to_another_database(sqlite: Database) -> None:
    with sqlite.as_default(other=sqlite):
        hook = tools.note.using("other")
        assert isinstance(hook, Hook) and hook.path == tools.note.path
        with pytest.raises(ImproperlyConfigured, match="the outbox in the database 'other'"):
            hook.on_commit()
